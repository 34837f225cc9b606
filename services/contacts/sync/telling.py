"""Telling how feeds are doing, in the transaction in which that changes."""

from libs.common import clock, outbox
from libs.common.db import Connection as Conn
from libs.common.events import contacts as events
from libs.common.feeds import Feed, Lease
from libs.common.feeds.telling import changed_feed
from services.contacts.store import connections


async def tell_of_feed(conn: Conn, feed: Feed, lease: Lease) -> None:
    """Append the event of a feed whose state or reason a run has changed, if anybody cares."""
    connection = await connections.find_connection(conn, feed.tenant_id, feed.connection_id)
    if connection is None:
        return
    told = changed_feed(
        feed,
        before=lease.feed,
        user_id=connection.user_id,
        now=clock.now(),
        degraded=events.FeedDegraded,
        recovered=events.FeedRecovered,
    )
    if told is not None:
        await outbox.append(conn, told)
