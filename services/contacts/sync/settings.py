"""Changing what a person or a tenant wants of contacts; from the commit on it holds."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from libs.common import outbox
from libs.common.connections.following import PAUSED
from libs.common.connections.model import RUNNING
from libs.common.db import Connection as Conn
from libs.common.directory import store as directory
from libs.common.errors import InvalidInput, NotFound
from libs.common.events import contacts as published
from libs.common.feeds import Feed, FeedState
from libs.common.feeds.store import list_feeds, next_sequence, stop_feeds
from libs.common.feeds.telling import changed_feed
from services.contacts.domain.connection import Connection
from services.contacts.domain.preferences import Preferences, TenantDefaults
from services.contacts.store import connections as store
from services.contacts.store import groups, labels, tenant_defaults
from services.contacts.sync.changing.redialling import redial
from services.contacts.sync.feeds import open_all, wake, work_address
from services.contacts.sync.outward.looking_over import look_over


class SettingsWriter:
    """Puts settings into force; in the caller's transaction, which has locked no row yet."""

    def __init__(self, *, now: Callable[[], datetime]) -> None:
        """Use the product's clock."""
        self._now = now

    async def put(self, conn: Conn, connection: Connection, wanted: Preferences) -> Connection:
        """Set all of a connection's preferences; return it as it is then.

        Raises:
            InvalidInput: they could not be followed; names the field.
            NotFound: there is no such connection any more.
        """
        tenant_id = connection.tenant_id
        await directory.lock_exclusive(conn, tenant_id)
        before = await store.lock_connection(conn, tenant_id, connection.id)
        if before is None:
            raise NotFound("There is no such connection.")
        if wanted == before.preferences:
            return before
        await _check_groups(conn, before, wanted)
        await _check_labels(conn, before, wanted)
        after = replace(
            before, preferences=wanted, preferences_version=before.preferences_version + 1
        )
        await store.set_preferences(conn, after)
        if after.state in RUNNING:
            await self._follow(conn, before, after)
        return after

    async def put_defaults(self, conn: Conn, tenant_id: str, wanted: TenantDefaults) -> None:
        """Set what holds for all connections of a tenant.

        Numbers are understood anew at once; names hold for what comes in, and is told, from now on.
        """
        await directory.lock_exclusive(conn, tenant_id)
        before = await tenant_defaults.find_defaults(conn, tenant_id)
        if wanted == before:
            return
        await tenant_defaults.put_defaults(conn, tenant_id, wanted)
        if wanted.region != before.region:
            await redial(conn, tenant_id, wanted.region, now=self._now())

    async def _follow(self, conn: Conn, before: Connection, after: Connection) -> None:
        """Stop, open or wake feeds as the change means, and tell of it."""
        now = self._now()
        if after.may_write and not after.is_paused:
            await look_over(conn, after, now=now)
        was = {one.id: one for one in await list_feeds(conn, after.tenant_id, [after.id])}
        if after.is_paused:
            if not before.is_paused:
                await stop_feeds(
                    conn, after.tenant_id, after.id, state=FeedState.PAUSED, reason=PAUSED
                )
        elif before.is_paused:
            await open_all(conn, after, now=now)
        else:
            await wake(conn, work_address(after.id), now=now)
        for feed in await list_feeds(conn, after.tenant_id, [after.id]):
            if feed.id in was:
                await self._tell(conn, after, was[feed.id], feed)

    async def _tell(self, conn: Conn, connection: Connection, before: Feed, feed: Feed) -> None:
        if (before.state, before.reason) == (feed.state, feed.reason):
            return
        told = changed_feed(
            replace(feed, sequence=await next_sequence(conn, feed)),
            before=before,
            user_id=connection.user_id,
            now=self._now(),
            degraded=published.FeedDegraded,
            recovered=published.FeedRecovered,
        )
        if told is not None:
            await outbox.append(conn, told)


async def _check_groups(conn: Conn, connection: Connection, wanted: Preferences) -> None:
    """Refuse groups that the connection's user does not have.

    Raises:
        InvalidInput: names the place in `push_groups`.
    """
    found = await groups.find_groups(conn, connection.tenant_id, wanted.push_groups)
    for place, one in enumerate(wanted.push_groups):
        group = found.get(one)
        if group is None or not group.is_live or group.owner_user_id != connection.user_id:
            raise InvalidInput.field(f"push_groups[{place}]", "is no group of theirs")


async def _check_labels(conn: Conn, connection: Connection, wanted: Preferences) -> None:
    """Refuse labels that an address book, once it was read, does not have.

    Raises:
        InvalidInput: names the place in `import_labels`.
    """
    if connection.read_at is None:
        return
    there = {
        one.resource
        for one in await labels.list_labels(conn, connection.tenant_id, connection.id)
        if one.gone_at is None
    }
    for place, one in enumerate(wanted.import_labels):
        if one not in there and one not in connection.preferences.import_labels:
            raise InvalidInput.field(f"import_labels[{place}]", "is no label of theirs")
