"""Gauges of the whole service, looked up now and then: a scrape asks the database nothing."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from prometheus_client import Gauge

from libs.common.db import FAILURES, Pool, acquired
from libs.common.errors import Transient
from services.contacts.store.standing import measure

log = structlog.get_logger(__name__)

EVERY_S = 60.0
SPAN = timedelta(hours=1)
DATABASE_AWAY: tuple[type[Exception], ...] = (Transient, *FAILURES)

ACTIVE = Gauge(
    "causeway_contacts_active_connections", "Connections whose contacts are kept in step."
)
SUCCESS = Gauge(
    "causeway_contacts_success_ratio",
    "Share of the last hour's changes, either way, that ended well; 1 without any.",
)
LAST_SYNC = Gauge(
    "causeway_contacts_last_sync_timestamp_seconds",
    "When any address book was last found, or brought, in step.",
)


async def measure_for_ever(pool: Pool, *, now: Callable[[], datetime]) -> None:
    """Keep the gauges; while the database is away they stay as they were."""
    while True:
        try:
            await measure_once(pool, now=now())
        except DATABASE_AWAY as exc:
            log.warning("not_measured", error=type(exc).__name__)
        await asyncio.sleep(EVERY_S)


async def measure_once(pool: Pool, *, now: datetime) -> None:
    """Set the gauges as all stands now."""
    async with acquired(pool) as conn:
        found = await measure(conn, since=now - SPAN)
    ended = found.succeeded + found.failed
    ACTIVE.set(found.active)
    SUCCESS.set(found.succeeded / ended if ended else 1.0)
    if found.last_sync_at is not None:
        LAST_SYNC.set(found.last_sync_at.timestamp())
