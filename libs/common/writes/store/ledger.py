"""SQL of the write ledger. What is `sending` changes under its epoch only; `settle` excepted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from libs.common.db import Connection
from libs.common.writes.model import NewWrite, TooManyWrites, Write, WriteLost, WriteState
from libs.common.writes.store.rows import write_of

LOOP_WINDOW = timedelta(hours=1)
MOST_PER_ITEM = 60
"""Writes of one item within the window; a person clicks less."""

CROWDED = """
SELECT item FROM writes
 WHERE tenant_id = $1 AND connection_id = $2 AND item = ANY($3::text[]) AND created_at > $4
 GROUP BY item HAVING count(*) >= $5
"""


async def list_crowded(
    conn: Connection,
    tenant_id: str,
    connection_id: UUID,
    items: Sequence[str],
    *,
    now: datetime,
    most_per_item: int = MOST_PER_ITEM,
) -> frozenset[str]:
    """Return those of these items that have had `most_per_item` writes within an hour."""
    rows = await conn.fetch(
        CROWDED, tenant_id, connection_id, list(items), now - LOOP_WINDOW, most_per_item
    )
    return frozenset(row["item"] for row in rows)


QUEUE = """
INSERT INTO writes
       (tenant_id, id, group_id, connection_id, kind, item, base, desired, due_at, created_at)
SELECT n.tenant_id, n.id, n.group_id, n.connection_id, n.kind, n.item, n.base, n.desired,
       n.due_at, $1
  FROM unnest($2::text[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::jsonb[],
              $9::jsonb[], $10::timestamptz[])
       WITH ORDINALITY AS n (tenant_id, id, group_id, connection_id, kind, item, base, desired,
                             due_at, place)
 ORDER BY n.place
"""


async def queue(
    conn: Connection,
    new: Sequence[NewWrite],
    *,
    now: datetime,
    most_per_item: int | None = MOST_PER_ITEM,
) -> None:
    """Add writes, in the caller's transaction, to be sent in this order.

    They are of one tenant and connection, or several calls are made. The caller raises the signal
    of the feed that sends them.

    Args:
        most_per_item: within an hour; None: the caller sees to it that nothing goes in circles.

    Raises:
        TooManyWrites: one item has had `most_per_item` writes within an hour.
    """
    if not new:
        return
    if most_per_item is not None and await list_crowded(
        conn,
        new[0].tenant_id,
        new[0].connection_id,
        [one.item for one in new],
        now=now,
        most_per_item=most_per_item,
    ):
        raise TooManyWrites(
            "This was changed too often within an hour.",
            retry_after_s=LOOP_WINDOW.total_seconds(),
        )
    rows = [
        (
            one.tenant_id,
            one.id,
            one.group_id or one.id,
            one.connection_id,
            one.kind,
            one.item,
            None if one.base is None else dict(one.base),
            dict(one.desired),
            one.due_at,
        )
        for one in new
    ]
    await conn.execute(QUEUE, now, *zip(*rows, strict=True))


NOTE = """
UPDATE writes SET progress = progress || $4::jsonb, deadline = $5
 WHERE tenant_id = $1 AND id = $2 AND state = 'sending' AND epoch = $3
RETURNING tenant_id, id, group_id, connection_id, kind, item, base, desired, progress, answer,
          state, reason, attempts, due_at, epoch, deadline, created_at, finished_at
"""


async def note(
    conn: Connection, write: Write, progress: Mapping[str, Any], *, deadline: datetime
) -> Write:
    """Add to the progress of a write that is ours, and move its deadline; return it as it is now.

    Raises:
        WriteLost: it is ours no more.
    """
    row = await conn.fetchrow(
        NOTE, write.tenant_id, write.id, write.epoch, dict(progress), deadline
    )
    if row is None:
        raise WriteLost("The write is another's by now.")
    return write_of(row)


POSTPONE = """
UPDATE writes SET state = 'queued', epoch = NULL, deadline = NULL, due_at = $4, reason = $5
 WHERE tenant_id = $1 AND id = $2 AND state = 'sending' AND epoch = $3
RETURNING true
"""


async def postpone(conn: Connection, write: Write, *, due_at: datetime, reason: str) -> None:
    """Queue a write of ours again: it is certain that nothing of its last step had an effect.

    Raises:
        WriteLost: it is ours no more.
    """
    held = await conn.fetchval(POSTPONE, write.tenant_id, write.id, write.epoch, due_at, reason)
    if not held:
        raise WriteLost("The write is another's by now.")


async def put_off(
    conn: Connection, write: Write, *, until: datetime, reason: str, settle: bool
) -> None:
    """Let a write of ours wait: nothing of its last request had an effect.

    Args:
        conn: inside a transaction.
        write: ours.
        until: when it goes on.
        reason: a short constant.
        settle: an earlier request may have had one: that is still to be found out.

    Raises:
        WriteLost: it is ours no more.
    """
    if settle:
        await note(conn, write, {}, deadline=until)
    else:
        await postpone(conn, write, due_at=until, reason=reason)


FINISH = """
UPDATE writes SET state = $4, reason = $5, answer = $6, finished_at = $7, epoch = NULL,
       deadline = NULL
 WHERE tenant_id = $1 AND id = $2 AND state = 'sending' AND epoch = $3
RETURNING true
"""


async def finish(
    conn: Connection,
    write: Write,
    state: WriteState,
    *,
    now: datetime,
    reason: str | None = None,
    answer: Mapping[str, Any] | None = None,
) -> None:
    """End a write of ours.

    Args:
        state: one of those that are for good.
        reason: a short constant, unless it is done.
        answer: what Google answered, as far as it is needed later.

    Raises:
        WriteLost: it is ours no more.
    """
    held = await conn.fetchval(
        FINISH,
        write.tenant_id,
        write.id,
        write.epoch,
        state.value,
        reason,
        None if answer is None else dict(answer),
        now,
    )
    if not held:
        raise WriteLost("The write is another's by now.")


FINISH_ALL = """
UPDATE writes w SET state = n.state, reason = n.reason, answer = n.answer, finished_at = $2,
       epoch = NULL, deadline = NULL
  FROM jsonb_to_recordset($3::jsonb)
       AS n (id uuid, epoch bigint, state text, reason text, answer jsonb)
 WHERE w.tenant_id = $1 AND w.id = n.id AND w.state = 'sending' AND w.epoch = n.epoch
RETURNING w.id
"""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a write of ours ends; see `finish`."""

    write: Write
    state: WriteState
    reason: str | None = None
    answer: Mapping[str, Any] | None = None


async def finish_all(
    conn: Connection, tenant_id: str, endings: Sequence[Ending], *, now: datetime
) -> frozenset[UUID]:
    """End writes of ours; return those that were: others are not ours any more."""
    if not endings:
        return frozenset()
    records = [
        {
            "id": str(one.write.id),
            "epoch": one.write.epoch,
            "state": one.state.value,
            "reason": one.reason,
            "answer": None if one.answer is None else dict(one.answer),
        }
        for one in endings
    ]
    rows = await conn.fetch(FINISH_ALL, tenant_id, now, records)
    return frozenset(row["id"] for row in rows)


SETTLE = """
UPDATE writes SET state = 'done', reason = NULL, answer = $3, finished_at = $4, epoch = NULL,
       deadline = NULL
 WHERE tenant_id = $1 AND id = $2 AND state IN ('queued', 'sending', 'unknown')
RETURNING true
"""


async def settle(
    conn: Connection, tenant_id: str, write_id: UUID, answer: Mapping[str, Any], *, now: datetime
) -> bool:
    """End a write whose effect was seen at Google, whoever has it; False: it had ended already."""
    return bool(await conn.fetchval(SETTLE, tenant_id, write_id, dict(answer), now))


CANCEL = """
UPDATE writes SET state = 'cancelled', finished_at = $3
 WHERE tenant_id = $1 AND id = $2 AND state = 'queued'
RETURNING true
"""


async def cancel(conn: Connection, tenant_id: str, write_id: UUID, *, now: datetime) -> bool:
    """Take back a write of which nothing is under way; False: it is too late for that."""
    return bool(await conn.fetchval(CANCEL, tenant_id, write_id, now))


FIND = """
SELECT tenant_id, id, group_id, connection_id, kind, item, base, desired, progress, answer,
       state, reason, attempts, due_at, epoch, deadline, created_at, finished_at
  FROM writes WHERE tenant_id = $1 AND id = $2
"""
LOCK = FIND + "   FOR UPDATE"


async def find(
    conn: Connection, tenant_id: str, write_id: UUID, *, lock: bool = False
) -> Write | None:
    """Return the tenant's write, locked if wanted; None: it has no such one (any more)."""
    row = await conn.fetchrow(LOCK if lock else FIND, tenant_id, write_id)
    return None if row is None else write_of(row)


LIST_WAITING = """
SELECT DISTINCT item FROM writes
 WHERE tenant_id = $1 AND connection_id = $2 AND kind = $3 AND item = ANY($4::text[])
   AND state = 'queued'
"""


async def list_waiting(
    conn: Connection, tenant_id: str, connection_id: UUID, *, kind: str, items: Sequence[str]
) -> frozenset[str]:
    """Return those of these items of which a write is queued that nobody has begun to send."""
    rows = await conn.fetch(LIST_WAITING, tenant_id, connection_id, kind, list(items))
    return frozenset(row["item"] for row in rows)


HASTEN = """
UPDATE writes SET due_at = $4
 WHERE tenant_id = $1 AND connection_id = $2 AND state = 'queued' AND reason = $3 AND due_at > $4
   AND ($5::text[] IS NULL OR item = ANY($5))
RETURNING true
"""


async def hasten(
    conn: Connection,
    tenant_id: str,
    connection_id: UUID,
    *,
    reason: str,
    items: Sequence[str] | None = None,
    now: datetime,
) -> int:
    """Let queued writes that wait for this reason go on now; return how many.

    The caller raises the signal.

    Args:
        reason: why they wait.
        items: only those of these; None: all.
    """
    wanted = None if items is None else list(items)
    return len(await conn.fetch(HASTEN, tenant_id, connection_id, reason, now, wanted))


LIST_UNKNOWN = """
SELECT item, min(created_at) AS since FROM writes
 WHERE tenant_id = $1 AND connection_id = ANY($2::uuid[]) AND kind = $3 AND item = ANY($4::text[])
   AND state = 'unknown'
 GROUP BY item
"""


async def list_unknown(
    conn: Connection,
    tenant_id: str,
    connection_ids: Sequence[UUID],
    *,
    kind: str,
    items: Sequence[str],
) -> dict[str, datetime]:
    """Return those of these items of which a write ended without anybody knowing its effect.

    With when the first such write was queued: it had none before.

    Args:
        connection_ids: through which it was written: those of one account, ended ones too.
        kind: of the writes.
        items: of the service.
    """
    rows = await conn.fetch(LIST_UNKNOWN, tenant_id, list(connection_ids), kind, list(items))
    return {row["item"]: row["since"] for row in rows}


LIST_GROUP = """
SELECT tenant_id, id, group_id, connection_id, kind, item, base, desired, progress, answer,
       state, reason, attempts, due_at, epoch, deadline, created_at, finished_at
  FROM writes WHERE tenant_id = $1 AND group_id = $2
 ORDER BY position
"""


async def list_group(conn: Connection, tenant_id: str, group_id: UUID) -> list[Write]:
    """Return the writes that were asked for together, in their order."""
    return [write_of(row) for row in await conn.fetch(LIST_GROUP, tenant_id, group_id)]


PURGE = """
DELETE FROM writes
 WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM writes WHERE finished_at < $1
                            ORDER BY finished_at LIMIT $2)
"""


async def purge(conn: Connection, *, before: datetime, limit: int = 1000) -> int:
    """Forget up to `limit` writes that ended before `before`; return how many were."""
    done: str = await conn.execute(PURGE, before, limit)
    return int(done.rpartition(" ")[2])


FORGET = "DELETE FROM writes WHERE tenant_id = $1 AND connection_id = $2"


async def forget(conn: Connection, tenant_id: str, connection_id: UUID) -> None:
    """Remove all writes of a connection whose data must go."""
    await conn.execute(FORGET, tenant_id, connection_id)
