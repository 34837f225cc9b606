"""Disconnecting, and revoking at Google what nobody is connected to any more."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

import structlog
from prometheus_client import Counter

from libs.common import clock
from libs.common.db import Connection as Database
from libs.common.db import transaction
from libs.common.errors import Conflict, NotFound, Transient, UpstreamError
from libs.common.ids import new_id
from services.auth.domain.model import Account, Connection, Product, Reason, State
from services.auth.domain.sealing import Unsealable
from services.auth.store import accounts, consents, dues
from services.auth.store import connections as store
from services.auth.store.accounts import Vault
from services.auth.sync.context import Context
from services.auth.sync.publish import publish_disconnected
from services.auth.sync.refresh import LEASE

MAX_ATTEMPTS = 24
FIRST_DELAY_S = 30.0
LONGEST_DELAY_S = 3600.0

REVOCATIONS = Counter(
    "causeway_auth_revocations_total", "Revocations of grants at Google.", ["outcome"]
)

log = structlog.stdlib.get_logger(__name__)


async def disconnect(
    conn: Database,
    connection: Connection,
    product: Product | None,
    *,
    purge: bool,
    now: datetime,
    asked_at: datetime | None = None,
) -> Connection:
    """End one product of the connection (None: all of it); return it as it is then.

    The grant is only marked for revocation, and only if no other connection of the account
    has any product: revoking ends every scope. Ending what ended before changes nothing,
    except that `purge` may still be asked for.

    Args:
        conn: inside a transaction.
        connection: as it was read.
        product: which; None: all of them.
        purge: what was read for it is to go, too.
        now: the present moment.
        asked_at: when the person asked for it, if that was earlier: a consent to the product
            since then counts. None: now.

    Raises:
        Conflict: `consented-since`: the person wants the product again.
        NotFound: the connection never had that product.
        Transient: a consent tied it to another account since `connection` was read.
    """
    account = await _lock_account(conn, connection)
    mine = await store.lock_connection(conn, connection.id)
    if mine is None:
        raise NotFound("There is no such connection.")
    if mine.account_id != connection.account_id:  # locking that one now could deadlock
        raise Transient("The connection is being consented to at this moment.")
    if asked_at is not None and await store.is_wanted_since(conn, mine, product, asked_at):
        raise Conflict("Somebody consented to it since.", slug="consented-since")
    ended = await store.end_products(conn, mine, product, purge=purge, now=now)
    if not ended:
        if product is not None and not await store.had_product(conn, mine, product):
            raise NotFound("The connection has no such product.")
        return mine
    left = tuple(grant for grant in mine.grants if grant.product not in ended)
    after = replace(mine, grants=left)
    if not left:
        after = replace(after, state=State.DISCONNECTED, reason=Reason.USER_DISCONNECTED)
        await store.set_state(conn, mine.id, after.state, after.reason, now=now)
    await _forget_consents(conn, mine)
    if account is not None:
        if mine.connected_at is not None:
            cause = Reason.USER_DISCONNECTED
            await publish_disconnected(
                conn, after, account, ended, purge=purge, cause=cause, now=now
            )
        await revoke_if_unused(conn, account, now=now)
    return after


async def _lock_account(conn: Database, connection: Connection) -> Account | None:
    if connection.account_id is None:
        return None
    return (await accounts.lock_vault(conn, connection.account_id)).account


async def _forget_consents(conn: Database, connection: Connection) -> None:
    """Make open links void: none may bring back what was just ended."""
    await consents.forget_consents(conn, connection.tenant_id, connection.id)


async def revoke_if_unused(conn: Database, account: Account, *, now: datetime) -> None:
    """Mark the grant for revocation if no connection of the account has a product."""
    if account.state is State.DISCONNECTED or await dues.is_in_use(conn, account.id):
        return
    await dues.ask_revocation(conn, account.id, now=now)


async def end_unconfirmed(
    conn: Database, connection_id: UUID, account_id: UUID | None, *, now: datetime
) -> bool:
    """End a connection nobody confirmed; False: somebody did by now."""
    account = None
    if account_id is not None:
        account = (await accounts.lock_vault(conn, account_id)).account
    mine = await store.lock_connection(conn, connection_id)
    if mine is None or mine.state is not State.PENDING or mine.account_id != account_id:
        return False
    await store.end_products(conn, mine, None, purge=False, now=now)
    await store.set_state(conn, mine.id, State.DISCONNECTED, Reason.NOT_CONFIRMED, now=now)
    await _forget_consents(conn, mine)
    if account is not None:
        await revoke_if_unused(conn, account, now=now)
    return True


async def revoke_if_over(context: Context, connection: Connection) -> None:
    """Revoke at once, if Google lets us, what the end of a connection left unused.

    The worker does it otherwise.
    """
    if connection.state is State.DISCONNECTED and connection.account_id is not None:
        await revoke(context, connection.account_id)


async def revoke(context: Context, account_id: UUID) -> None:
    """Revoke the account's grant at Google if that is due; a failure is tried again later."""
    lease_id = new_id()
    vault = await _claim(context, account_id, lease_id)
    if vault is None:
        return
    try:
        if vault.refresh is not None:
            place = accounts.refresh_place(account_id)
            await context.google.revoke(context.keyring.open(vault.refresh, place))
    except (UpstreamError, Unsealable) as exc:
        REVOCATIONS.labels("failed").inc()
        await _postpone(context, vault.account, lease_id, error=type(exc).__name__)
        return
    REVOCATIONS.labels("ok").inc()
    await _empty(context, vault.account, lease_id)


async def _claim(context: Context, account_id: UUID, lease_id: UUID) -> Vault | None:
    """Take the account's lease for a revocation that is due and still right, or None."""
    now = clock.now()
    async with transaction(context.pool) as conn:
        vault = await accounts.lock_vault(conn, account_id)
        if not await dues.is_revocation_due(conn, account_id, now=now):
            return None
        if await dues.is_in_use(conn, account_id):
            await dues.drop_revocation(conn, account_id)
            return None
        taken = await accounts.take_lease(conn, vault, lease_id, until=now + LEASE, now=now)
        return vault if taken else None


async def _postpone(context: Context, account: Account, lease_id: UUID, *, error: str) -> None:
    async with transaction(context.pool) as conn:
        await accounts.drop_lease(conn, account.id, lease_id)
        attempts = await dues.postpone_revocation(
            conn, account, now=clock.now(), first_s=FIRST_DELAY_S, longest_s=LONGEST_DELAY_S
        )
    log.warning("revocation_failed", account_id=str(account.id), error=error, attempts=attempts)
    if attempts >= MAX_ATTEMPTS:
        REVOCATIONS.labels("given_up").inc()
        log.error("revocation_given_up", account_id=str(account.id))
        await _empty(context, account, lease_id)


async def _empty(context: Context, account: Account, lease_id: UUID) -> None:
    async with transaction(context.pool) as conn:
        await accounts.drop_lease(conn, account.id, lease_id)
        if not await dues.empty_vault(conn, account, now=clock.now()):
            # The person consented anew while we revoked: what they gave may be gone too. The
            # next refresh finds out and says so.
            log.warning("revocation_overtaken", account_id=str(account.id))
