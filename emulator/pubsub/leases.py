"""Pulling: messages are leased, and come again unless they are acknowledged in time."""

import secrets
from collections.abc import Iterable
from typing import Final

from emulator.clock import Clock
from emulator.errors import ApiError, failed_precondition, invalid_argument
from emulator.pubsub.state import Delivery, PubSub, Subscription

LONGEST_LEASE_S: Final = 600
MOST_MESSAGES: Final = 1000
_NOT_PULLED: Final = "This method is not supported for this subscription type."

Leased = tuple[str, Delivery]
"""An acknowledgement id, and what it acknowledges."""


def lease(
    pubsub: PubSub,
    clock: Clock,
    subscription: Subscription,
    *,
    most: int,
    deadline_s: float | None = None,
) -> list[Leased]:
    """Return up to `most` messages, leased for `deadline_s` or as the subscription says.

    Raises:
        ApiError: 400; the subscription is a push subscription, or `most` is not positive.
    """
    if most < 1:
        raise invalid_argument("maxMessages must be at least 1.")
    refuse_push(subscription)
    now_s = clock.now_s()
    expire(pubsub, subscription, now_s)
    subscription.ripen(now_s)
    if pubsub.switches.paused:
        return []
    until_s = now_s + (deadline_s or subscription.ack_deadline_s)
    found: list[Leased] = []
    while len(found) < min(most, MOST_MESSAGES):
        taken = subscription.take(now_s)
        if taken is None:
            break
        if not _is_dropped(pubsub, subscription, taken):
            taken.attempts += 1
            ack_id = secrets.token_urlsafe(32)
            subscription.leased[ack_id] = (taken, until_s)
            found.append((ack_id, taken))
    return found


def refuse_push(subscription: Subscription) -> None:
    """Raise a 400 for a subscription whose messages are pushed."""
    if subscription.push.get("pushEndpoint"):
        raise failed_precondition(_NOT_PULLED)


def expire(pubsub: PubSub, subscription: Subscription, now_s: float) -> None:
    """Take back what was not acknowledged in time."""
    over = [ack_id for ack_id, (_, until) in subscription.leased.items() if until <= now_s]
    for ack_id in over:
        delivery, _ = subscription.leased.pop(ack_id)
        pubsub.note(subscription, delivery, "expired")
        pubsub.give_back(subscription, delivery)


def acknowledge(pubsub: PubSub, subscription: Subscription, ack_ids: Iterable[str]) -> None:
    """Drop leased messages; an id whose lease is over changes nothing."""
    for ack_id in ack_ids:
        delivery, _ = subscription.leased.pop(ack_id, (None, 0.0))
        if delivery is not None:
            pubsub.note(subscription, delivery, "acked")


def extend(
    pubsub: PubSub, clock: Clock, subscription: Subscription, ack_ids: Iterable[str], seconds: int
) -> None:
    """Move the end of leases to `seconds` from now; 0 gives the messages back at once.

    Raises:
        ApiError: 400; `seconds` is not 0 to 600.
    """
    if not 0 <= seconds <= LONGEST_LEASE_S:
        raise invalid_argument(f"Invalid ack deadline given: {seconds}. It must be 0 to 600.")
    for ack_id in ack_ids:
        delivery, _ = subscription.leased.pop(ack_id, (None, 0.0))
        if delivery is None:
            continue
        if seconds:
            subscription.leased[ack_id] = (delivery, clock.now_s() + seconds)
        else:
            pubsub.note(subscription, delivery, "returned")
            pubsub.give_back(subscription, delivery)


def find(pubsub: PubSub, name: str) -> Subscription:
    """Return the subscription, or raise a 404."""
    found = pubsub.subscriptions.get(name)
    if found is None:
        raise missing(name)
    return found


def missing(name: str) -> ApiError:
    """Return the 404 for a topic or a subscription."""
    resource = name.rpartition("/")[2]
    return ApiError(404, f"Resource not found (resource={resource}).", "notFound")


def _is_dropped(pubsub: PubSub, subscription: Subscription, delivery: Delivery) -> bool:
    """Do what the switches want with a delivery: lose it, or have it come twice."""
    switches = pubsub.switches
    if switches.drop > 0:
        switches.drop -= 1
        pubsub.note(subscription, delivery, "dropped")
        return True
    if switches.duplicate > 0:
        switches.duplicate -= 1
        subscription.offer(Delivery(delivery.message))
    return False
