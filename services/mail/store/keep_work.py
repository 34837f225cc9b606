"""SQL on settings that changed: how far a mailbox's mail was held against them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn


class Phase(StrEnum):
    """What is done, one after the other."""

    REDUCE = "reduce"
    """What may not be kept goes; Google is not needed for that."""
    RAISE = "raise"
    """What may be kept again is fetched."""
    ENTITIES = "entities"
    """Entities whose mail is not linked are queued."""
    LINKS = "links"
    """That is waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepWork:
    """One mailbox's."""

    tenant_id: str
    connection_id: UUID
    phase: Phase
    after: str
    """The last that was looked at: a message by Google's id, or an entity."""
    version: int
    done: int
    total: int | None
    removed: int
    reduced: int
    raised: int

    @property
    def counts(self) -> dict[str, int]:
        """Return what came of it."""
        return {"removed": self.removed, "reduced": self.reduced, "raised": self.raised}


def _work(row: Any) -> KeepWork:
    return KeepWork(**{**dict(row), "phase": Phase(row["phase"])})


QUEUE_KEEPING = """
INSERT INTO keep_work AS w (tenant_id, connection_id, created_at)
VALUES ($1, $2, $3)
ON CONFLICT (tenant_id, connection_id) DO UPDATE
   SET phase = 'reduce', after = '', version = w.version + 1, done = 0, total = NULL,
       removed = 0, reduced = 0, raised = 0, created_at = EXCLUDED.created_at
"""


async def queue_keeping(conn: Conn, tenant_id: str, connection_id: UUID, now: datetime) -> None:
    """Queue all of a mailbox's mail to be looked at, from the beginning."""
    await conn.execute(QUEUE_KEEPING, tenant_id, connection_id, now)


FIND_KEEPING = """
SELECT tenant_id, connection_id, phase, after, version, done, total, removed, reduced, raised
  FROM keep_work
 WHERE tenant_id = $1 AND connection_id = $2
"""


async def find_keeping(conn: Conn, tenant_id: str, connection_id: UUID) -> KeepWork | None:
    """Return a mailbox's work, None when there is none."""
    row = await conn.fetchrow(FIND_KEEPING, tenant_id, connection_id)
    return None if row is None else _work(row)


LOCK_KEEPING = """
SELECT true FROM keep_work
 WHERE tenant_id = $1 AND connection_id = $2 AND version = $3 AND phase = $4 AND after = $5
   FOR UPDATE
"""


async def lock_keeping(conn: Conn, work: KeepWork) -> bool:
    """Lock the work; False when it is not as it was, or gone."""
    return bool(
        await conn.fetchval(
            LOCK_KEEPING,
            work.tenant_id,
            work.connection_id,
            work.version,
            work.phase.value,
            work.after,
        )
    )


FIND_UNREAD = """
SELECT w.tenant_id, w.connection_id, w.phase, w.after, w.version, w.done, w.total, w.removed,
       w.reduced, w.raised
  FROM keep_work w JOIN connections c USING (tenant_id, connection_id)
 WHERE w.phase = 'reduce' AND c.purge = 'none'
   AND (c.state NOT IN ('active', 'degraded')
        OR c.paused_at IS NOT NULL OR c.tenant_paused_at IS NOT NULL)
 ORDER BY w.created_at
 LIMIT 1
"""


async def find_unread(conn: Conn) -> KeepWork | None:
    """Return work, of any tenant, that reduces a mailbox which nobody reads at present."""
    row = await conn.fetchrow(FIND_UNREAD)
    return None if row is None else _work(row)


SET_KEEPING = """
UPDATE keep_work
   SET phase = $3, after = $4, done = $5, total = $6, removed = $7, reduced = $8, raised = $9
 WHERE tenant_id = $1 AND connection_id = $2
"""


async def set_keeping(conn: Conn, work: KeepWork) -> None:
    """Note how far work is that the caller has locked."""
    await conn.execute(
        SET_KEEPING,
        work.tenant_id,
        work.connection_id,
        work.phase.value,
        work.after,
        work.done,
        work.total,
        work.removed,
        work.reduced,
        work.raised,
    )


END_KEEPING = "DELETE FROM keep_work WHERE tenant_id = $1 AND connection_id = $2"


async def end_keeping(conn: Conn, tenant_id: str, connection_id: UUID) -> None:
    """Remove work that is done, or will not be done."""
    await conn.execute(END_KEEPING, tenant_id, connection_id)


FIND_EXPIRED = """
SELECT c.tenant_id, c.connection_id
  FROM connections c
 WHERE (c.preferences ? 'retention_days' OR $2::int IS NOT NULL) AND c.purge = 'none'
   AND EXISTS (SELECT FROM messages m
                WHERE m.tenant_id = c.tenant_id AND m.connection_id = c.connection_id
                  AND m.deleted_at IS NULL AND NOT m.traced
                  AND m.internal_date < $1::timestamptz
                      - make_interval(
                            days => LEAST((c.preferences ->> 'retention_days')::int, $2::int)))
 LIMIT 1
"""


async def find_expired(
    conn: Conn, now: datetime, *, most_days: int | None
) -> tuple[str, UUID] | None:
    """Return a mailbox, of any tenant, that has mail older than it may become."""
    row = await conn.fetchrow(FIND_EXPIRED, now, most_days)
    return None if row is None else (row["tenant_id"], row["connection_id"])
