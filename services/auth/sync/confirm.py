"""The last step of connecting: the user who asked for it says that it was they who consented."""

from dataclasses import replace
from datetime import datetime

from libs.common.db import Connection as Database
from libs.common.errors import Conflict, Forbidden
from services.auth.domain import secrets
from services.auth.domain.model import LIVE, Account, Connection, Reason, State
from services.auth.store import accounts
from services.auth.store import connections as store
from services.auth.sync.context import Context
from services.auth.sync.publish import publish_disconnected, settle


async def confirm(
    conn: Database,
    context: Context,
    connection: Connection,
    confirmation: str | None,
    *,
    now: datetime,
) -> Connection:
    """Take a pending connection into use; one in use already is returned as it is.

    Args:
        conn: in a transaction.
        context: the tools.
        connection: found for the user who started it: the caller has checked.
        confirmation: what the consenting browser brought to the return address, if shown.
        now: when.

    Raises:
        Conflict: there was no consent yet (`consent-missing`), or it ended (`disconnected`).
        Forbidden: the confirmation is wrong, or missing where it is required.
    """
    if connection.account_id is None:
        raise _not_confirmable(connection)
    vault = await accounts.lock_vault(conn, connection.account_id)
    locked = await store.lock_connections_of(conn, connection.account_id, also=connection.id)
    mine = next((c for c in locked if c.id == connection.id), None)
    if mine is None or mine.account_id != vault.account.id:
        raise _not_confirmable(connection)
    if mine.state in LIVE:
        return mine
    if mine.state is not State.PENDING:
        raise _not_confirmable(mine)
    await _check_confirmation(conn, context, mine, confirmation)
    for other in locked:
        if other.id != mine.id and _is_twin(other, mine):
            await _supersede(conn, other, mine, vault.account, now=now)
    return await settle(conn, context, mine, vault.account, cause="consent", now=now)


async def _check_confirmation(
    conn: Database, context: Context, connection: Connection, confirmation: str | None
) -> None:
    if confirmation is None:
        if context.settings.require_confirmation:
            raise Forbidden("Confirming takes the secret.", slug="confirmation-missing")
        return
    if not await store.is_confirmation(conn, connection.id, secrets.digest(confirmation)):
        raise Forbidden("This is not what the browser was told.", slug="confirmation-wrong")


def _not_confirmable(connection: Connection) -> Conflict:
    if connection.state is State.DISCONNECTED:
        return Conflict("The connection was disconnected.", slug="disconnected")
    return Conflict("The person has not consented at Google yet.", slug="consent-missing")


def _is_twin(other: Connection, mine: Connection) -> bool:
    same_user = (other.tenant_id, other.user_id) == (mine.tenant_id, mine.user_id)
    return same_user and other.state in LIVE


async def _supersede(
    conn: Database, other: Connection, mine: Connection, account: Account, *, now: datetime
) -> None:
    """End the products that the same user now has through `mine`: nothing is read twice."""
    ended = [
        product
        for grant in mine.usable
        for product in await store.end_products(conn, other, grant.product, purge=False, now=now)
    ]
    if not ended:
        return
    left = tuple(grant for grant in other.grants if grant.product not in ended)
    after = replace(other, grants=left)
    if not left:
        after = replace(after, state=State.DISCONNECTED, reason=Reason.SUPERSEDED)
        await store.set_state(conn, other.id, after.state, after.reason, now=now)
    await publish_disconnected(
        conn, after, account, ended, purge=False, cause=Reason.SUPERSEDED, now=now
    )
