"""Queueing writes that say what is to be brought into step, not how.

What such a write does is decided when it is carried. So one that waits already speaks for all
changes until then, and one too many does no harm.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.writes import NewWrite
from libs.common.writes import store as ledger
from services.contacts.domain.connection import Connection
from services.contacts.sync.feeds import wake, write_address

HELD: Final = "held-writes"
"""Why deletions wait that a person has to decide on, and the kind of hold they wait for."""
CIRCLING = timedelta(hours=1)
"""How long something waits that was written so often that it must be going round in circles."""


async def queue_step(
    conn: Conn,
    connection: Connection,
    kind: str,
    items: Iterable[UUID],
    *,
    now: datetime,
    forced: bool = False,
) -> int:
    """Let items be brought into step in an address book; return how many were not yet to be.

    Args:
        conn: inside a transaction that has locked no row of feeds yet.
        connection: whose address book.
        kind: of the writes.
        items: contacts or groups.
        now: the present moment.
        forced: ask Google for each how it is, also where nothing seems to differ.
    """
    wanted = list(dict.fromkeys(str(one) for one in items))
    where = connection.tenant_id, connection.id
    waiting: frozenset[str] = frozenset()
    if not forced:
        waiting = await ledger.list_waiting(conn, *where, kind=kind, items=wanted)
        if await ledger.hasten(conn, *where, reason=HELD, items=sorted(waiting), now=now):
            await wake(conn, write_address(connection.id), now=now)
    new = [one for one in wanted if one not in waiting]
    if not new:
        return 0
    crowded = await ledger.list_crowded(conn, *where, new, now=now)
    writes = [
        NewWrite(
            tenant_id=connection.tenant_id,
            connection_id=connection.id,
            kind=kind,
            item=one,
            desired={"forced": True} if forced else {},
            due_at=now + CIRCLING if one in crowded else now,
        )
        for one in new
    ]
    await ledger.queue(conn, writes, now=now, most_per_item=None)
    await wake(conn, write_address(connection.id), now=now)
    return len(new)


async def queue_wish(
    conn: Conn, connection: Connection, kind: str, item: UUID, *, now: datetime
) -> UUID:
    """Let an item be brought into step because somebody wants it so; return the write's id.

    Raises:
        TooManyWrites: it was asked for too often.
    """
    write = NewWrite(
        tenant_id=connection.tenant_id,
        connection_id=connection.id,
        kind=kind,
        item=str(item),
        desired={"forced": True, "wanted": True},
        due_at=now,
    )
    await ledger.queue(conn, [write], now=now)
    await wake(conn, write_address(connection.id), now=now)
    return write.id
