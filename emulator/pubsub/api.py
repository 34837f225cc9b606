"""The REST methods of topics and subscriptions."""

from typing import Any, Final

from emulator.errors import ApiError, invalid_argument
from emulator.pubsub import checks, leases
from emulator.pubsub.state import Delivery, Subscription, Topic
from emulator.rest.call import Call, Operation

Json = dict[str, Any]


def create_topic(call: Call) -> Json:
    """Create a topic."""
    name = call.path["name"]
    if name in call.world.pubsub.topics:
        raise _exists("topic", name)
    checks.resource_id(name)
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
        ids.append(
            call.world.pubsub.publish(topic.name, checks.data_bytes(data), attributes, key=key)
        )
    return {"messageIds": ids}


def create_subscription(call: Call) -> Json:
    """Create a subscription, by push when it has an endpoint."""
    name = call.path["name"]
    if name in call.world.pubsub.subscriptions:
        raise _exists("subscription", name)
    topic = _topic(call, str(call.body.get("topic", "")))
    checks.resource_id(name)
    resource = {**checks.subscription(call.body), "name": name, "state": "ACTIVE"}
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


def patch_subscription(call: Call) -> Json:
    """Change the settings that `updateMask` names and return the subscription."""
    subscription = _subscription(call, "name")
    old, new = subscription.resource, call.body.get("subscription", {})
    subscription.resource = checks.changed(old, new, str(call.body.get("updateMask", "")))
    if subscription.resource["pushConfig"] != old["pushConfig"]:
        call.world.pubsub.opened(subscription)
    return subscription.resource


def modify_push_config(call: Call) -> Json:
    """Replace endpoint and token settings; an empty configuration makes it a pull subscription."""
    subscription = _subscription(call)
    subscription.resource["pushConfig"] = call.body.get("pushConfig", {})
    call.world.pubsub.opened(subscription)
    return {}


def pull(call: Call) -> Json:
    """Lease up to `maxMessages` messages of a pull subscription."""
    subscription, world = _subscription(call), call.world
    most = call.body.get("maxMessages", 0)
    found = leases.lease(world.pubsub, world.clock, subscription, most=most)
    received = [_received(subscription, ack_id, delivery) for ack_id, delivery in found]
    return {"receivedMessages": received} if received else {}


def acknowledge(call: Call) -> Json:
    """Drop leased messages."""
    leases.acknowledge(call.world.pubsub, _subscription(call), call.body.get("ackIds", ()))
    return {}


def modify_ack_deadline(call: Call) -> Json:
    """Move the end of leases; 0 gives the messages back at once."""
    subscription, world = _subscription(call), call.world
    ids, seconds = call.body.get("ackIds", ()), call.body.get("ackDeadlineSeconds", 0)
    leases.extend(world.pubsub, world.clock, subscription, ids, seconds)
    return {}


def set_policy(call: Call) -> Json:
    """Keep and return an access policy."""
    holder = _policy_holder(call)
    holder.policy = {**call.body.get("policy", {}), "etag": "ACAB", "version": 1}
    return holder.policy


def get_policy(call: Call) -> Json:
    """Return the access policy."""
    return {"etag": "ACAB", "version": 1, **_policy_holder(call).policy}


def test_permissions(call: Call) -> Json:
    """Return the permissions that were asked about: nobody has to show a token here."""
    _policy_holder(call)
    return {"permissions": call.body.get("permissions", [])}


def _policy_holder(call: Call) -> Topic | Subscription:
    name = call.path["resource"]
    found = call.world.pubsub.topics.get(name) or call.world.pubsub.subscriptions.get(name)
    if found is None:
        raise leases.missing(name)
    return found


def _received(subscription: Subscription, ack_id: str, delivery: Delivery) -> Json:
    message = {k: v for k, v in delivery.message.json().items() if "_" not in k}
    counted: Json = {}
    if subscription.resource.get("deadLetterPolicy"):
        counted = {"deliveryAttempt": delivery.attempts}
    return {"ackId": ack_id, "message": message, **counted}


def _topic(call: Call, name: str) -> Topic:
    found = call.world.pubsub.topics.get(name)
    if found is None:
        raise leases.missing(name)
    return found


def _subscription(call: Call, parameter: str = "subscription") -> Subscription:
    return leases.find(call.world.pubsub, call.path[parameter])


def _exists(kind: str, name: str) -> ApiError:
    resource = name.rpartition("/")[2]
    message = f"Resource already exists in the project (resource={resource})."
    return ApiError(409, message, "alreadyExists", extra={"kind": kind})


def _listed(name: str, items: list[Any]) -> Json:
    return {name: items} if items else {}


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
    f"{_TOPICS}testIamPermissions": test_permissions,
    f"{_TOPICS}subscriptions.list": list_topic_subscriptions,
    f"{_SUBSCRIPTIONS}create": create_subscription,
    f"{_SUBSCRIPTIONS}get": get_subscription,
    f"{_SUBSCRIPTIONS}list": list_subscriptions,
    f"{_SUBSCRIPTIONS}delete": delete_subscription,
    f"{_SUBSCRIPTIONS}patch": patch_subscription,
    f"{_SUBSCRIPTIONS}modifyPushConfig": modify_push_config,
    f"{_SUBSCRIPTIONS}pull": pull,
    f"{_SUBSCRIPTIONS}acknowledge": acknowledge,
    f"{_SUBSCRIPTIONS}modifyAckDeadline": modify_ack_deadline,
    f"{_SUBSCRIPTIONS}setIamPolicy": set_policy,
    f"{_SUBSCRIPTIONS}getIamPolicy": get_policy,
    f"{_SUBSCRIPTIONS}testIamPermissions": test_permissions,
}
OPERATIONS: Final = {name: Operation(run, needs_token=False) for name, run in _RUNS.items()}
