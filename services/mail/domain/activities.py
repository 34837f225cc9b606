"""Activities: one of each mail of a tenant, with a copy for every mailbox that has it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID, uuid5

from libs.common.addresses import fold_address
from libs.common.directory import EntityRef
from libs.common.events import mail as events
from libs.common.events.base import Origin
from services.mail.domain.links import LONGEST_SNIPPET, Facts, participants
from services.mail.domain.message import Content, Direction
from services.mail.domain.visibility import OPENNESS, Visibility, most_open

NAMESPACE = UUID("086433fd-6bf7-46f1-bf97-793ab4eae169")
"""Of the ids of activities: never to change, or mail that is here gets another."""
MOST_COPIES = 100
"""Named in an event; the API has them all."""


def activity_id(tenant_id: str, message_id: UUID, content: Content) -> UUID:
    """Return of which activity a message is a copy; what has no Message-ID is its own.

    The same mail in two mailboxes has the same Message-ID, sender and Date. The Message-ID alone
    is known to everybody who got the mail or an answer to it: with the sender in the key, nobody
    joins what somebody else wrote under a name of their own; with the Date, programs that use a
    Message-ID twice make two activities. Subjects are not in it: gateways put tags into them.
    """
    rfc822_id = (content.rfc822_message_id or "").strip().strip("<>").strip()
    if not rfc822_id or content.sender is None:
        return message_id
    date = "" if content.date is None else content.date.astimezone(UTC).isoformat()
    key = [tenant_id, rfc822_id, fold_address(content.sender.address), date]
    return uuid5(NAMESPACE, json.dumps(key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A message that is linked, in one mailbox."""

    facts: Facts
    connection_id: UUID
    user_id: str
    """Whose mailbox it is."""
    visibility: Visibility
    refs: tuple[EntityRef, ...]
    in_full: bool = True
    """Whoever it is read for may see its content; else `facts` have none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One mail that concerns entities, as its copies show it together."""

    id: UUID
    occurred_at: datetime
    copies: tuple[Copy, ...]
    """By message id, which is in the order they came; at least one."""

    @property
    def main(self) -> Copy:
        """Return the copy whose words are shown: the most open, a sent one, the first.

        What a colleague sent cannot be forged, so it goes before what arrived.
        """
        return min(
            self.copies,
            key=lambda one: (
                not one.in_full,
                OPENNESS.index(one.visibility),
                one.facts.direction is not Direction.OUTBOUND,
                one.facts.message_id,
            ),
        )

    @property
    def direction(self) -> Direction:
        """Return outbound if a colleague sent it."""
        sent = any(one.facts.direction is Direction.OUTBOUND for one in self.copies)
        return Direction.OUTBOUND if sent else Direction.INBOUND

    @property
    def created_by(self) -> str:
        """Return the user who sent it; of what nobody here sent, whose copy came first."""
        first = min(
            self.copies,
            key=lambda one: (
                one.facts.direction is not Direction.OUTBOUND,
                one.facts.message_id,
            ),
        )
        return first.user_id

    @property
    def refs(self) -> tuple[EntityRef, ...]:
        """Return all entities it concerns: a Bcc stands in the sender's copy alone."""
        return tuple(sorted({ref for one in self.copies for ref in one.refs}))

    @property
    def visibility(self) -> Visibility:
        """Return that of its most open copy."""
        return most_open([one.visibility for one in self.copies])


def by_message(copies: Sequence[Copy]) -> tuple[Copy, ...]:
    """Return copies in the order in which an activity has them."""
    return tuple(sorted(copies, key=lambda one: one.facts.message_id))


def without_content(copy: Copy) -> Copy:
    """Return what may still be said of a copy that is gone, or concerns nobody any more."""
    facts = replace(copy.facts, content=Content(), snippet="")
    return replace(copy, facts=facts, refs=())


def logged(activity: Activity, origin: Origin, *, ended: bool = False) -> events.ActivityLogged:
    """Return the event that says what an activity is now.

    Args:
        activity: all of it.
        origin: why it is told.
        ended: its one copy is what went last, without content: none is left.
    """
    main = activity.main
    return events.ActivityLogged(
        origin=origin,
        connection_id=main.connection_id,
        google_message_id=main.facts.google_id,
        activity=events.Activity(
            id=activity.id,
            title=main.facts.content.subject,
            snippet=main.facts.snippet[:LONGEST_SNIPPET],
            direction=activity.direction.value,
            entities=tuple(
                events.EntityReference(type=one.entity_type, id=one.entity_id)
                for one in activity.refs
            ),
            participants=participants(main.facts.content),
            occurred_at=activity.occurred_at,
            created_by=activity.created_by,
            copies=() if ended else tuple(_copy(one) for one in activity.copies[:MOST_COPIES]),
            visibility=activity.visibility.value,
        ),
    )


def _copy(one: Copy) -> events.ActivityCopy:
    return events.ActivityCopy(
        message_id=one.facts.message_id,
        connection_id=one.connection_id,
        user_id=one.user_id,
        google_message_id=one.facts.google_id,
        direction=one.facts.direction.value,
        visibility=one.visibility.value,
    )
