"""Deciding what writes of contacts do: as contacts and people stand when they are carried."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.feeds import Feed
from libs.common.feeds.holds import HoldState, needs_hold, newest_hold, open_hold
from libs.common.feeds.store import list_feeds
from libs.common.writes import Write
from services.contacts.domain.connection import Connection
from services.contacts.domain.contact import Contact
from services.contacts.domain.person import Known
from services.contacts.domain.preferences import CrmDeletes
from services.contacts.domain.pushing import Op, op_for
from services.contacts.google import bodies
from services.contacts.store import contacts, match_conflicts, people
from services.contacts.store.groups import groups_of_contacts
from services.contacts.sync.feeds import WRITE
from services.contacts.sync.outward.pushes import contact_id_of, person_in
from services.contacts.sync.outward.queueing import HELD

WAVE: Final = timedelta(hours=1)
"""Deletions within it are one wave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A write, and what it is to do now."""

    write: Write
    op: Op
    contact: Contact | None
    known: Known | None
    """The person that the contact is; None: there is none yet."""
    body: bodies.Json | None = None
    """Of a creation."""
    change: bodies.Change | None = None
    """Of an update; one without a mask says that there is nothing that could be written."""

    @property
    def resource(self) -> str:
        """Return the person that an update or a deletion is of."""
        if self.known is None:
            raise LookupError("nobody is known")
        return self.known.resource

    @property
    def written(self) -> bodies.Change:
        """Return what an update writes."""
        return self.change or bodies.Change({}, ())

    @property
    def is_agreed(self) -> bool:
        """Say whether both sides say the same, in their own ways."""
        return self.op is Op.UPDATE and not self.written.mask


async def plan(conn: Conn, connection: Connection, writes: Sequence[Write]) -> list[Step]:
    """Return what writes are to do now, in their order; the caller has the tenant's lock."""
    ids = [contact_id_of(one.item) for one in writes]
    found = await contacts.find_contacts(conn, connection.tenant_id, ids)
    known = await people.list_of_contacts(conn, connection.tenant_id, ids)
    groups = await groups_of_contacts(conn, connection.tenant_id, ids)
    asked = await match_conflicts.list_asked(conn, connection.tenant_id, connection.id, ids)
    steps = [
        _step(connection, write, found.get(one), person_in(connection, known[one]), groups[one])
        for write, one in zip(writes, ids, strict=True)
    ]
    return [
        # Whoever may be there already is not added before somebody has said who they are.
        replace(step, op=Op.NOTHING) if step.op is Op.CREATE and one in asked else step
        for step, one in zip(steps, ids, strict=True)
    ]


def _step(
    connection: Connection,
    write: Write,
    contact: Contact | None,
    known: Known | None,
    groups: frozenset[UUID],
) -> Step:
    op = Op.NOTHING
    if contact is not None:
        wanted = bool(write.desired.get("wanted"))
        op = op_for(connection, contact, known, groups, wanted=wanted)
    body = change = None
    if contact is not None and op is Op.CREATE:
        body = bodies.creation(contact.card, str(contact.id))
    if contact is not None and known is not None and op is Op.UPDATE:
        change = bodies.change(contact.card, known.base, known.items, known.etag, str(contact.id))
    return Step(
        write=write,
        op=op,
        contact=contact,
        known=known,
        body=body,
        change=change,
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether people may be deleted."""

    go: Sequence[Step] = ()
    wait: Sequence[Step] = ()
    """A person has to say whether they may."""
    stay: Sequence[Step] = ()
    """A person said that they may not: they stay, and are nobody's contact."""


async def judge(
    conn: Conn, connection: Connection, steps: Sequence[Step], *, now: datetime
) -> Verdict:
    """Return which deletions may happen: many within an hour only if a person says so."""
    feed = await _feed(conn, connection)
    if not steps or feed is None:
        return Verdict(go=steps)
    hold = await newest_hold(conn, feed, kind=HELD, subject="")
    since = now - WAVE
    if hold is not None and hold.decided_at is not None:
        since = max(since, hold.decided_at)
    where = connection.tenant_id, connection.id
    affected = await people.count_going(
        conn,
        *where,
        whoever_made_them=connection.preferences.crm_deletes is CrmDeletes.ALL,
        since=since,
    )
    if any(one.write.reason == HELD for one in steps) and hold and hold.affected >= affected:
        if hold.state is HoldState.APPROVED:
            return Verdict(go=steps)
        if hold.state is HoldState.REJECTED:
            return Verdict(stay=steps)
    total = await people.count_people(conn, *where)
    if not needs_hold(affected, total):
        return Verdict(go=steps)
    await open_hold(conn, feed, kind=HELD, subject="", affected=affected, total=total, now=now)
    return Verdict(wait=steps)


async def _feed(conn: Conn, connection: Connection) -> Feed | None:
    feeds = await list_feeds(conn, connection.tenant_id, [connection.id])
    return next((one for one in feeds if one.kind == WRITE), None)
