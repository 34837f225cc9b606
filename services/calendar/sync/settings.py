"""Changing what a person or a tenant wants of calendars; from the commit on it holds."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from libs.common import outbox
from libs.common.connections.following import PAUSED
from libs.common.connections.model import RUNNING
from libs.common.db import Connection as Conn
from libs.common.directory import store as directory
from libs.common.errors import Conflict, InvalidInput, NotFound
from libs.common.events import calendar as published
from libs.common.feeds import Feed, FeedState
from libs.common.feeds.store import list_feeds, next_sequence, stop_feeds
from libs.common.feeds.telling import changed_feed
from services.calendar.domain.connection import Connection
from services.calendar.domain.preferences import (
    Preferences,
    TenantDefaults,
    check_preferences,
    check_tenant_defaults,
)
from services.calendar.store import calendars, tenant_defaults
from services.calendar.store import connections as store
from services.calendar.sync.feeds import begin_of, follow_choice, open_all, wake, work_address
from services.calendar.sync.outward.mirroring import look_again

LOOKS = frozenset(
    {
        "enabled",
        "direction",
        "prefix",
        "title_template",
        "body_template",
        "include_client_info",
        "include_notes",
        "reminder_minutes",
        "timezone",
        "target_calendar_id",
    }
)
"""Preferences that mirrored appointments depend on."""


class SettingsWriter:
    """Puts settings into force; in the caller's transaction, which has locked no row yet."""

    def __init__(self, *, now: Callable[[], datetime]) -> None:
        """Use the product's clock."""
        self._now = now

    async def put(self, conn: Conn, connection: Connection, wanted: Preferences) -> Connection:
        """Set all of a connection's preferences; return it as it is then.

        Raises:
            InvalidInput: they could not be followed; names the field.
            Conflict: `connection-ending`: nobody pauses what is being tidied.
            NotFound: there is no such connection any more.
        """
        tenant_id = connection.tenant_id
        await directory.lock_shared(conn, tenant_id)
        before = await store.lock_connection(conn, tenant_id, connection.id)
        if before is None:
            raise NotFound("There is no such connection.")
        check_preferences(wanted, await tenant_defaults.find_defaults(conn, tenant_id))
        await _check_target(conn, before, wanted)
        if wanted == before.preferences:
            return before
        if before.leave is not None and not wanted.enabled:
            raise Conflict("The connection is being ended.", slug="connection-ending")
        after = replace(
            before, preferences=wanted, preferences_version=before.preferences_version + 1
        )
        await store.set_preferences(conn, after)
        reach = wanted.sync_past_days != before.preferences.sync_past_days
        if reach and after.complete_since is not None:
            since = begin_of(after, now=self._now())
            after = replace(after, complete_since=since)
            await store.set_complete_since(conn, tenant_id, after.id, since)
        if any(getattr(wanted, one) != getattr(before.preferences, one) for one in LOOKS):
            await look_again(conn, after, now=self._now())
        if after.state in RUNNING:
            await self._follow(conn, before, after)
        return after

    async def put_defaults(self, conn: Conn, tenant_id: str, wanted: TenantDefaults) -> None:
        """Set what holds for all connections of a tenant that do not say otherwise.

        Raises:
            InvalidInput: they could not be followed; names the field.
        """
        await directory.lock_exclusive(conn, tenant_id)
        check_tenant_defaults(wanted)
        found = await store.list_connections(conn, tenant_id, None)
        for one in found:
            _check_own(one.preferences, wanted)
        if wanted == await tenant_defaults.find_defaults(conn, tenant_id):
            return
        await tenant_defaults.put_defaults(conn, tenant_id, wanted)
        for one in found:
            await look_again(conn, one, now=self._now())

    async def _follow(self, conn: Conn, before: Connection, after: Connection) -> None:
        """Stop, open or restart feeds as the change means, and tell of it."""
        now = self._now()
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
            await follow_choice(conn, after, now=now, audit_every=None)
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


async def _check_target(conn: Conn, connection: Connection, wanted: Preferences) -> None:
    """Refuse a calendar that nothing can be written to.

    Raises:
        InvalidInput: names `target_calendar_id`.
    """
    if wanted.target_calendar_id is None:
        return
    found = await calendars.find_calendar(conn, connection.tenant_id, wanted.target_calendar_id)
    if found is None or found.connection_id != connection.id or found.gone_at is not None:
        raise InvalidInput.field("target_calendar_id", "is no calendar of theirs")
    if not found.is_writable:
        raise InvalidInput.field("target_calendar_id", "is a calendar they may only read")


def _check_own(preferences: Preferences, tenant: TenantDefaults) -> None:
    """Refuse defaults without a variable that a connection's own template has.

    Raises:
        InvalidInput: names `variables`.
    """
    try:
        check_preferences(preferences, tenant)
    except InvalidInput as exc:
        raise InvalidInput.field(
            "variables", "lack one that a connection's own template has"
        ) from exc
