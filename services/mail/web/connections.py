"""HTTP handlers on connections: how they stand, and what is kept of their mail."""

from datetime import datetime

from aiohttp import web

from libs.common import clock
from libs.common.db import POOL, transaction
from libs.common.feeds import Feed
from libs.common.feeds.store import list_feeds
from libs.common.web import caller, path_uuid, read_body, reply
from services.mail.domain.connection import Connection
from services.mail.domain.watch import watch_state
from services.mail.store import connections as store
from services.mail.store import watches
from services.mail.store.connections import Counts
from services.mail.store.watches import WatchRow
from services.mail.web.messages import seen_by
from services.mail.web.models import (
    ConnectionSettings,
    ConnectionStatus,
    FeedOut,
    StatusOut,
    WatchOut,
)


async def read_status(request: web.Request) -> web.Response:
    """GET /v1/mail/status: every mailbox the caller may see."""
    who = caller(request)
    async with transaction(request.app[POOL]) as conn:
        found = await store.list_connections(conn, who.tenant_id, seen_by(who))
        ids = [one.id for one in found]
        feeds = await list_feeds(conn, who.tenant_id, ids)
        watched = await watches.list_watches(conn, [one.account_id for one in found])
        counts = await store.count_held(conn, who.tenant_id, ids)
    items = [
        _status(
            one,
            feeds=[feed for feed in feeds if feed.connection_id == one.id],
            watch=watched.get(one.account_id, WatchRow(None, None)),
            counts=counts[one.id],
            now=clock.now(),
        )
        for one in found
    ]
    return reply(StatusOut(items=items))


async def read_settings(request: web.Request) -> web.Response:
    """GET /v1/mail/connections/{id}/settings."""
    who, connection_id = caller(request), path_uuid(request)
    async with transaction(request.app[POOL]) as conn:
        found = await store.get_connection(conn, who.tenant_id, connection_id, user_id=seen_by(who))
    return reply(ConnectionSettings(policy=found.policy))


async def write_settings(request: web.Request) -> web.Response:
    """PUT /v1/mail/connections/{id}/settings: for mail that is taken in from now on."""
    who, connection_id = caller(request), path_uuid(request)
    wanted = await read_body(request, ConnectionSettings)
    async with transaction(request.app[POOL]) as conn:
        await store.get_connection(conn, who.tenant_id, connection_id, user_id=seen_by(who))
        await store.set_policy(conn, who.tenant_id, connection_id, wanted.policy)
    return reply(wanted)


def _status(
    one: Connection, *, feeds: list[Feed], watch: WatchRow, counts: Counts, now: datetime
) -> ConnectionStatus:
    return ConnectionStatus(
        connection_id=one.id,
        user_id=one.user_id,
        state=one.state,
        access=one.access,
        policy=one.policy,
        feeds=[_feed(feed) for feed in feeds],
        watch=WatchOut(
            state=watch_state(watch.expires_at, now=now),
            expires_at=watch.expires_at,
            failure=watch.failure,
        ),
        messages=counts.messages,
        dead_items=counts.dead_items,
    )


def _feed(feed: Feed) -> FeedOut:
    return FeedOut(
        id=feed.id,
        kind=feed.kind,
        state=feed.state,
        reason=feed.reason,
        has_cursor=feed.cursor is not None,
        failures=feed.failures,
        last_sync_at=feed.last_sync_at,
    )
