"""The unary calls that REST has too: the same operations on the same state, in protobuf."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from google.iam.v1 import iam_policy_pb2, policy_pb2
from google.protobuf import empty_pb2, json_format
from google.protobuf.message import Message
from google.pubsub_v1.types import pubsub

from emulator.pubsub import api
from emulator.rest.call import Call
from emulator.rest.dispatch import check
from emulator.rest.methods import MethodTable
from emulator.world import World

Json = dict[str, Any]
Unary = Callable[[Message], Awaitable[Message]]

PUBLISHER: Final = "google.pubsub.v1.Publisher"
SUBSCRIBER: Final = "google.pubsub.v1.Subscriber"
IAM: Final = "google.iam.v1.IAMPolicy"
_TOPICS: Final = "pubsub.projects.topics."
_SUBSCRIPTIONS: Final = "pubsub.projects.subscriptions."


@dataclass(frozen=True, slots=True)
class Rpc:
    """One call: which operation of REST does it, and its two messages.

    Attributes:
        operation: the id of the REST method.
        named_by: the field of the request that REST has in the path, by its name there.
        request: the class of the request.
        answer: the class of the answer.
    """

    operation: str
    named_by: str
    request: type[Message]
    answer: type[Message]


def _pb(wrapper: Any) -> type[Message]:
    """Return the plain protobuf class behind one of Google's wrappers."""
    found: type[Message] = wrapper.meta.pb
    return found


_TOPIC: Final = _pb(pubsub.Topic)
_SUBSCRIPTION: Final = _pb(pubsub.Subscription)
_EMPTY: Final = empty_pb2.Empty
RPCS: Final[dict[tuple[str, str], Rpc]] = {
    (PUBLISHER, "CreateTopic"): Rpc(f"{_TOPICS}create", "name", _TOPIC, _TOPIC),
    (PUBLISHER, "GetTopic"): Rpc(f"{_TOPICS}get", "topic", _pb(pubsub.GetTopicRequest), _TOPIC),
    (PUBLISHER, "ListTopics"): Rpc(
        f"{_TOPICS}list",
        "project",
        _pb(pubsub.ListTopicsRequest),
        _pb(pubsub.ListTopicsResponse),
    ),
    (PUBLISHER, "ListTopicSubscriptions"): Rpc(
        f"{_TOPICS}subscriptions.list",
        "topic",
        _pb(pubsub.ListTopicSubscriptionsRequest),
        _pb(pubsub.ListTopicSubscriptionsResponse),
    ),
    (PUBLISHER, "DeleteTopic"): Rpc(
        f"{_TOPICS}delete", "topic", _pb(pubsub.DeleteTopicRequest), _EMPTY
    ),
    (PUBLISHER, "Publish"): Rpc(
        f"{_TOPICS}publish", "topic", _pb(pubsub.PublishRequest), _pb(pubsub.PublishResponse)
    ),
    (SUBSCRIBER, "CreateSubscription"): Rpc(
        f"{_SUBSCRIPTIONS}create", "name", _SUBSCRIPTION, _SUBSCRIPTION
    ),
    (SUBSCRIBER, "GetSubscription"): Rpc(
        f"{_SUBSCRIPTIONS}get", "subscription", _pb(pubsub.GetSubscriptionRequest), _SUBSCRIPTION
    ),
    (SUBSCRIBER, "ListSubscriptions"): Rpc(
        f"{_SUBSCRIPTIONS}list",
        "project",
        _pb(pubsub.ListSubscriptionsRequest),
        _pb(pubsub.ListSubscriptionsResponse),
    ),
    (SUBSCRIBER, "UpdateSubscription"): Rpc(
        f"{_SUBSCRIPTIONS}patch", "name", _pb(pubsub.UpdateSubscriptionRequest), _SUBSCRIPTION
    ),
    (SUBSCRIBER, "DeleteSubscription"): Rpc(
        f"{_SUBSCRIPTIONS}delete",
        "subscription",
        _pb(pubsub.DeleteSubscriptionRequest),
        _EMPTY,
    ),
    (SUBSCRIBER, "ModifyPushConfig"): Rpc(
        f"{_SUBSCRIPTIONS}modifyPushConfig",
        "subscription",
        _pb(pubsub.ModifyPushConfigRequest),
        _EMPTY,
    ),
    (SUBSCRIBER, "Acknowledge"): Rpc(
        f"{_SUBSCRIPTIONS}acknowledge", "subscription", _pb(pubsub.AcknowledgeRequest), _EMPTY
    ),
    (SUBSCRIBER, "ModifyAckDeadline"): Rpc(
        f"{_SUBSCRIPTIONS}modifyAckDeadline",
        "subscription",
        _pb(pubsub.ModifyAckDeadlineRequest),
        _EMPTY,
    ),
    (IAM, "SetIamPolicy"): Rpc(
        f"{_TOPICS}setIamPolicy",
        "resource",
        iam_policy_pb2.SetIamPolicyRequest,
        policy_pb2.Policy,
    ),
    (IAM, "GetIamPolicy"): Rpc(
        f"{_TOPICS}getIamPolicy",
        "resource",
        iam_policy_pb2.GetIamPolicyRequest,
        policy_pb2.Policy,
    ),
    (IAM, "TestIamPermissions"): Rpc(
        f"{_TOPICS}testIamPermissions",
        "resource",
        iam_policy_pb2.TestIamPermissionsRequest,
        iam_policy_pb2.TestIamPermissionsResponse,
    ),
}
"""The policies of topics and subscriptions are kept alike: either operation finds both."""


def unary(world: World, table: MethodTable, rpc: Rpc) -> Unary:
    """Return the handler of one call; it raises ApiError as REST does."""
    method, operation = table.by_id[rpc.operation], api.OPERATIONS[rpc.operation]

    async def handle(request: Message) -> Message:
        body: Json = json_format.MessageToDict(request)
        holder = body.get("subscription") if rpc.named_by == "name" else None
        named = holder if isinstance(holder, dict) else body
        call = Call(
            world=world,
            method=method,
            path={rpc.named_by: str(named.get(rpc.named_by, ""))},
            query={},
            body=body,
            media=None,
            token=None,
        )
        value = operation.run(call)
        if value is not None and world.switches.check_answers:
            check(method, value)
        return json_format.ParseDict(value or {}, rpc.answer())

    return handle
