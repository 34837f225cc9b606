"""SQL of the write ledger. What is `sending` changes under its epoch only; `settle` excepted."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from libs.common.db import Connection
from libs.common.feeds import Feed
from libs.common.writes.model import NewWrite, TooManyWrites, Write, WriteLost, WriteState

LOOP_WINDOW = timedelta(hours=1)
MOST_PER_ITEM = 60
"""Writes of one item within the window; a person clicks less."""


def _write(row: Any) -> Write:
    columns = {name: value for name, value in row.items() if name != "position"}
    return Write(**{**columns, "state": WriteState(row["state"])})


CROWDED_ITEM = """
SELECT item FROM writes
 WHERE tenant_id = $1 AND connection_id = $2 AND item = ANY($3::text[]) AND created_at > $4
 GROUP BY item HAVING count(*) >= $5
 LIMIT 1
"""
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
    most_per_item: int = MOST_PER_ITEM,
) -> None:
    """Add writes, in the caller's transaction, to be sent in this order.

    They are of one tenant and connection, or several calls are made. The caller raises the signal
    of the feed that sends them.

    Raises:
        TooManyWrites: one item has had `most_per_item` writes within an hour.
    """
    if not new:
        return
    crowded = await conn.fetchval(
        CROWDED_ITEM,
        new[0].tenant_id,
        new[0].connection_id,
        [one.item for one in new],
        now - LOOP_WINDOW,
        most_per_item,
    )
    if crowded is not None:
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


NEXT_KIND = """
SELECT w.kind FROM writes w
 WHERE w.tenant_id = $1 AND w.connection_id = $2 AND w.finished_at IS NULL
   AND CASE w.state WHEN 'sending' THEN w.deadline <= $3
            ELSE w.due_at <= $3 AND NOT EXISTS (
                 SELECT FROM writes e
                  WHERE e.tenant_id = w.tenant_id AND e.connection_id = w.connection_id
                    AND e.item = w.item AND e.position < w.position
                    AND e.finished_at IS NULL) END
 ORDER BY w.position
 LIMIT 1
"""


async def next_kind(conn: Connection, feed: Feed, *, now: datetime) -> str | None:
    """Return the kind of the write that is to be carried or settled next; None: there is none."""
    kind: str | None = await conn.fetchval(NEXT_KIND, feed.tenant_id, feed.connection_id, now)
    return kind


CLAIM = """
WITH due AS (
    SELECT w.tenant_id, w.id FROM writes w
     WHERE w.tenant_id = $1 AND w.connection_id = $2 AND w.state = 'queued' AND w.due_at <= $5
       AND w.kind = $7
       AND NOT EXISTS (SELECT FROM writes e
                        WHERE e.tenant_id = w.tenant_id AND e.connection_id = w.connection_id
                          AND e.item = w.item AND e.position < w.position
                          AND e.finished_at IS NULL)
     ORDER BY w.position
     LIMIT $4
       FOR UPDATE
)
UPDATE writes w SET state = 'sending', epoch = $3, deadline = $6, attempts = attempts + 1
  FROM due WHERE w.tenant_id = due.tenant_id AND w.id = due.id
RETURNING w.tenant_id, w.id, w.group_id, w.connection_id, w.kind, w.item, w.base, w.desired,
          w.progress, w.answer, w.state, w.reason, w.attempts, w.due_at, w.epoch, w.deadline,
          w.created_at, w.finished_at, w.position
"""


async def claim(
    conn: Connection,
    feed: Feed,
    epoch: int,
    *,
    kind: str,
    limit: int,
    now: datetime,
    deadline: datetime,
) -> list[Write]:
    """Take up to `limit` due writes of a kind of the feed's connection, each the first of its item.

    Commit before asking Google; the caller's transaction has checked the lease (`lease.advance`).

    Args:
        deadline: until when Google may act on what is asked now.
    """
    rows = await conn.fetch(
        CLAIM, feed.tenant_id, feed.connection_id, epoch, limit, now, deadline, kind
    )
    return [_write(row) for row in sorted(rows, key=lambda row: row["position"])]


TAKE_OVER = """
UPDATE writes SET epoch = $3, deadline = $6
 WHERE (tenant_id, id) IN (
       SELECT tenant_id, id FROM writes
        WHERE tenant_id = $1 AND connection_id = $2 AND state = 'sending' AND deadline <= $5
          AND kind = $7
        ORDER BY position
        LIMIT $4
          FOR UPDATE)
RETURNING tenant_id, id, group_id, connection_id, kind, item, base, desired, progress, answer,
          state, reason, attempts, due_at, epoch, deadline, created_at, finished_at, position
"""


async def take_over(
    conn: Connection,
    feed: Feed,
    epoch: int,
    *,
    kind: str,
    limit: int,
    now: datetime,
    deadline: datetime,
) -> list[Write]:
    """Take writes whose request's deadline has passed without an answer: to be settled first."""
    rows = await conn.fetch(
        TAKE_OVER, feed.tenant_id, feed.connection_id, epoch, limit, now, deadline, kind
    )
    return [_write(row) for row in sorted(rows, key=lambda row: row["position"])]


NEXT_DUE = """
SELECT min(CASE WHEN state = 'sending' THEN deadline ELSE due_at END) AS due,
       COALESCE(max((progress->>'lost')::integer), 0) AS lost
  FROM writes
 WHERE tenant_id = $1 AND connection_id = $2 AND finished_at IS NULL
"""


async def next_due(conn: Connection, feed: Feed) -> tuple[datetime | None, int]:
    """Return when the connection's next write, or its settling, is due (None: there is none).

    And how many answers to one of them were lost, one after the other (`lost` in its progress).
    """
    (row,) = await conn.fetch(NEXT_DUE, feed.tenant_id, feed.connection_id)
    return row["due"], row["lost"]


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
    return _write(row)


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


DOUBT_ALL = """
UPDATE writes SET state = 'sending', epoch = 0, deadline = $1,
       progress = progress || '{"doubted": true}'
 WHERE finished_at IS NULL AND due_at <= $1
"""


async def doubt_all(conn: Connection, *, now: datetime) -> int:
    """Treat every write that is due as if its answer had been lost; return how many.

    For a database that was restored from a backup: what waited then may have gone out since, and
    `doubted` in its progress says that nothing of what was noted is the last word.
    """
    done: str = await conn.execute(DOUBT_ALL, now)
    return int(done.rpartition(" ")[2])


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


CANCEL_ALL = """
WITH gone AS (
    SELECT tenant_id, id, state FROM writes
     WHERE tenant_id = $1 AND connection_id = $2 AND finished_at IS NULL
     ORDER BY position FOR UPDATE
)
UPDATE writes w
   SET state = CASE gone.state WHEN 'sending' THEN 'unknown' ELSE 'cancelled' END,
       reason = $3, finished_at = $4, epoch = NULL, deadline = NULL
  FROM gone WHERE w.tenant_id = gone.tenant_id AND w.id = gone.id
RETURNING w.id, w.state = 'unknown' AS uncertain
"""


async def cancel_all(
    conn: Connection, tenant_id: str, connection_id: UUID, *, reason: str, now: datetime
) -> list[UUID]:
    """End all writes of a connection that is over; return the ids of those of unknown fate."""
    rows = await conn.fetch(CANCEL_ALL, tenant_id, connection_id, reason, now)
    return [row["id"] for row in rows if row["uncertain"]]


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
    return None if row is None else _write(row)


LIST_GROUP = """
SELECT tenant_id, id, group_id, connection_id, kind, item, base, desired, progress, answer,
       state, reason, attempts, due_at, epoch, deadline, created_at, finished_at
  FROM writes WHERE tenant_id = $1 AND group_id = $2
 ORDER BY position
"""


async def list_group(conn: Connection, tenant_id: str, group_id: UUID) -> list[Write]:
    """Return the writes that were asked for together, in their order."""
    return [_write(row) for row in await conn.fetch(LIST_GROUP, tenant_id, group_id)]


LIST_ECHOABLE = """
SELECT tenant_id, id, group_id, connection_id, kind, item, base, desired, progress, answer,
       state, reason, attempts, due_at, epoch, deadline, created_at, finished_at, position
  FROM writes
 WHERE tenant_id = $1 AND connection_id = $2 AND kind = $3 AND item = ANY($4::text[])
   AND (state = 'sending' OR (state = 'done' AND NOT answer ? 'echo'))
 ORDER BY position
   FOR UPDATE
"""


async def list_echoable(
    conn: Connection, tenant_id: str, connection_id: UUID, *, kind: str, items: Sequence[str]
) -> list[Write]:
    """Return and lock writes of those items that Google may tell us of, and has not yet."""
    rows = await conn.fetch(LIST_ECHOABLE, tenant_id, connection_id, kind, list(items))
    return [_write(row) for row in rows]


ACKNOWLEDGE = """
UPDATE writes SET answer = answer || $3::jsonb WHERE tenant_id = $1 AND id = $2 AND state = 'done'
"""


async def acknowledge(conn: Connection, write: Write, *, echo: Any) -> None:
    """Note that Google has told of an answered write (`echo`: where): what follows is news."""
    await conn.execute(ACKNOWLEDGE, write.tenant_id, write.id, {"echo": echo})


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
