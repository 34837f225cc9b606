"""The feeds of a mailbox: what each is for, and how it is opened.

`mail.live` follows the history. Beside it, so that new mail never waits for old: `mail.backfill`
takes in what was there before, `mail.repair` compares after a gap or on request, `mail.audit`
compares every day, `mail.work` does what entities and people ask for, and `mail.write` carries
what the CRM changes to Google.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from libs.common.addresses import fold_address
from libs.common.connections.model import RUNNING
from libs.common.db import Connection as Conn
from libs.common.feeds import Feed, FeedState, NewFeed
from libs.common.feeds.compare import Plan, Reason, Standing
from libs.common.feeds.store import list_feeds, open_feed, raise_signals
from services.mail.domain.connection import Connection
from services.mail.store import connections, snapshots

LIVE: Final = "mail.live"
BACKFILL: Final = "mail.backfill"
REPAIR: Final = "mail.repair"
AUDIT: Final = "mail.audit"
WORK: Final = "mail.work"
WRITE: Final = "mail.write"
PROMPT = frozenset({LIVE, WRITE})
"""Somebody waits for these; their runs are short."""
RESOURCE = "mailbox"
SIGNAL_TIMEOUT_S = 5.0
MARGIN = timedelta(days=1)
"""Arrivals are looked for from this long before the mailbox was last in step."""


def address_of(kind: str, connection: Connection) -> str:
    """Return what calls a feed: the live one its mailbox's pushes, the others their own name."""
    if kind == LIVE:
        return fold_address(connection.email)
    if kind == WORK:
        return work_address(connection.id)
    return f"{kind.removeprefix('mail.')}:{connection.id}"


def work_address(connection_id: UUID) -> str:
    """Return what calls the feed that does the work of a connection."""
    return f"work:{connection_id}"


def waiting_for_pin(connection: Connection) -> list[str]:
    """Return what calls the feeds that begin once the live cursor is pinned."""
    return [address_of(kind, connection) for kind in (BACKFILL, REPAIR)]


def new_feed(kind: str, connection: Connection, standing: Standing | None = None) -> NewFeed:
    """Return what is needed to open a feed; `standing` is where a comparison begins."""
    return NewFeed(
        tenant_id=connection.tenant_id,
        connection_id=connection.id,
        account_id=connection.account_id,
        kind=kind,
        resource=RESOURCE,
        address=address_of(kind, connection),
        cursor=None if standing is None else standing.model_dump_json(),
        restart=standing is not None,
        background=kind not in PROMPT,
    )


async def open_all(
    conn: Conn, connection: Connection, *, audit_every: timedelta, now: datetime
) -> None:
    """Open what a mailbox always has, and let go on what was paused in the middle."""
    await open_feed(conn, new_feed(LIVE, connection), now=now)
    await open_feed(conn, new_feed(WORK, connection), now=now)
    await open_feed(conn, new_feed(WRITE, connection), now=now)
    await open_feed(conn, new_feed(AUDIT, connection), now=now, due_at=now + audit_every)
    for feed in await list_feeds(conn, connection.tenant_id, [connection.id]):
        if feed.kind in (BACKFILL, REPAIR) and feed.state is FeedState.PAUSED:
            await open_feed(conn, new_feed(feed.kind, connection), now=now)
    since = now - timedelta(days=connection.backfill_days)
    here = connection.complete_since
    if connection.backfill_days and (here is None or since < here):
        await open_backfill(conn, connection, since=since, now=now)


async def wake_writer(conn: Conn, tenant_id: str, connection_id: UUID, *, now: datetime) -> None:
    """Let what was queued be carried to Google soon; call it before other rows are locked."""
    address = f"write:{connection_id}"
    known = await raise_signals(conn, [address], now=now, timeout_s=SIGNAL_TIMEOUT_S)
    if address not in known:  # connected by a release that had no such feed
        connection = await connections.find_connection(conn, tenant_id, connection_id)
        if connection is not None and connection.state in RUNNING:
            await open_feed(conn, new_feed(WRITE, connection), now=now)


async def open_backfill(
    conn: Conn, connection: Connection, *, since: datetime, now: datetime
) -> Feed:
    """Open the feed that takes in mail from `since` on; one that runs begins anew."""
    plan = Plan(reason=Reason.BACKFILL, since=since, pin="0", started_at=now)
    return await open_feed(conn, new_feed(BACKFILL, connection, Standing(plan=plan)), now=now)


async def open_repair(
    conn: Conn,
    connection: Connection,
    *,
    reason: Reason,
    pin: str,
    missed_since: datetime | None,
    now: datetime,
) -> Feed:
    """Open the feed that compares the mailbox with what is held; one that runs begins anew.

    Args:
        conn: inside a transaction.
        connection: whose mailbox.
        reason: why.
        pin: the mailbox's number, read before.
        missed_since: when it was last known to be in step; None: as far back as it should be here.
        now: the present.
    """
    running = await _unfinished(conn, connection)
    feed = await open_feed(conn, new_feed(REPAIR, connection), now=now)
    standing = await comparison(
        conn, feed, connection, reason=reason, pin=pin, missed_since=missed_since, now=now
    )
    if running is not None and running.plan.since < standing.plan.since:
        since = running.plan.since  # what the one before had still to look for
        standing = Standing(plan=standing.plan.model_copy(update={"since": since}))
    return await open_feed(conn, new_feed(REPAIR, connection, standing), now=now)


async def _unfinished(conn: Conn, connection: Connection) -> Standing | None:
    for feed in await list_feeds(conn, connection.tenant_id, [connection.id]):
        if feed.kind == REPAIR and feed.cursor and feed.state is not FeedState.CLOSED:
            return Standing.model_validate_json(feed.cursor)
    return None


async def comparison(
    conn: Conn,
    feed: Feed,
    connection: Connection,
    *,
    reason: Reason,
    pin: str,
    missed_since: datetime | None,
    now: datetime,
) -> Standing:
    """Return the beginning of a whole comparison."""
    here = connection.complete_since or now
    since = here if missed_since is None else max(here, missed_since - MARGIN)
    oldest = await snapshots.oldest_held(conn, feed)
    held_since = since if oldest is None else min(since, oldest)
    plan = Plan(reason=reason, since=since, held_since=held_since, pin=pin, started_at=now)
    return Standing(plan=plan)
