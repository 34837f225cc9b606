"""Telling of activities: what a transaction changes of them is gathered, and told once at its end.

Several mailboxes may commit copies of one mail at the same time. Each locks its messages first,
in the order of Google's ids, and then, in one statement, the activities in the order of theirs:
nobody waits for a message while it holds an activity. Whoever comes second sees the first's copy.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.directory import EntityRef
from libs.common.events.base import Origin
from libs.common.events.envelope import Envelope
from services.mail.domain.activities import Activity, Copy, by_message, logged, without_content
from services.mail.domain.connection import Connection
from services.mail.domain.links import Facts
from services.mail.store import activities as store
from services.mail.store.activities import Link, Numbered


@dataclass(slots=True)
class _Touched:
    """What this transaction does to one activity."""

    time: datetime
    added: list[Copy] = field(default_factory=list)
    changed: Copy | None = None


class Activities:
    """What one transaction does to activities, which are told as they are at its end.

    Args:
        conn: the transaction.
        connection: whose copies come, change or go.
        origin: why they do.
    """

    def __init__(self, conn: Conn, connection: Connection, *, origin: Origin) -> None:
        self._conn = conn
        self._connection = connection
        self._origin = origin
        self._touched: dict[UUID, _Touched] = {}
        self._links: list[Link] = []

    def add(self, copy: Copy) -> None:
        """Link a message, which is stored as a copy, to the entities it has in `refs`."""
        activity_id, message_id = _id(copy.facts), copy.facts.message_id
        self._touch(activity_id, copy.facts.occurred_at).added.append(copy)
        self._links += [Link(ref, message_id, activity_id) for ref in copy.refs]

    def change(self, copy: Copy, *, time: datetime) -> None:
        """Tell anew of an activity one copy of which has lost links, or is gone."""
        self._touch(_id(copy.facts), time).changed = copy

    async def tell(self) -> list[Envelope]:
        """Write the links and return the events; afterwards no message may be locked."""
        if not self._touched:
            return []
        dates = {name: _date(one) for name, one in self._touched.items()}
        tenant_id, connection_id = self._connection.tenant_id, self._connection.id
        numbers = await store.number_activities(
            self._conn, tenant_id, connection_id, dates, self._links
        )
        older = [name for name, one in numbers.items() if not one.is_new]
        # One that is told for the first time has no copy but those of this transaction.
        held = await store.list_copies(self._conn, tenant_id, older) if older else {}
        return [
            self._event(name, one, numbers[name], held.get(name, ()))
            for name, one in self._touched.items()
        ]

    def _event(
        self, name: UUID, touched: _Touched, number: Numbered, held: Sequence[Copy]
    ) -> Envelope:
        added = [replace(one, visibility=number.visibility) for one in touched.added]
        copies = by_message(added if number.is_new else held)
        gone = () if touched.changed is None else (without_content(touched.changed),)
        activity = Activity(id=name, occurred_at=number.occurred_at, copies=copies or gone)
        return Envelope.of(
            logged(activity, self._origin, ended=not copies),
            tenant_id=self._connection.tenant_id,
            aggregate_id=str(name),
            sequence=number.sequence,
            time=touched.time,
        )

    def _touch(self, name: UUID, time: datetime) -> _Touched:
        touched = self._touched.setdefault(name, _Touched(time))
        touched.time = max(touched.time, time)
        return touched


def copy_of(connection: Connection, facts: Facts, refs: tuple[EntityRef, ...] = ()) -> Copy:
    """Return a message of a mailbox as the copy it is."""
    return Copy(
        facts=facts,
        connection_id=connection.id,
        user_id=connection.user_id,
        visibility=connection.visibility,
        refs=refs,
    )


def _id(facts: Facts) -> UUID:
    return facts.message_id if facts.activity_id is None else facts.activity_id


def _date(touched: _Touched) -> datetime:
    some = touched.added if touched.changed is None else [*touched.added, touched.changed]
    return min(one.facts.occurred_at for one in some)
