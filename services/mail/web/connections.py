"""HTTP handler on connections: how they stand."""

from datetime import datetime

from aiohttp import web

from libs.common import clock
from libs.common.db import POOL, transaction
from libs.common.feeds import Feed
from libs.common.feeds.store import list_feeds
from libs.common.feeds.words import in_words
from libs.common.operations.models import progress_of
from libs.common.quota import Ledger, Left
from libs.common.web import Access, Route, caller, reply, seen_by
from services.mail.domain.connection import Connection
from services.mail.domain.watch import watch_state
from services.mail.domain.words import REASONS
from services.mail.store import connections as store
from services.mail.store import watches
from services.mail.store.connections import Counts
from services.mail.store.send_limits import SentToday, count_sent
from services.mail.store.watches import WatchRow
from services.mail.sync.feeds import AUDIT, BACKFILL, LIVE, REPAIR
from services.mail.sync.outward.submitting import DAY, Limits
from services.mail.web.connection_models import (
    ConnectionStatus,
    FeedOut,
    QuotaOut,
    SendsOut,
    StatusOut,
    WatchOut,
)
from services.mail.web.sending import SUBMISSIONS
from services.mail.web.settings_models import Paused

LEDGER = web.AppKey("ledger", Ledger)
COMPARING = frozenset({BACKFILL, REPAIR, AUDIT})


async def read_status(request: web.Request) -> web.Response:
    """GET /v1/mail/status: every mailbox the caller may see."""
    who = caller(request)
    async with transaction(request.app[POOL]) as conn:
        found = await store.list_connections(conn, who.tenant_id, seen_by(who))
        ids = [one.id for one in found]
        feeds = await list_feeds(conn, who.tenant_id, ids)
        watched = await watches.list_watches(conn, [one.account_id for one in found])
        counts = await store.count_held(conn, who.tenant_id, ids)
        accounts = [one.account_id for one in found]
        left = await request.app[LEDGER].left(conn, accounts)
        sent = await count_sent(
            conn, who.tenant_id, accounts, since=clock.now() - DAY, until=clock.now()
        )
    items = [
        _status(
            one,
            feeds=[feed for feed in feeds if feed.connection_id == one.id],
            watch=watched.get(one.account_id, WatchRow(None, None)),
            counts=counts[one.id],
            left=left.get(one.account_id),
            sends=_sends(sent[one.account_id], request.app[SUBMISSIONS].limits),
            now=clock.now(),
        )
        for one in found
    ]
    return reply(StatusOut(items=items))


def _status(
    one: Connection,
    *,
    feeds: list[Feed],
    watch: WatchRow,
    counts: Counts,
    left: Left | None,
    sends: SendsOut,
    now: datetime,
) -> ConnectionStatus:
    return ConnectionStatus(
        connection_id=one.id,
        user_id=one.user_id,
        state=one.state,
        access=one.access,
        paused=Paused.of(one),
        policy=one.policy,
        visibility=one.visibility,
        backfill_days=one.backfill_days,
        complete_since=one.complete_since,
        feeds=[_feed(feed, now=now) for feed in feeds],
        watch=WatchOut(
            state=watch_state(watch.expires_at, now=now),
            expires_at=watch.expires_at,
            failure=watch.failure,
        ),
        messages=counts.messages,
        traces=counts.traces,
        dead_items=counts.dead_items,
        quota=None if left is None else QuotaOut(minute=left.minute, backfill_today=left.today),
        sends=sends,
    )


def _sends(sent: SentToday, limits: Limits) -> SendsOut:
    return SendsOut(
        messages=sent.messages,
        messages_allowed=limits.messages,
        recipients=sent.recipients,
        recipients_allowed=limits.recipients,
    )


def _feed(feed: Feed, *, now: datetime) -> FeedOut:
    live = feed.kind == LIVE
    in_step = feed.last_sync_at if live else None
    return FeedOut(
        id=feed.id,
        kind=feed.kind,
        state=feed.state,
        reason=feed.reason,
        summary=in_words(feed, REASONS),
        has_cursor=feed.cursor is not None,
        failures=feed.failures,
        last_sync_at=feed.last_sync_at,
        lag_s=None if in_step is None else max(0.0, (now - in_step).total_seconds()),
        progress=progress_of(feed) if feed.kind in COMPARING else None,
    )


ROUTES = (
    Route(
        method="GET",
        path="/v1/mail/status",
        handler=read_status,
        access=Access.USER_OR_SERVICE,
        summary="How every mailbox's feed and watch stand",
        returns=StatusOut,
        tags=("connections",),
    ),
)
