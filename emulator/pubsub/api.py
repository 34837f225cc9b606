"""The REST methods of topics and subscriptions."""

import base64
import binascii
import secrets
from typing import Any, Final

from emulator.errors import ApiError, invalid_argument
from emulator.pubsub.state import (
    DEFAULT_ACK_DEADLINE_S,
    DEFAULT_RETENTION_S,
    Delivery,
    Subscription,
    Topic,
)
from emulator.rest.call import Call, Operation

Json = dict[str, Any]

_DEADLINES: Final = range(10, 601)


def create_topic(call: Call) -> Json:
    """Create a topic."""
    name = call.path["name"]
    if name in call.world.pubsub.topics:
        raise _exists("topic", name)
    return call.world.pubsub.add_topic(name, call.body).resource


def get_topic(call: Call) -> Json:
    """Return a topic."""
    return _topic(call, call.path["topic"]).resource


def list_topics(call: Call) -> Json:
    """Return the topics of a project."""
    prefix = f"{call.path['project']}/topics/"
    topics = call.world.pubsub.topics
    return _listed("topics", [t.resource for n, t in topics.items() if n.startswith(prefix)])


def delete_topic(call: Call) -> Json:
    """Delete a topic; its subscriptions stay, bound to `_deleted-topic_`."""
    topic = _topic(call, call.path["topic"])
    del call.world.pubsub.topics[topic.name]
    for subscription in call.world.pubsub.subscriptions.values():
        if subscription.topic == topic.name:
            subscription.topic = "_deleted-topic_"
            subscription.resource["topic"] = "_deleted-topic_"
    return {}


def publish(call: Call) -> Json:
    """Publish messages and return their ids."""
    topic = _topic(call, call.path["topic"])
    messages = call.body.get("messages", [])
    if not messages:
        raise invalid_argument("The value for message_count is too small: at least 1 is needed.")
    ids = []
    for message in messages:
        data, attributes = message.get("data", ""), message.get("attributes", {})
        if not data and not attributes:
            raise invalid_argument("One or more messages in the publish request is empty.")
        key = message.get("orderingKey", "")
        ids.append(call.world.pubsub.publish(topic.name, _decode(data), attributes, key=key))
    return {"messageIds": ids}


def create_subscription(call: Call) -> Json:
    """Create a subscription, by push when it has an endpoint."""
    name = call.path["name"]
    if name in call.world.pubsub.subscriptions:
        raise _exists("subscription", name)
    topic = _topic(call, str(call.body.get("topic", "")))
    deadline_s = call.body.get("ackDeadlineSeconds") or DEFAULT_ACK_DEADLINE_S
    if deadline_s not in _DEADLINES:
        raise invalid_argument(f"Invalid ack deadline given: {deadline_s}. It must be 10 to 600.")
    resource = {
        "pushConfig": {},
        "messageRetentionDuration": f"{DEFAULT_RETENTION_S}s",
        "expirationPolicy": {"ttl": "2678400s"},
        **call.body,
        "name": name,
        "ackDeadlineSeconds": deadline_s,
        "state": "ACTIVE",
    }
    call.world.pubsub.add_subscription(Subscription(name, topic.name, resource))
    return resource


def get_subscription(call: Call) -> Json:
    """Return a subscription."""
    return _subscription(call).resource


def list_subscriptions(call: Call) -> Json:
    """Return the subscriptions of a project."""
    prefix = f"{call.path['project']}/subscriptions/"
    found = call.world.pubsub.subscriptions
    return _listed("subscriptions", [s.resource for n, s in found.items() if n.startswith(prefix)])


def list_topic_subscriptions(call: Call) -> Json:
    """Return the names of a topic's subscriptions."""
    topic = _topic(call, call.path["topic"])
    found = call.world.pubsub.subscriptions
    return _listed("subscriptions", [n for n, s in found.items() if s.topic == topic.name])


def delete_subscription(call: Call) -> Json:
    """Delete a subscription with its backlog."""
    call.world.pubsub.remove_subscription(_subscription(call).name)
    return {}


def modify_push_config(call: Call) -> Json:
    """Replace endpoint and token settings; an empty configuration makes it a pull subscription."""
    subscription = _subscription(call)
    subscription.resource["pushConfig"] = call.body.get("pushConfig", {})
    call.world.pubsub.opened(subscription)
    return {}


def pull(call: Call) -> Json:
    """Lease up to `maxMessages` messages of a pull subscription."""
    subscription = _subscription(call)
    now_s = call.world.clock.now_s()
    for ack_id, (delivery, until) in list(subscription.leased.items()):
        if until <= now_s:
            del subscription.leased[ack_id]
            subscription.offer(delivery)
    received = []
    for _ in range(max(1, call.body.get("maxMessages", 1))):
        taken = subscription.take(now_s)
        if taken is None:
            break
        received.append(_leased(subscription, taken, now_s))
    return {"receivedMessages": received} if received else {}


def acknowledge(call: Call) -> Json:
    """Drop leased messages."""
    subscription = _subscription(call)
    for ack_id in call.body.get("ackIds", ()):
        subscription.leased.pop(ack_id, None)
    return {}


def modify_ack_deadline(call: Call) -> Json:
    """Move the end of leases; 0 gives the messages back at once."""
    subscription = _subscription(call)
    seconds = call.body.get("ackDeadlineSeconds", 0)
    for ack_id in call.body.get("ackIds", ()):
        if ack_id in subscription.leased:
            delivery, _ = subscription.leased[ack_id]
            until = call.world.clock.now_s() + seconds
            subscription.leased[ack_id] = (delivery, until)
    return {}


def set_policy(call: Call) -> Json:
    """Keep and return an access policy."""
    holder = _policy_holder(call)
    holder.policy = {**call.body.get("policy", {}), "etag": "ACAB", "version": 1}
    return holder.policy


def get_policy(call: Call) -> Json:
    """Return the access policy."""
    return {"etag": "ACAB", "version": 1, **_policy_holder(call).policy}


def _policy_holder(call: Call) -> Topic | Subscription:
    name = call.path["resource"]
    found = call.world.pubsub.topics.get(name) or call.world.pubsub.subscriptions.get(name)
    if found is None:
        raise _missing(name)
    return found


def _leased(subscription: Subscription, delivery: Delivery, now_s: float) -> Json:
    delivery.attempts += 1
    ack_id = secrets.token_urlsafe(32)
    subscription.leased[ack_id] = (delivery, now_s + subscription.ack_deadline_s)
    message = delivery.message.json()
    both = {k: v for k, v in message.items() if "_" not in k}
    return {"ackId": ack_id, "message": both}


def _topic(call: Call, name: str) -> Topic:
    found = call.world.pubsub.topics.get(name)
    if found is None:
        raise _missing(name)
    return found


def _subscription(call: Call) -> Subscription:
    found = call.world.pubsub.subscriptions.get(call.path["subscription"])
    if found is None:
        raise _missing(call.path["subscription"])
    return found


def _missing(name: str) -> ApiError:
    resource = name.rpartition("/")[2]
    return ApiError(404, f"Resource not found (resource={resource}).", "notFound")


def _exists(kind: str, name: str) -> ApiError:
    resource = name.rpartition("/")[2]
    message = f"Resource already exists in the project (resource={resource})."
    return ApiError(409, message, "alreadyExists", extra={"kind": kind})


def _listed(name: str, items: list[Any]) -> Json:
    return {name: items} if items else {}


def _decode(data: str) -> bytes:
    try:
        return base64.b64decode(data.replace("-", "+").replace("_", "/"), validate=True)
    except binascii.Error as exc:
        raise invalid_argument("Invalid value at 'messages.data' (TYPE_BYTES)") from exc


_TOPICS: Final = "pubsub.projects.topics."
_SUBSCRIPTIONS: Final = "pubsub.projects.subscriptions."
_RUNS: Final = {
    f"{_TOPICS}create": create_topic,
    f"{_TOPICS}get": get_topic,
    f"{_TOPICS}list": list_topics,
    f"{_TOPICS}delete": delete_topic,
    f"{_TOPICS}publish": publish,
    f"{_TOPICS}setIamPolicy": set_policy,
    f"{_TOPICS}getIamPolicy": get_policy,
    f"{_TOPICS}subscriptions.list": list_topic_subscriptions,
    f"{_SUBSCRIPTIONS}create": create_subscription,
    f"{_SUBSCRIPTIONS}get": get_subscription,
    f"{_SUBSCRIPTIONS}list": list_subscriptions,
    f"{_SUBSCRIPTIONS}delete": delete_subscription,
    f"{_SUBSCRIPTIONS}modifyPushConfig": modify_push_config,
    f"{_SUBSCRIPTIONS}pull": pull,
    f"{_SUBSCRIPTIONS}acknowledge": acknowledge,
    f"{_SUBSCRIPTIONS}modifyAckDeadline": modify_ack_deadline,
    f"{_SUBSCRIPTIONS}setIamPolicy": set_policy,
    f"{_SUBSCRIPTIONS}getIamPolicy": get_policy,
}
OPERATIONS: Final = {name: Operation(run, needs_token=False) for name, run in _RUNS.items()}
