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
from libs.common.quota import Left
from libs.common.sync_logs import Rate, list_rates
from libs.common.web import Access, Route, caller, read_query, reply, seen_by
from services.contacts.domain.connection import Connection
from services.contacts.domain.words import REASONS
from services.contacts.google.costs import Ledgers
from services.contacts.store import connections, standing, sync_logs
from services.contacts.store.sync_logs import WantedLines
from services.contacts.sync.feeds import AUDIT, GROUPS, PEOPLE
from services.contacts.web.status_models import (
    ConnectionStatus,
    ErrorOut,
    FeedOut,
    GroupStatus,
    LineOut,
    LogPage,
    LogPosition,
    LogQuery,
    QuotaOut,
    SettingsSummary,
    StatusOut,
    Totals,
)

LEDGERS = web.AppKey("ledgers", Ledgers)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What is known of all connections of an answer."""

    feeds: Sequence[Feed]
    counts: Mapping[UUID, standing.Counts]
    groups: Sequence[Any]
    errors: Sequence[Any]
    rates: Mapping[UUID, Rate]
    reads: Mapping[UUID, Left]
    writes: Mapping[UUID, Left]


async def read_status(request: web.Request) -> web.Response:
    """GET /v1/contacts/status: every connection the caller may see."""
    who, now, ledgers = caller(request), clock.now(), request.app[LEDGERS]
    async with transaction(request.app[POOL]) as conn:
        found = await connections.list_connections(conn, who.tenant_id, seen_by(who))
        ids, accounts = [one.id for one in found], [one.account_id for one in found]
        contacts, groups = await standing.count_totals(conn, who.tenant_id, seen_by(who))
        seen = _Seen(
            feeds=await list_feeds(conn, who.tenant_id, ids),
            counts=await standing.count_held(conn, who.tenant_id, ids),
            groups=await standing.list_groups(conn, who.tenant_id, ids),
            errors=await standing.list_errors(conn, who.tenant_id, ids, since=now - DAY),
            rates=await list_rates(conn, who.tenant_id, ids, since=now - DAY),
            reads=await ledgers.reads.left(conn, accounts),
            writes=await ledgers.writes.left(conn, accounts),
        )
    totals = Totals(contacts=contacts, groups=groups)
    return reply(StatusOut(totals=totals, items=[_status(one, seen) for one in found]))


async def read_log(request: web.Request) -> web.Response:
    """GET /v1/contacts/sync-logs: what went which way, newest first."""
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
            kind=query.kind,
            direction=query.direction,
            action=query.action,
            status=query.status,
            item_id=query.item_id,
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
    return LineOut.model_validate({**columns, "google_id": columns.pop("resource")})


def _status(one: Connection, seen: _Seen) -> ConnectionStatus:
    mine, counts = one.preferences, seen.counts[one.id]
    feeds = [feed for feed in seen.feeds if feed.connection_id == one.id]
    reads, writes = seen.reads.get(one.account_id), seen.writes.get(one.account_id)
    labels_at = _last_sync([feed for feed in feeds if feed.kind == GROUPS])
    return ConnectionStatus(
        connection_id=one.id,
        user_id=one.user_id,
        state=one.state,
        access=one.access,
        paused=one.state in RUNNING and one.is_paused,
        settings=SettingsSummary(
            enabled=mine.enabled,
            imports=mine.imports,
            push=mine.push,
            conflict_policy=mine.conflict_policy,
        ),
        read_at=one.read_at,
        confirmed_at=one.confirmed_at,
        feeds=[_feed(feed) for feed in feeds],
        people=counts.people,
        linked=counts.linked,
        waiting_writes=counts.writes,
        dead_items=counts.dead_items,
        open_conflicts=counts.conflicts,
        open_holds=counts.holds,
        groups=[_group(row, labels_at) for row in seen.groups if row["connection_id"] == one.id],
        errors=[
            ErrorOut(error=row["error"], times=row["times"], at=row["at"])
            for row in seen.errors
            if row["connection_id"] == one.id
        ],
        quota=None
        if reads is None or writes is None
        else QuotaOut(reads=reads.minute, writes=writes.minute),
        last_sync_at=_last_sync([feed for feed in feeds if feed.kind in {PEOPLE, GROUPS}]),
        last_day=rate_out(seen.rates.get(one.id)),
    )


def _group(row: Any, labels_at: datetime | None) -> GroupStatus:
    columns = {name: value for name, value in row.items() if name != "connection_id"}
    return GroupStatus.model_validate({**columns, "last_sync_at": labels_at})


def _feed(feed: Feed) -> FeedOut:
    return FeedOut(
        id=feed.id,
        kind=feed.kind,
        state=feed.state,
        reason=feed.reason,
        summary=in_words(feed, REASONS),
        has_cursor=feed.cursor is not None,
        failures=feed.failures,
        last_sync_at=feed.last_sync_at,
        progress=progress_of(feed) if feed.kind == AUDIT else None,
    )


def _last_sync(feeds: Sequence[Feed]) -> datetime | None:
    """Return when the one that is furthest behind was last in step; None: one never was."""
    moments = [feed.last_sync_at for feed in feeds]
    return furthest_behind(moments)


ROUTES = (
    Route(
        method="GET",
        path="/v1/contacts/status",
        handler=read_status,
        access=Access.USER_OR_SERVICE,
        summary="How every connection's contacts are kept in step",
        returns=StatusOut,
        tags=("connections",),
    ),
    Route(
        method="GET",
        path="/v1/contacts/sync-logs",
        handler=read_log,
        access=Access.USER_OR_SERVICE,
        summary="What went which way and how it ended, newest first",
        query=LogQuery,
        returns=LogPage,
        tags=("operations",),
    ),
)
