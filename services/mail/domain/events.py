"""What the service tells others of messages: the events, made of the domain's values."""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from libs.common.events import mail as events
from libs.common.events.base import Origin
from libs.common.events.envelope import Envelope
from libs.common.feeds import Feed, telling
from libs.common.feeds.compare import Standing
from services.mail.domain.connection import Connection
from services.mail.domain.history import Relabelled
from services.mail.domain.keeping import Verdict
from services.mail.domain.message import Direction, Fetched, Keep, Known, Person, direction
from services.mail.domain.sending.outgoing import Outgoing, OutgoingState
from services.mail.domain.suggesting import Correspondent


class Identity(Protocol):
    """Which message it is."""

    @property
    def id(self) -> UUID:
        """Return ours."""

    @property
    def google_id(self) -> str:
        """Return Google's."""

    @property
    def thread_id(self) -> str:
        """Return its thread's."""

    @property
    def internal_date(self) -> datetime:
        """Return when Google accepted it."""


MOST_PEOPLE = 100
"""Recipients named in an event; the API has them all."""


def arrived(
    connection: Connection,
    message_id: UUID,
    message: Fetched,
    origin: Origin,
    *,
    send_id: UUID | None = None,
) -> events.MessageReceived | events.MessageSent:
    """Return the event of a message that is new to us; `send_id` of one that we have sent."""
    content, way = message.content, direction(message.labels)
    kind = events.MessageSent if way is Direction.OUTBOUND else events.MessageReceived
    more = {} if send_id is None else {"send_id": send_id}
    return kind(
        **more,
        origin=origin,
        message_id=message_id,
        connection_id=connection.id,
        user_id=connection.user_id,
        google_message_id=message.google_id,
        thread_id=message.thread_id,
        occurred_at=message.internal_date,
        direction=way.value,
        from_=None if content.sender is None else _address(content.sender),
        to=_addresses(content.to),
        cc=_addresses(content.cc),
        subject=content.subject,
        rfc822_message_id=content.rfc822_message_id,
        in_reply_to=content.in_reply_to,
        labels=tuple(sorted(message.labels)),
        has_attachments=any(not one.inline for one in content.attachments),
    )


def updated(
    connection: Connection, known: Known, change: Relabelled, origin: Origin
) -> events.MessageUpdated:
    """Return the event of labels that changed."""
    return events.MessageUpdated(
        origin=origin,
        message_id=known.id,
        connection_id=connection.id,
        user_id=connection.user_id,
        google_message_id=known.google_id,
        thread_id=known.thread_id,
        occurred_at=known.internal_date,
        labels=tuple(sorted(change.labels)),
        labels_added=tuple(sorted(change.added)),
        labels_removed=tuple(sorted(change.removed)),
    )


def deleted(connection: Connection, known: Known, origin: Origin) -> events.MessageDeleted:
    """Return the event of a message that is gone for good."""
    return events.MessageDeleted(
        origin=origin,
        message_id=known.id,
        connection_id=connection.id,
        user_id=connection.user_id,
        google_message_id=known.google_id,
        thread_id=known.thread_id,
        occurred_at=known.internal_date,
    )


def not_sent(
    connection: Connection,
    outgoing: Outgoing,
    became: OutgoingState,
    reason: str,
    *,
    sequence: int,
    now: datetime,
) -> Envelope:
    """Return the event of an outgoing message that failed, or whose fate is unknown."""
    is_unknown = became is OutgoingState.UNKNOWN
    kind: type[events.SendFailed | events.SendUnsettled] = (
        events.SendUnsettled if is_unknown else events.SendFailed
    )
    event = kind(
        origin=Origin.CRM,
        send_id=outgoing.id,
        connection_id=connection.id,
        user_id=connection.user_id,
        reason=reason,
    )
    return Envelope.of(
        event,
        tenant_id=outgoing.tenant_id,
        aggregate_id=str(outgoing.id),
        sequence=sequence,
        time=now,
    )


def redacted(
    connection: Connection, held: Identity, verdict: Verdict, origin: Origin
) -> events.MessageRedacted:
    """Return the event of a message of which less is kept; the verdict has its reason."""
    return events.MessageRedacted.model_validate(
        {
            "origin": origin,
            "message_id": held.id,
            "connection_id": connection.id,
            "user_id": connection.user_id,
            "google_message_id": held.google_id,
            "thread_id": held.thread_id,
            "occurred_at": held.internal_date,
            "what": "reduced" if verdict.keep > Keep.TRACE else "removed",
            "kept": verdict.keep.name.lower(),
            "reason": verdict.reason,
        }
    )


def suggested(
    connection: Connection,
    one: Correspondent,
    *,
    suggestion_id: UUID,
    message_id: UUID | None,
    occurred_at: datetime,
    origin: Origin,
) -> events.ContactSuggested:
    """Return the event of somebody who may be worth a contact."""
    return events.ContactSuggested(
        origin=origin,
        suggestion_id=suggestion_id,
        connection_id=connection.id,
        user_id=connection.user_id,
        address=one.address,
        name=one.name,
        direction=one.direction.value,
        message_id=message_id,
        occurred_at=occurred_at,
    )


def resynced(
    feed: Feed, connection: Connection, standing: Standing, *, sequence: int, now: datetime
) -> Envelope:
    """Return the event of a comparison that has ended, with what it found."""
    reason = standing.plan.reason
    event = events.FeedResynced(
        origin=Origin.REPAIR,
        feed_id=feed.id,
        connection_id=connection.id,
        user_id=connection.user_id,
        reason=reason.value,
        started_at=standing.plan.started_at,
        finished_at=now,
        counts=events.ResyncCounts(**standing.counts),
    )
    return Envelope.of(
        event, tenant_id=feed.tenant_id, aggregate_id=str(feed.id), sequence=sequence, time=now
    )


def changed_feed(
    feed: Feed, *, before: Feed, connection: Connection, now: datetime
) -> Envelope | None:
    """Return the event of a feed that fell into trouble or is out of it; None of other changes."""
    return telling.changed_feed(
        feed,
        before=before,
        user_id=connection.user_id,
        now=now,
        degraded=events.FeedDegraded,
        recovered=events.FeedRecovered,
    )


def _address(person: Person) -> events.Address:
    return events.Address(address=person.address, name=person.name)


def _addresses(people: tuple[Person, ...]) -> tuple[events.Address, ...]:
    return tuple(_address(one) for one in people[:MOST_PEOPLE])
