"""Jobs: long work that somebody asked for and may want to watch; a feed does it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from libs.common import db
from libs.common.db import Connection, Pool
from libs.common.errors import NotFound
from libs.common.feeds.model import Feed
from libs.common.ids import new_id
from libs.common.waiting import wait_until


class JobState(StrEnum):
    """How far it is; `done` and `failed` are for good."""

    QUEUED = "queued"
    RUNNING = "running"
    HELD = "held"
    """It waits for a person's decision."""
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One row of `jobs`."""

    tenant_id: str
    id: UUID
    connection_id: UUID
    feed_id: UUID | None
    kind: str
    state: JobState
    reason: str | None
    done: int
    total: int | None
    """None until it is known how much there is to do."""
    facts: Mapping[str, Any]
    """What was asked and what came of it; never content."""
    created_at: datetime
    finished_at: datetime | None


def _job(row: Any) -> Job:
    return Job(**{**dict(row), "state": JobState(row["state"])})


ADD_JOB = """
INSERT INTO jobs (tenant_id, id, connection_id, feed_id, kind, facts, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
RETURNING tenant_id, id, connection_id, feed_id, kind, state, reason, done, total, facts,
          created_at, finished_at
"""


async def add_job(
    conn: Connection,
    feed: Feed,
    *,
    kind: str,
    now: datetime,
    facts: Mapping[str, Any] | None = None,
) -> Job:
    """Return a new job, queued, that `feed` will do."""
    row = await conn.fetchrow(
        ADD_JOB,
        feed.tenant_id,
        new_id(),
        feed.connection_id,
        feed.id,
        kind,
        dict(facts or {}),
        now,
    )
    return _job(row)


ADVANCE_JOB = """
UPDATE jobs SET done = $3, total = $4, state = $5
 WHERE tenant_id = $1 AND feed_id = $2 AND finished_at IS NULL
   AND ($6::text IS NULL OR kind = $6)
"""


async def advance_job(
    conn: Connection,
    feed: Feed,
    *,
    done: int,
    total: int | None,
    state: JobState = JobState.RUNNING,
    kind: str | None = None,
) -> None:
    """Show on every open job of the feed (of a kind) how far it is."""
    await conn.execute(ADVANCE_JOB, feed.tenant_id, feed.id, done, total, state.value, kind)


FINISH_JOBS = """
UPDATE jobs SET state = $3, reason = $4, facts = facts || $5::jsonb, finished_at = $6
 WHERE tenant_id = $1 AND feed_id = $2 AND finished_at IS NULL
   AND ($7::text IS NULL OR kind = $7)
"""


async def finish_jobs(
    conn: Connection,
    feed: Feed,
    *,
    state: JobState,
    now: datetime,
    reason: str | None = None,
    facts: Mapping[str, Any] | None = None,
    kind: str | None = None,
) -> None:
    """End every open job of the feed (of a kind); `facts` are added to those it has.

    Args:
        state: `done` or `failed`.
        reason: a short constant, when it failed.
    """
    added = dict(facts or {})
    await conn.execute(FINISH_JOBS, feed.tenant_id, feed.id, state.value, reason, added, now, kind)


LIST_OPEN = """
SELECT tenant_id, id, connection_id, feed_id, kind, state, reason, done, total, facts,
       created_at, finished_at
  FROM jobs
 WHERE tenant_id = $1 AND feed_id = $2 AND kind = $3 AND finished_at IS NULL
 ORDER BY created_at, id
"""


async def list_open_jobs(conn: Connection, feed: Feed, *, kind: str) -> list[Job]:
    """Return the open jobs of a kind of the feed, the oldest first."""
    return [_job(row) for row in await conn.fetch(LIST_OPEN, feed.tenant_id, feed.id, kind)]


FIND_JOB = """
SELECT tenant_id, id, connection_id, feed_id, kind, state, reason, done, total, facts,
       created_at, finished_at
  FROM jobs WHERE tenant_id = $1 AND id = $2
"""


async def get_job(conn: Connection, tenant_id: str, job_id: UUID) -> Job:
    """Return the tenant's job.

    Raises:
        NotFound: it has no such one (any more).
    """
    row = await conn.fetchrow(FIND_JOB, tenant_id, job_id)
    if row is None:
        raise NotFound("There is no such job.")
    return _job(row)


async def wait_for_job(pool: Pool, tenant_id: str, job_id: UUID, *, timeout_s: float) -> Job:
    """Return the job once it has ended, or as it is after about `timeout_s` seconds.

    It looks again after pauses that grow to a second, and holds no connection in between.

    Raises:
        NotFound: the tenant has no such job (any more).
        Transient: the database has no free connection.
    """

    async def look() -> tuple[Job, bool]:
        async with db.transaction(pool) as conn:
            job = await get_job(conn, tenant_id, job_id)
        return job, job.finished_at is not None

    return await wait_until(look, timeout_s=timeout_s)


PURGE_JOBS = """
DELETE FROM jobs
 WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM jobs WHERE finished_at < $1
                            ORDER BY finished_at LIMIT $2)
"""


async def purge_jobs(conn: Connection, *, before: datetime, limit: int = 1000) -> int:
    """Forget up to `limit` jobs that ended before `before`; return how many were."""
    done: str = await conn.execute(PURGE_JOBS, before, limit)
    return int(done.rpartition(" ")[2])
