"""Looking at all contacts of a connection for what has to be written, a chunk at a time.

That is done when somebody says yes to the first writing, when what is wanted changes, and when
somebody asks for it; and, counting only, when somebody wants to know what would be written.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from libs.common import jobs
from libs.common.db import Connection as Conn
from libs.common.db import Pool, transaction
from libs.common.feeds import Lease
from libs.common.jobs import JobState
from services.contacts.domain.connection import Connection
from services.contacts.domain.contact import Contact
from services.contacts.domain.pushing import Op, needs_write, op_for
from services.contacts.store import connections, label_writes, labels, people
from services.contacts.store import groups as groups_store
from services.contacts.store import push_work as store
from services.contacts.store.push_work import PushWork
from services.contacts.sync.changing.turn import Turn
from services.contacts.sync.feeds import wake, work_address
from services.contacts.sync.outward.group_pushes import label_differs, label_in, queue_group_pushes
from services.contacts.sync.outward.pushes import PERSON, person_in
from services.contacts.sync.outward.queueing import queue_step

CHUNK: Final = 200
"""As many as one batch has: so what is queued together goes out together."""
DRY_RUN: Final = "contacts.dry_run"
"""The kind of job that counts."""
NAMES: Final = {Op.CREATE: "created", Op.UPDATE: "updated", Op.DELETE: "deleted"}


async def look_over(
    conn: Conn,
    connection: Connection,
    *,
    now: datetime,
    forced: bool = False,
    group_id: UUID | None = None,
    dry: bool = False,
) -> None:
    """Let a connection's contacts be looked over.

    Args:
        conn: inside a transaction that has locked no row of feeds yet.
        connection: whose address book.
        now: the present moment.
        forced: ask Google for each how it is, also where nothing seems to differ.
        group_id: only members of this group; None: all.
        dry: only count what would be written.
    """
    await store.put_work(
        conn, connection.tenant_id, connection.id, forced=forced, group_id=group_id, dry=dry
    )
    await wake(conn, work_address(connection.id), now=now)


class LookingOver:
    """Does that, some contacts in each transaction."""

    def __init__(self, pool: Pool, *, chunk: int = CHUNK, now: Callable[[], datetime]) -> None:
        """Look at `chunk` contacts at a time."""
        self._pool = pool
        self._chunk = chunk
        self._now = now

    async def step(self, lease: Lease, connection: Connection) -> bool:
        """Look at the next ones; False: there is nothing to do.

        Raises:
            LeaseLost: another worker has the feed.
        """
        where = connection.tenant_id, connection.id
        async with transaction(self._pool) as conn:
            turn = await Turn.begin(conn, connection.tenant_id, now=self._now())
            now_is = await connections.lock_connection(conn, *where)
            work = await store.lock_work(conn, *where)
            if work is None or now_is is None:
                return False
            found: list[Contact] = []
            if work.dry or now_is.may_write:
                found = await store.list_chunk(
                    conn, *where, after=work.place, group_id=work.group_id, limit=self._chunk
                )
            is_last = len(found) < self._chunk
            counts = Counter(work.counts)
            if work.dry:
                counts += await _count(conn, now_is, found)
            else:
                await self._queue(conn, now_is, work, found)
            if is_last:
                counts += await self._end(conn, now_is, work)
            place = None if is_last else found[-1].id
            await store.move_work(conn, *where, dry=work.dry, place=place, counts=counts)
            if is_last and work.dry:
                await jobs.finish_jobs(
                    conn,
                    lease.feed,
                    kind=DRY_RUN,
                    state=JobState.DONE,
                    facts=_facts(counts),
                    now=turn.now,
                )
            # Last of all: the writing feed's signal goes before this one's row.
            await lease.advance(conn, cursor=lease.cursor or "")
        return True

    async def _queue(
        self, conn: Conn, connection: Connection, work: PushWork, found: Sequence[Contact]
    ) -> None:
        """Queue what differs, and with `forced` whoever is in the address book, too."""
        now, ids = self._now(), [one.id for one in found]
        known = await people.list_of_contacts(conn, connection.tenant_id, ids)
        groups = await groups_store.groups_of_contacts(conn, connection.tenant_id, ids)
        differing, others = list[UUID](), list[UUID]()
        for one in found:
            person = person_in(connection, known[one.id])
            if needs_write(connection, one, person, groups[one.id]):
                differing.append(one.id)
            elif person is not None and person.is_live and one.is_live:
                others.append(one.id)
        if not work.forced:
            await queue_step(conn, connection, PERSON, differing, now=now)
            return
        await queue_step(conn, connection, PERSON, [*differing, *others], now=now, forced=True)

    async def _end(self, conn: Conn, connection: Connection, work: PushWork) -> Counter[str]:
        """Look at groups, when all contacts are done."""
        ids = await label_writes.list_concerning(
            conn, connection.tenant_id, connection.id, user_id=connection.user_id
        )
        wanted = [one for one in ids if work.group_id in (None, one)]
        if work.dry:
            return await _count_groups(conn, connection, wanted)
        await queue_group_pushes(
            conn, connection.tenant_id, wanted, now=self._now(), only=connection
        )
        return Counter()


async def _count(conn: Conn, connection: Connection, found: Sequence[Contact]) -> Counter[str]:
    """Return what would be written of contacts."""
    ids = [one.id for one in found]
    known = await people.list_of_contacts(conn, connection.tenant_id, ids)
    groups = await groups_store.groups_of_contacts(conn, connection.tenant_id, ids)
    ops = (
        op_for(connection, one, person_in(connection, known[one.id]), groups[one.id])
        for one in found
    )
    return Counter(f"contacts.{NAMES[op]}" for op in ops if op in NAMES)


async def _count_groups(conn: Conn, connection: Connection, ids: Sequence[UUID]) -> Counter[str]:
    """Return what would be written of labels."""
    found = await groups_store.find_groups(conn, connection.tenant_id, ids)
    known = await labels.list_of_groups(conn, connection.tenant_id, ids)
    counts: Counter[str] = Counter()
    for group in found.values():
        label = label_in(connection, known[group.id])
        if label_differs(connection, group, label):
            name = "created" if label is None else "updated" if group.is_live else "deleted"
            counts[f"groups.{name}"] += 1
    return counts


def _facts(counts: Counter[str]) -> dict[str, Any]:
    return {
        "to_google": {
            kind: {name: counts.get(f"{kind}.{name}", 0) for name in NAMES.values()}
            for kind in ("contacts", "groups")
        }
    }
