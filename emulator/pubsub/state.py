"""Topics, subscriptions and their backlogs."""

import asyncio
import base64
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from emulator.clock import Clock, rfc3339
from emulator.pubsub import retrying
from emulator.pubsub.switches import PushSwitches

Json = dict[str, Any]

DEFAULT_ACK_DEADLINE_S = 10
DEFAULT_RETENTION_S = 7 * 86_400
_REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class PubsubMessage:
    """One published message."""

    id: str
    data: bytes
    attributes: Mapping[str, str]
    published_s: float
    ordering_key: str = ""

    def json(self) -> Json:
        """Return it as push bodies carry it, in both spellings."""
        published = rfc3339(self.published_s)
        result: Json = {
            "data": base64.b64encode(self.data).decode(),
            "messageId": self.id,
            "message_id": self.id,
            "publishTime": published,
            "publish_time": published,
        }
        if self.attributes:
            result["attributes"] = dict(self.attributes)
        if self.ordering_key:
            result["orderingKey"] = self.ordering_key
        return result


@dataclass(slots=True)
class Topic:
    """A topic: its resource as the API shows it, and who may publish."""

    name: str
    resource: Json
    policy: Json = field(default_factory=dict)

    def may_publish(self, member: str) -> bool:
        """Return whether the policy lets `member` publish."""
        return any(
            binding.get("role") == "roles/pubsub.publisher" and member in binding.get("members", ())
            for binding in self.policy.get("bindings", ())
        )


@dataclass(slots=True)
class Delivery:
    """A message on its way to one subscription; it is not pulled before `ready_s`."""

    message: PubsubMessage
    attempts: int = 0
    ready_s: float = 0.0


@dataclass(slots=True)
class Subscription:
    """A subscription and what it has not yet acknowledged."""

    name: str
    topic: str
    resource: Json
    backlog: deque[Delivery] = field(default_factory=deque)
    leased: dict[str, tuple[Delivery, float]] = field(default_factory=dict)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    policy: Json = field(default_factory=dict)
    held: list[Delivery] = field(default_factory=list)
    later: list[Delivery] = field(default_factory=list)

    @property
    def push(self) -> Json:
        """Return the push configuration; empty for a pull subscription."""
        config: Json = self.resource.get("pushConfig", {})
        return config

    @property
    def ack_deadline_s(self) -> int:
        """Return the seconds a push request may take."""
        return int(self.resource.get("ackDeadlineSeconds") or DEFAULT_ACK_DEADLINE_S)

    @property
    def retention_s(self) -> float:
        """Return how long an unacknowledged message is kept."""
        text = str(self.resource.get("messageRetentionDuration", f"{DEFAULT_RETENTION_S}s"))
        return float(text.removesuffix("s"))

    def offer(self, delivery: Delivery) -> None:
        """Put a message at the end of the backlog."""
        self.backlog.append(delivery)
        self.arrived.set()

    def release(self) -> None:
        """Put what was held back in front of the backlog again, in its old order."""
        if self.held:
            self.backlog.extendleft(reversed(self.held))
            self.held.clear()
            self.arrived.set()

    def ripen(self, now_s: float) -> None:
        """Put what had to wait for another attempt into the backlog."""
        ripe = [delivery for delivery in self.later if delivery.ready_s <= now_s]
        for delivery in ripe:
            self.later.remove(delivery)
            self.offer(delivery)

    def take(self, now_s: float) -> Delivery | None:
        """Return the next message that is young enough, or None."""
        found = None
        while self.backlog and found is None:
            delivery = self.backlog.popleft()
            if delivery.message.published_s >= now_s - self.retention_s:
                found = delivery
        if not self.backlog:
            self.arrived.clear()
        return found


class PubSub:
    """All topics and subscriptions; `opened` and `closed` tell the pusher of subscriptions."""

    def __init__(self, clock: Clock) -> None:
        self.topics: dict[str, Topic] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self.switches = PushSwitches()
        self.log: deque[Json] = deque(maxlen=_REMEMBERED)
        self.opened: Callable[[Subscription], None] = _ignore
        self.closed: Callable[[Subscription], None] = _ignore
        self._clock = clock
        self._next_id = 10**16 + secrets.randbelow(10**15)

    def add_topic(self, name: str, resource: Json | None = None) -> Topic:
        """Create a topic and return it."""
        topic = Topic(name, {**(resource or {}), "name": name, "state": "ACTIVE"})
        self.topics[name] = topic
        return topic

    def publish(
        self, topic: str, data: bytes, attributes: Mapping[str, str] | None = None, *, key: str = ""
    ) -> str:
        """Hand a message to every subscription of the topic and return its id."""
        self._next_id += 1 + secrets.randbelow(1000)
        message = PubsubMessage(
            str(self._next_id), data, attributes or {}, self._clock.now_s(), key
        )
        for subscription in self.subscriptions.values():
            if subscription.topic == topic:
                subscription.offer(Delivery(message))
        return message.id

    def give_back(self, subscription: Subscription, delivery: Delivery) -> None:
        """Deliver it again, at once or as the retry policy says, or make it a dead letter."""
        if retrying.is_exhausted(subscription.resource, delivery.attempts) and self._bury(
            subscription, delivery
        ):
            return
        pause_s = 0.0 if subscription.push else self._pause_s(subscription, delivery)
        if pause_s:
            delivery.ready_s = self._clock.now_s() + pause_s
            subscription.later.append(delivery)
        else:
            subscription.offer(delivery)

    def note(self, subscription: Subscription, delivery: Delivery, outcome: int | str) -> Json:
        """Remember what became of a delivery; return the entry."""
        entry: Json = {
            "subscription": subscription.name,
            "messageId": delivery.message.id,
            "attempt": delivery.attempts,
            "outcome": outcome,
            "at_ms": self._clock.now_ms(),
        }
        self.log.append(entry)
        return entry

    @staticmethod
    def _pause_s(subscription: Subscription, delivery: Delivery) -> float:
        return retrying.pause_s(subscription.resource, delivery.attempts)

    def _bury(self, subscription: Subscription, delivery: Delivery) -> bool:
        """Forward to the dead-letter topic; without the agent's two grants nothing is forwarded."""
        topic = self.topics.get(subscription.resource["deadLetterPolicy"]["deadLetterTopic"])
        if (
            topic is None
            or not retrying.has_agent(topic.policy, "roles/pubsub.publisher")
            or not retrying.has_agent(subscription.policy, "roles/pubsub.subscriber")
        ):
            return False
        project, _, name = subscription.name.partition("/subscriptions/")
        message = delivery.message
        attributes = {
            **message.attributes,
            "CloudPubSubDeadLetterSourceDeliveryCount": str(delivery.attempts),
            "CloudPubSubDeadLetterSourceSubscription": name,
            "CloudPubSubDeadLetterSourceSubscriptionProject": project.removeprefix("projects/"),
            "CloudPubSubDeadLetterSourceTopicPublishTime": rfc3339(message.published_s),
        }
        self.publish(topic.name, message.data, attributes, key=message.ordering_key)
        self.note(subscription, delivery, "dead-lettered")
        return True

    def add_subscription(self, subscription: Subscription) -> None:
        """Keep a subscription and start to serve it."""
        self.subscriptions[subscription.name] = subscription
        self.opened(subscription)

    def remove_subscription(self, name: str) -> None:
        """Forget a subscription with its backlog."""
        self.closed(self.subscriptions.pop(name))


def _ignore(_subscription: Subscription) -> None:
    """Serve nobody: the pusher has not been started."""
