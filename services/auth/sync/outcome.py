"""What a refresh did to an account and its connections."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import stamina
import structlog
from prometheus_client import Counter, Gauge

from libs.common import clock, db
from libs.common.db import Connection as Database
from libs.common.db import transaction
from libs.common.google.oauth import TokenGrant
from services.auth.domain import rules
from services.auth.domain.model import Account, State
from services.auth.domain.rules import Verdict
from services.auth.domain.sealing import revocation_keys
from services.auth.google import RefreshFailed
from services.auth.store import accounts, dues
from services.auth.store.accounts import Vault
from services.auth.sync.context import Context
from services.auth.sync.publish import settle_all

WATCHED = timedelta(minutes=10)
STORE_ATTEMPTS = 4
STORE_TIMEOUT_S = 5.0

REFRESHES = Counter(
    "causeway_auth_refreshes_total", "Refreshes of Google's access tokens.", ["outcome"]
)
ALARM = Gauge(
    "causeway_auth_refresh_alarm",
    "1 while so many refreshes fail that no account's state is changed.",
)
MARKED = Counter("causeway_auth_accounts_marked_total", "Accounts that need the person again.")

log = structlog.stdlib.get_logger(__name__)


async def keep_success(
    context: Context, vault: Vault, lease_id: UUID, grant: TokenGrant, *, used: str
) -> bool:
    """Store the tokens a refresh with the refresh token `used` gave, and that all is well.

    Returns:
        False if a new consent replaced that token meanwhile; then nothing but the end of the
        lease is stored.
    """
    REFRESHES.labels("ok").inc()
    # What Google gave is not to be had twice: a stumbling database is asked again.
    async for attempt in stamina.retry_context(
        on=db.FAILURES, attempts=STORE_ATTEMPTS, timeout=STORE_TIMEOUT_S
    ):
        with attempt:
            async with transaction(context.pool) as conn:
                account = await _reclaim(conn, vault, lease_id)
                if account is None:
                    return False
                await _store_tokens(conn, context, vault, grant, used=used)
                await _recover(conn, context, account, grant.scopes, now=clock.now())
                return True
    raise AssertionError("the retry context either returns or raises")


async def _reclaim(conn: Database, vault: Vault, lease_id: UUID) -> Account | None:
    """Give the lease back; return the locked account if its refresh token is still `vault`'s."""
    present = (await accounts.lock_vault(conn, vault.account.id)).account
    await accounts.drop_lease(conn, present.id, lease_id)
    return present if present.token_version == vault.account.token_version else None


async def _store_tokens(
    conn: Database, context: Context, vault: Vault, grant: TokenGrant, *, used: str
) -> None:
    account_id, keyring = vault.account.id, context.keyring
    newest = grant.refresh_token or used
    is_outdated = vault.refresh is None or not keyring.is_newest(vault.refresh)
    if newest != used or is_outdated:
        sealed = keyring.seal(newest, accounts.refresh_place(account_id))
        await accounts.store_refresh_token(conn, account_id, sealed, revocation_keys(newest))
    sealed = keyring.seal(grant.access_token, accounts.access_place(account_id))
    await accounts.store_access_token(conn, account_id, sealed, expires_at=grant.expires_at)


async def _recover(
    conn: Database, context: Context, account: Account, scopes: frozenset[str], *, now: datetime
) -> None:
    await dues.add_refresh(conn, account.id, failed=False, now=now)
    well = replace(account, state=State.ACTIVE, reason=None, scopes=scopes or account.scopes)
    if well.scopes != account.scopes:
        await accounts.store_scopes(conn, account.id, well.scopes)
    if well.state is not account.state or account.reason is not None:
        await accounts.set_health(conn, account.id, well.state, None, now=now)
    if well != replace(account, refused_at=well.refused_at):
        await settle_all(conn, context, well, cause="recovered", now=now)


async def keep_failure(
    context: Context, vault: Vault, lease_id: UUID, error: RefreshFailed
) -> bool:
    """Store what a failed refresh means.

    Returns:
        False if a new consent replaced the token meanwhile: the failure says nothing then.
    """
    REFRESHES.labels(error.failure).inc()
    now = clock.now()
    async with transaction(context.pool) as conn:
        account = await _reclaim(conn, vault, lease_id)
        if account is None:
            return False
        # A grant known to be lost says nothing new: were it counted, people who keep asking
        # about theirs could ring the alarm, and stop what is concluded about everybody's.
        if account.state is not State.REAUTHORIZATION_REQUIRED:
            await dues.add_refresh(conn, account.id, failed=True, now=now)
        alarm = await look_for_alarm(conn, context, now=now)
        wait = timedelta(seconds=context.settings.retry_after)
        verdict = rules.judge(account, error.failure, alarm=alarm, wait=wait, now=now)
        log.warning(
            "refresh_failed",
            account_id=str(account.id),
            failure=error.failure,
            cause=error.cause,
            verdict=verdict,
        )
        await _apply(conn, context, account, verdict, error, now=now)
    return True


async def look_for_alarm(conn: Database, context: Context, *, now: datetime) -> bool:
    """Return whether state changes must stop, and show it in the metrics."""
    window = await dues.read_window(conn, now - WATCHED)
    alarm = context.alarm.rings(window)
    ALARM.set(alarm)
    if alarm is not context.bell.is_ringing:
        context.bell.is_ringing = alarm
        write = log.error if alarm else log.info
        write("refresh_alarm", ringing=alarm, accounts=window.accounts, failed=window.failed)
    return alarm


async def _apply(
    conn: Database,
    context: Context,
    account: Account,
    verdict: Verdict,
    error: RefreshFailed,
    *,
    now: datetime,
) -> None:
    retry_at = now + timedelta(seconds=context.settings.retry_after)
    match verdict:
        case Verdict.MARK:
            MARKED.inc()
            await dues.plan_retry(conn, account.id, refused_at=None, retry_at=None)
            await accounts.drop_access_token(conn, account.id)
            health = State.REAUTHORIZATION_REQUIRED, error.cause
        case Verdict.REMEMBER:
            await dues.plan_retry(conn, account.id, refused_at=now, retry_at=retry_at)
            health = State.DEGRADED, rules.reason_of(error.failure).value
        case Verdict.DEGRADE:
            await _put_off(conn, account, retry_at, now=now)
            health = State.DEGRADED, rules.reason_of(error.failure).value
        case Verdict.NOTHING:
            await _put_off(conn, account, retry_at, now=now)
            return
    await accounts.set_health(conn, account.id, *health, now=now)
    ill = replace(account, state=health[0], reason=health[1])
    await settle_all(conn, context, ill, cause=error.cause, now=now)


async def _put_off(conn: Database, account: Account, retry_at: datetime, *, now: datetime) -> None:
    """Plan the next attempt, unless one is planned already: asking early moves nothing."""
    if account.state in (State.ACTIVE, State.DEGRADED):
        await dues.put_off_retry(conn, account.id, retry_at=retry_at, now=now)
