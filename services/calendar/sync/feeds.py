"""The feeds of a connection: what each is for, and how it is opened.

`calendar.list` follows the person's list of calendars, `calendar.events` one calendar of it that
is read; beside it `calendar.audit` compares that calendar in full. `calendar.work` does what
entities, settings and reminders ask for, and `calendar.write` carries what the CRM changes.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.feeds import Feed, FeedState, NewFeed
from libs.common.feeds.store import (
    list_feeds,
    open_feed,
    raise_later,
    raise_signals,
    stop_feed,
)
from services.calendar.domain.connection import Connection
from services.calendar.store.calendars import Calendar, list_calendars
from services.calendar.store.channels import end_watches, is_followed
from services.calendar.store.connections import set_complete_since

LIST: Final = "calendar.list"
EVENTS: Final = "calendar.events"
AUDIT: Final = "calendar.audit"
WORK: Final = "calendar.work"
WRITE: Final = "calendar.write"
SIGNAL_TIMEOUT_S = 5.0
SOON: Final = timedelta(seconds=5)
"""What comes within it is looked at together."""
UNCHOSEN: Final = "not-chosen"
"""Why a feed is closed whose calendar nobody wants read."""


def calendar_address(account_id: UUID, google_id: str) -> str:
    """Return what calls the feeds of a calendar, of every tenant that reads it."""
    return f"calendar:{account_id}:{google_id}"


def work_address(connection_id: UUID) -> str:
    """Return what calls the feed that does the work of a connection."""
    return f"work:{connection_id}"


def write_address(connection_id: UUID) -> str:
    """Return what calls the feed that carries a connection's writes."""
    return f"write:{connection_id}"


def list_address(connection_id: UUID) -> str:
    """Return what calls the feed of a person's list of calendars."""
    return f"list:{connection_id}"


def audit_address(calendar_id: UUID) -> str:
    """Return what calls the feed that compares a calendar."""
    return f"audit:{calendar_id}"


def fingerprint(since: datetime, calendar: Calendar) -> str:
    """Return the query a calendar's cursor belongs to: a cursor of another one is void."""
    seen = "details" if calendar.shows_details else "busy"
    return f"v1 since={since.isoformat()} {seen}"


async def open_all(conn: Conn, connection: Connection, *, now: datetime) -> None:
    """Open what a connection always has, and its chosen calendars as far as they are known."""
    for kind, address in (
        (LIST, list_address(connection.id)),
        (WRITE, write_address(connection.id)),
        (WORK, work_address(connection.id)),
    ):
        new = _new(connection, kind, resource="", address=address, background=kind == WORK)
        await open_feed(conn, new, now=now)
    await follow_choice(conn, connection, now=now, audit_every=None)


async def follow_choice(
    conn: Conn, connection: Connection, *, now: datetime, audit_every: timedelta | None
) -> None:
    """Open the feeds of calendars that should be read, and close those of others.

    Feeds that are open as they should be are left alone.

    Args:
        conn: inside a transaction.
        connection: whose.
        now: the present moment.
        audit_every: when a new calendar is compared for the first time; None: after a day.
    """
    since = await _since(conn, connection, now=now)
    known = {
        (one.kind, one.resource): one
        for one in await list_feeds(conn, connection.tenant_id, [connection.id])
    }
    calendars = await list_calendars(conn, connection.tenant_id, [connection.id], gone=True)
    read = [one for one in calendars if one.is_read and connection.takes_in]
    over = [
        feed
        for one in calendars
        if one not in read
        for kind in (EVENTS, AUDIT)
        if (feed := known.get((kind, one.google_id))) and feed.state is not FeedState.CLOSED
    ]
    if over:
        # Its events go. Signals of others go before feeds are locked.
        await wake(conn, work_address(connection.id), now=now)
    for feed in over:
        await stop_feed(conn, feed, state=FeedState.CLOSED, reason=UNCHOSEN)
        if feed.kind == EVENTS and not await is_followed(conn, feed.account_id, feed.resource):
            await end_watches(conn, feed.account_id, feed.resource)
    for calendar in read:
        feeds = [known.get((kind, calendar.google_id)) for kind in (EVENTS, AUDIT)]
        live = new_events_feed(connection, calendar, since=since)
        if not _stands(feeds[0], live):
            # What was read before it was closed has been let go since.
            was_closed = feeds[0] is not None and feeds[0].state is FeedState.CLOSED
            await open_feed(conn, replace(live, restart=was_closed), now=now)
        audit = new_audit_feed(connection, calendar)
        if not _stands(feeds[1], audit):
            first = now + (audit_every or timedelta(days=1))
            await open_feed(conn, audit, now=now, due_at=first)


async def _since(conn: Conn, connection: Connection, *, now: datetime) -> datetime:
    """Return from when on calendars are taken in; it is decided once, and when settings change."""
    since = connection.complete_since
    if since is None:
        since = begin_of(connection, now=now)
        await set_complete_since(conn, connection.tenant_id, connection.id, since)
    return since


def begin_of(connection: Connection, *, now: datetime) -> datetime:
    """Return from when on calendars should be taken in: a full minute, as the query has it."""
    days = timedelta(days=connection.preferences.sync_past_days)
    return (now - days).replace(second=0, microsecond=0)


def new_events_feed(connection: Connection, calendar: Calendar, *, since: datetime) -> NewFeed:
    """Return what is needed to open the feed of a calendar."""
    return _new(
        connection,
        EVENTS,
        resource=calendar.google_id,
        address=calendar_address(connection.account_id, calendar.google_id),
        fingerprint=fingerprint(since, calendar),
    )


def new_audit_feed(connection: Connection, calendar: Calendar) -> NewFeed:
    """Return what is needed to open the feed that compares a calendar."""
    return _new(
        connection,
        AUDIT,
        resource=calendar.google_id,
        address=audit_address(calendar.id),
        background=True,
    )


def _new(
    connection: Connection,
    kind: str,
    *,
    resource: str,
    address: str,
    fingerprint: str = "",
    background: bool = False,
) -> NewFeed:
    return NewFeed(
        tenant_id=connection.tenant_id,
        connection_id=connection.id,
        account_id=connection.account_id,
        kind=kind,
        resource=resource,
        address=address,
        fingerprint=fingerprint,
        background=background,
    )


def _stands(feed: Feed | None, new: NewFeed) -> bool:
    return (
        feed is not None
        and feed.state in (FeedState.ACTIVE, FeedState.DEGRADED)
        and feed.account_id == new.account_id
        and feed.fingerprint == new.fingerprint
    )


async def wake(conn: Conn, *addresses: str, now: datetime) -> None:
    """Let the feeds with these addresses run soon."""
    await raise_signals(conn, list(addresses), now=now, timeout_s=SIGNAL_TIMEOUT_S)


async def wake_soon(conn: Conn, *addresses: str, now: datetime) -> None:
    """Let the feeds with these addresses run once for all that wakes them so within `SOON`."""
    await raise_later(conn, list(addresses), due_at=now + SOON, timeout_s=SIGNAL_TIMEOUT_S)
