"""Brings connections to where their account says they stand, and tells the other services."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from libs.common import outbox
from libs.common.db import Connection as Database
from libs.common.events import auth as events
from libs.common.events.base import Event, Origin
from libs.common.events.envelope import Envelope
from services.auth.domain.model import LIVE, Account, Connection, Consent, Grant, Product, State
from services.auth.domain.rules import News, Standing, news, standing
from services.auth.store import connections as store
from services.auth.sync.context import Context, issue_link


async def settle(
    conn: Database,
    context: Context,
    connection: Connection,
    account: Account,
    *,
    cause: str,
    now: datetime,
) -> Connection:
    """Bring a confirmed connection to where it stands; publish what changed.

    Args:
        conn: in a transaction that holds the locks of account and connection.
        context: the tools.
        connection: as stored; one that is pending counts as confirmed from now on.
        account: as stored.
        cause: a constant for the event.
        now: when.

    Returns:
        The connection as it is now.
    """
    before, after = Standing.of(connection), standing(connection, account)
    what = news(before, after)
    if after == before:
        return connection
    if after.grants != before.grants:
        await store.set_grants(conn, connection, after.grants)
    await store.set_state(conn, connection.id, after.state, after.reason, now=now, connected=True)
    settled = replace(
        connection,
        state=after.state,
        reason=after.reason,
        grants=after.grants,
        connected_at=connection.connected_at or now,
    )
    if what is not None:
        event = await _event(conn, context, what, settled, account, cause=cause, now=now)
        await publish(conn, settled, event, now=now)
    return settled


async def settle_all(
    conn: Database, context: Context, account: Account, *, cause: str, now: datetime
) -> None:
    """Bring all confirmed connections of an account to where they stand; see `settle`."""
    for connection in await store.lock_connections_of(conn, account.id):
        if connection.state in LIVE:
            await settle(conn, context, connection, account, cause=cause, now=now)


async def _event(
    conn: Database,
    context: Context,
    what: News,
    connection: Connection,
    account: Account,
    *,
    cause: str,
    now: datetime,
) -> Event:
    facts = _facts(connection, account, cause)
    match what:
        case News.AUTHORIZED:
            return events.ConnectionAuthorized(**facts)
        case News.CHANGED:
            return events.ConnectionChanged(**facts, state=connection.state.value)
        case News.REAUTHORIZATION_REQUIRED:
            link = await _renewal_link(conn, context, connection, account, now=now)
            return events.ConnectionReauthorizationRequired(**facts, reauthorize_url=link)


async def _renewal_link(
    conn: Database, context: Context, connection: Connection, account: Account, *, now: datetime
) -> str:
    consent = Consent(
        tenant_id=connection.tenant_id,
        connection_id=connection.id,
        return_url=connection.return_url,
        wishes=connection.wishes,
        login_hint=account.email,
    )
    ttl_s = context.settings.renewal_ttl
    return await issue_link(conn, context, consent, now=now, ttl_s=ttl_s)


async def publish_disconnected(
    conn: Database,
    connection: Connection,
    account: Account,
    ended: list[Product],
    *,
    purge: bool,
    cause: str,
    now: datetime,
) -> None:
    """Tell that products of the connection ended; `connection` is as it is afterwards."""
    facts = _facts(connection, account, cause)
    # What is left is told even while it waits for the person: it has not ended.
    facts["products"] = _products(connection.usable)
    event = events.ConnectionDisconnected(
        **facts,
        disconnected_products=tuple(product.value for product in ended),
        purge=purge,
    )
    await publish(conn, connection, event, now=now)


async def publish(conn: Database, connection: Connection, event: Event, *, now: datetime) -> None:
    """Append the event to the outbox with the connection's next number."""
    envelope = Envelope.of(
        event,
        tenant_id=connection.tenant_id,
        aggregate_id=str(connection.id),
        sequence=await store.next_sequence(conn, connection.id),
        time=now,
    )
    await outbox.append(conn, envelope)


def _facts(connection: Connection, account: Account, cause: str) -> dict[str, Any]:
    is_usable = connection.state in (State.ACTIVE, State.DEGRADED)
    return {
        "origin": Origin.LIVE,
        "connection_id": connection.id,
        "user_id": connection.user_id,
        "account": events.Account(id=account.id, email=account.email),
        "products": _products(connection.usable if is_usable else ()),
        "cause": cause,
    }


def _products(grants: Iterable[Grant]) -> tuple[events.Product, ...]:
    return tuple(
        events.Product(name=grant.product.value, access=grant.access.value)
        for grant in grants
        if grant.access is not None
    )
