"""What auth leaves behind, and when it may go."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

from libs.common import clock
from libs.common.db import Connection
from libs.common.housekeeping import (
    Chore,
    dead_events_chore,
    idempotency_chore,
    inbox_chore,
    privacy_chore,
)
from services.auth.settings import AuthSettings
from services.auth.store import connections, consents, dues
from services.auth.sync.outcome import WATCHED

BATCH = 100

Sweep = Callable[[Connection], Awaitable[int]]


def chores(settings: AuthSettings) -> tuple[Chore, ...]:
    """Return the chores in the order in which one makes work for the next."""
    ended = timedelta(seconds=settings.retention)
    return (
        Chore("consents", _delete_consents),
        Chore("refreshes", _delete_refreshes),
        Chore("orphan_grants", _revoke_orphans),
        Chore("connections", partial(_delete_connections, ended)),
        Chore("accounts", partial(_delete_accounts, ended)),
        idempotency_chore(settings.idempotency_retention, now=clock.now),
        inbox_chore(settings.inbox_retention),
        dead_events_chore(settings.dead_retention, now=clock.now),
        privacy_chore(now=clock.now),
    )


async def _delete_consents(conn: Connection) -> int:
    """Delete start tickets and consents that can be used no more."""
    return await consents.delete_expired(conn, now=clock.now())


async def _delete_refreshes(conn: Connection) -> int:
    """Delete notes on refreshes that are older than any alarm looks at."""
    return await dues.delete_refreshes(conn, clock.now() - WATCHED * 2)


async def _revoke_orphans(conn: Connection) -> int:
    """Have grants revoked that nobody is connected to; the worker does it, nothing is removed."""
    await dues.ask_orphan_revocations(conn, now=clock.now())
    return 0


async def _delete_connections(ended: timedelta, conn: Connection) -> int:
    """Delete connections that ended so long ago."""
    return await connections.delete_ended(conn, clock.now() - ended, limit=BATCH)


async def _delete_accounts(ended: timedelta, conn: Connection) -> int:
    """Delete accounts without connections whose grant is gone so long."""
    return await dues.delete_orphans(conn, clock.now() - ended, limit=BATCH)
