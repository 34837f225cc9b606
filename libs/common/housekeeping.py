"""Housekeeping: what is over is removed, in small batches, by one replica at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from prometheus_client import Counter, Gauge

from libs.common import idempotency, inbox, outbox, quota
from libs.common.db import Connection, Pool, transaction
from libs.common.privacy.store import purge_requests

LOCK_KEY = 0x0CA05E3B1
"""Of the advisory lock a batch is removed under (each service has a database of its own)."""
BATCH = 1_000
JOBS_KEPT = timedelta(days=30)
"""Jobs that have ended are shown to whoever asked for so long."""
RETRY_S = 600.0
"""A run that failed in part is repeated after this long, not only in the next night."""

QUOTA_KEPT = timedelta(days=2)
"""Longer than the longest slot of the quota's ledger, a day of 25 hours."""

PRIVACY_KEPT = timedelta(days=3 * 365)
"""How long it can be shown that an erasure was done, and what it found."""

DELETED = Counter("causeway_housekeeping_deleted", "Rows housekeeping removed.", ["chore"])
LAST_RUN = Gauge(
    "causeway_housekeeping_last_run_timestamp",
    "When this process last finished a run in which no chore failed, in seconds since 1970.",
)

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Chore:
    """One kind of thing to remove.

    Args:
        name: a constant for logs and metrics.
        sweep: removes a batch in the transaction of the connection it gets, and returns how
            many rows that were; 0: nothing is left.
    """

    name: str
    sweep: Callable[[Connection], Awaitable[int]]


class Purge(Protocol):
    """Removes rows from before a moment, at most `limit`; returns how many."""

    async def __call__(self, conn: Connection, /, *, before: datetime, limit: int) -> int:
        """Remove a batch in the caller's transaction."""
        ...


def aged(name: str, purge: Purge, *, kept: timedelta, now: Callable[[], datetime]) -> Chore:
    """Return the chore that removes what was over `kept` ago, a batch at a time.

    Args:
        name: see `Chore`.
        purge: removes rows.
        kept: for how long they stay.
        now: the product's clock.
    """

    async def sweep(conn: Connection) -> int:
        return await purge(conn, before=now() - kept, limit=BATCH)

    return Chore(name, sweep)


def idempotency_chore(retention_s: float, *, now: Callable[[], datetime]) -> Chore:
    """Return the chore that forgets `Idempotency-Key`s older than that."""

    async def sweep(conn: Connection) -> int:
        return await idempotency.purge(conn, before=now() - timedelta(seconds=retention_s))

    return Chore("idempotency_keys", sweep)


def inbox_chore(retention_s: float) -> Chore:
    """Return the chore that forgets events handled longer ago than that; see `inbox.purge`."""

    async def sweep(conn: Connection) -> int:
        return await inbox.purge(conn, older_than_s=retention_s)

    return Chore("inbox", sweep)


def quota_chore(*, now: Callable[[], datetime]) -> Chore:
    """Return the chore that removes what the quota's ledger counts no more."""

    async def sweep(conn: Connection) -> int:
        return await quota.purge(conn, before=now() - QUOTA_KEPT)

    return Chore("quota", sweep)


def dead_events_chore(retention_s: float, *, now: Callable[[], datetime]) -> Chore:
    """Return the chore that forgets events which could not be published, died longer ago."""

    async def sweep(conn: Connection) -> int:
        return await outbox.purge_dead(conn, before=now() - timedelta(seconds=retention_s))

    return Chore("dead_events", sweep)


def privacy_chore(*, now: Callable[[], datetime]) -> Chore:
    """Return the chore that forgets that people were erased: by then only counts and ids."""

    async def sweep(conn: Connection) -> int:
        return await purge_requests(conn, before=now() - PRIVACY_KEPT)

    return Chore("privacy_requests", sweep)


async def keep_house(
    pool: Pool,
    chores: Sequence[Chore],
    *,
    every_s: float = 86_400.0,
    now: Callable[[], datetime],
    retry_s: float = RETRY_S,
) -> None:
    """Do the chores now and every `every_s` seconds, until cancelled.

    After a run in which one failed, for instance because the database is away, the next one
    comes after `retry_s` seconds, if that is sooner.
    """
    while True:
        done = await clean_house(pool, chores, now=now)
        await asyncio.sleep(every_s if done else min(retry_s, every_s))


async def clean_house(pool: Pool, chores: Sequence[Chore], *, now: Callable[[], datetime]) -> bool:
    """Do each chore until nothing is left, or leave it to the replica that is at it.

    Returns:
        False when a chore failed; the others were done all the same.
    """
    done = [await _do(pool, chore) for chore in chores]
    if not all(done):
        return False
    LAST_RUN.set(now().timestamp())
    return True


async def _do(pool: Pool, chore: Chore) -> bool:
    try:
        while rows := await _sweep(pool, chore):
            DELETED.labels(chore.name).inc(rows)
    except Exception as exc:  # noqa: BLE001 - a chore's defect must not keep the others waiting
        log.warning("chore_failed", chore=chore.name, error=type(exc).__name__)
        return False
    return True


TRY_LOCK = "SELECT pg_try_advisory_xact_lock($1)"


async def _sweep(pool: Pool, chore: Chore) -> int:
    """Remove a batch; 0 also when another replica removes one at this moment."""
    async with transaction(pool) as conn:
        if not await conn.fetchval(TRY_LOCK, LOCK_KEY):
            log.info("chore_left_to_another", chore=chore.name)
            return 0
        return await chore.sweep(conn)
