"""What auth does unasked: second attempts, renewals, revocations, ends of what nobody confirmed."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from uuid import UUID

import structlog

from libs.common import clock, db
from libs.common.db import transaction
from libs.common.errors import AppError
from services.auth.domain.sealing import Unsealable
from services.auth.store import connections, dues
from services.auth.sync.context import Context
from services.auth.sync.disconnect import end_unconfirmed, revoke
from services.auth.sync.outcome import look_for_alarm
from services.auth.sync.refresh import Refresher

BATCH = 100
AT_ONCE = 4
UNSEALABLE_WAIT = timedelta(hours=1)

SURVIVED: tuple[type[Exception], ...] = (AppError, *db.FAILURES)
"""What ends a look, not the worker."""

log = structlog.stdlib.get_logger(__name__)


async def run_worker(context: Context, refresher: Refresher) -> None:
    """Look for what is due until cancelled; a database that is away is waited for."""
    while True:
        try:
            await look(context, refresher)
        except SURVIVED as exc:
            log.warning("worker_look_failed", error=type(exc).__name__)
        await asyncio.sleep(context.settings.worker_interval)


async def look(context: Context, refresher: Refresher) -> None:
    """Do once what is due now."""
    now = clock.now()
    ahead = now + timedelta(seconds=context.settings.refresh_ahead)
    async with transaction(context.pool) as conn:
        await look_for_alarm(conn, context, now=now)
        retries = await dues.list_due_retries(conn, now=now, limit=BATCH)
        expiring = await dues.list_expiring(conn, before=ahead, limit=BATCH)
        revocations = await dues.list_due_revocations(conn, now=now, limit=BATCH)

    async def ask_again(account_id: UUID) -> None:
        await refresher.token(account_id, force=True, even_refused=True)

    async def renew(account_id: UUID) -> None:
        await refresher.token(account_id, lasting=ahead - now)

    async def end(account_id: UUID) -> None:
        await revoke(context, account_id)

    await asyncio.gather(
        _each(context, ask_again, retries),
        _each(context, renew, expiring),
        _each(context, end, revocations),
    )
    while await _end_unconfirmed(context):
        pass


async def _each(
    context: Context, work: Callable[[UUID], Awaitable[None]], ids: Iterable[UUID]
) -> None:
    """Do the work for each account, a few at once; one that fails keeps no other waiting."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(account_id: UUID) -> None:
        async with slots:
            try:
                await work(account_id)
            except Unsealable:
                await _put_off(context, account_id)
            except AppError as exc:
                log.info("account_work_failed", account_id=str(account_id), problem=exc.slug)
            except db.FAILURES as exc:
                name = type(exc).__name__
                log.warning("account_work_failed", account_id=str(account_id), error=name)

    async with asyncio.TaskGroup() as group:
        for account_id in ids:
            group.create_task(one(account_id))


async def _put_off(context: Context, account_id: UUID) -> None:
    """Look again later at an account whose sealing key is gone: it must keep no place in line."""
    now = clock.now()
    log.error("account_unsealable", account_id=str(account_id))
    async with transaction(context.pool) as conn:
        await dues.put_off_retry(conn, account_id, retry_at=now + UNSEALABLE_WAIT, now=now)


async def _end_unconfirmed(context: Context) -> int:
    """End a batch of connections nobody confirmed in time; return how many that were."""
    now = clock.now()
    before = now - timedelta(seconds=context.settings.pending_ttl)
    async with transaction(context.pool) as conn:
        overdue = await connections.list_unconfirmed(conn, before, limit=BATCH)
    ended = 0
    for connection_id, account_id in overdue:
        async with transaction(context.pool) as conn:
            ended += await end_unconfirmed(conn, connection_id, account_id, now=now)
    return ended
