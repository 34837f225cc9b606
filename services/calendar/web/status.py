"""HTTP handlers on how connections stand, and on what went which way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from aiohttp import web

from libs.common import clock, pagination
from libs.common.connections.model import RUNNING
from libs.common.db import POOL, transaction
from libs.common.feeds import Feed
from libs.common.feeds.store import list_feeds
from libs.common.feeds.words import in_words
from libs.common.operations.models import progress_of
from libs.common.operations.rates import furthest_behind, rate_out
from libs.common.quota import Ledger, Left
from libs.common.sync_logs import Rate, list_rates
from libs.common.web import Access, Route, caller, read_query, reply, seen_by
from services.calendar.domain.connection import Connection
from services.calendar.domain.words import REASONS
from services.calendar.store import calendars, channels, connections, standing, sync_logs
from services.calendar.store.calendars import Calendar
from services.calendar.store.channels import WatchRow
from services.calendar.store.sync_logs import WantedLines
from services.calendar.sync.feeds import AUDIT, EVENTS
from services.calendar.web.status_models import (
    ConnectionStatus,
    FeedOut,
    LineOut,
    LogPage,
    LogPosition,
    LogQuery,
    QuotaOut,
    SettingsSummary,
    StatusOut,
    WatchedOut,
)

LEDGER = web.AppKey("ledger", Ledger)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What is known of all connections of an answer."""

    calendars: Sequence[Calendar]
    feeds: Sequence[Feed]
    watches: Mapping[tuple[UUID, str], WatchRow]
    counts: Mapping[UUID, standing.Counts]
    rates: Mapping[UUID, Rate]
    left: Mapping[UUID, Left]


async def read_status(request: web.Request) -> web.Response:
    """GET /v1/calendar/status: every connection the caller may see."""
    who, now = caller(request), clock.now()
    async with transaction(request.app[POOL]) as conn:
        found = await connections.list_connections(conn, who.tenant_id, seen_by(who))
        ids, accounts = [one.id for one in found], [one.account_id for one in found]
        seen = _Seen(
            calendars=await calendars.list_calendars(conn, who.tenant_id, ids, gone=True),
            feeds=await list_feeds(conn, who.tenant_id, ids),
            watches=await channels.list_watches(conn, accounts),
            counts=await standing.count_held(conn, who.tenant_id, ids),
            rates=await list_rates(conn, who.tenant_id, ids, since=now - DAY),
            left=await request.app[LEDGER].left(conn, accounts),
        )
    return reply(StatusOut(items=[_status(one, seen, now=now) for one in found]))


async def read_log(request: web.Request) -> web.Response:
    """GET /v1/calendar/sync-logs: what went which way, newest first."""
    who, query = caller(request), read_query(request, LogQuery)
    before = pagination.decode_cursor(query.cursor, LogPosition)
    async with transaction(request.app[POOL]) as conn:
        ids = None
        if (user_id := seen_by(who)) is not None or query.connection_id is not None:
            mine = await connections.list_connections(conn, who.tenant_id, user_id)
            ids = [one.id for one in mine if query.connection_id in (None, one.id)]
        wanted = WantedLines(
            tenant_id=who.tenant_id,
            connection_ids=ids,
            direction=query.direction,
            action=query.action,
            status=query.status,
            event_id=query.event_id,
            appointment_id=query.appointment_id,
            since=query.since,
            before=None if before is None else before.id,
            limit=query.limit + 1,
        )
        rows = await sync_logs.list_lines(conn, wanted)
    kept, cursor = pagination.cut(
        rows, limit=query.limit, position=lambda row: LogPosition(id=row["id"])
    )
    return reply(LogPage(items=[_line(row) for row in kept], next_cursor=cursor))


def _line(row: Any) -> LineOut:
    columns = dict(row.items())
    return LineOut.model_validate({**columns, "google_event_id": columns.pop("google_id")})


def _status(one: Connection, seen: _Seen, *, now: datetime) -> ConnectionStatus:
    mine, counts = one.preferences, seen.counts[one.id]
    listed = {found.google_id: found for found in seen.calendars if found.connection_id == one.id}
    feeds = [feed for feed in seen.feeds if feed.connection_id == one.id]
    read = [found for found in listed.values() if found.is_read and one.takes_in]
    left = seen.left.get(one.account_id)
    return ConnectionStatus(
        connection_id=one.id,
        user_id=one.user_id,
        state=one.state,
        access=one.access,
        paused=one.state in RUNNING and one.is_paused,
        settings=SettingsSummary(
            enabled=mine.enabled,
            direction=mine.direction,
            sync_past_days=mine.sync_past_days,
            sync_future_days=mine.sync_future_days,
            conflict_policy=mine.conflict_policy,
            target_calendar_id=mine.target_calendar_id,
        ),
        ends_by=one.leave and one.leave.by,
        complete_since=one.complete_since,
        feeds=[_feed(feed, listed) for feed in feeds],
        calendars=[
            _watched(found, seen.watches.get((one.account_id, found.google_id)), now=now)
            for found in read
        ],
        events=counts.events,
        dead_items=counts.dead_items,
        open_conflicts=counts.conflicts,
        quota=None if left is None else QuotaOut(minute=left.minute, backfill_today=left.today),
        last_sync_at=_last_sync(feeds, read),
        last_day=rate_out(seen.rates.get(one.id)),
    )


def _feed(feed: Feed, listed: Mapping[str, Calendar]) -> FeedOut:
    calendar = listed.get(feed.resource)
    return FeedOut(
        id=feed.id,
        kind=feed.kind,
        calendar_id=None if calendar is None else calendar.id,
        state=feed.state,
        reason=feed.reason,
        summary=in_words(feed, REASONS),
        has_cursor=feed.cursor is not None,
        failures=feed.failures,
        last_sync_at=feed.last_sync_at,
        progress=progress_of(feed) if feed.kind == AUDIT else None,
    )


def _watched(calendar: Calendar, watch: WatchRow | None, *, now: datetime) -> WatchedOut:
    expires_at = None if watch is None else watch.expires_at
    lives = expires_at is not None and expires_at > now
    return WatchedOut(
        calendar_id=calendar.id,
        google_id=calendar.google_id,
        summary=calendar.summary,
        is_primary=calendar.is_primary,
        watch="watched" if lives else "polled",
        expires_at=expires_at,
        failure=None if watch is None else watch.failure,
    )


def _last_sync(feeds: Sequence[Feed], read: Sequence[Calendar]) -> datetime | None:
    """Return when the calendar that is furthest behind was last in step; None: one never was."""
    at = {feed.resource: feed.last_sync_at for feed in feeds if feed.kind == EVENTS}
    moments = [at.get(calendar.google_id) for calendar in read]
    return furthest_behind(moments)


ROUTES = (
    Route(
        method="GET",
        path="/v1/calendar/status",
        handler=read_status,
        access=Access.USER_OR_SERVICE,
        summary="How every connection's calendars are kept in step",
        returns=StatusOut,
        tags=("connections",),
    ),
    Route(
        method="GET",
        path="/v1/calendar/sync-logs",
        handler=read_log,
        access=Access.USER_OR_SERVICE,
        summary="What went which way and how it ended, newest first",
        query=LogQuery,
        returns=LogPage,
        tags=("operations",),
    ),
)
