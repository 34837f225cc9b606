"""Changing what is kept of a mailbox's mail, for what comes and for what is there."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from libs.common import jobs
from libs.common.connections.model import State
from libs.common.db import Connection as Conn
from libs.common.directory import store as directory
from libs.common.errors import NotFound
from libs.common.feeds.store import list_feeds
from libs.common.jobs import Job
from services.mail.domain.connection import Connection
from services.mail.domain.message import Policy
from services.mail.domain.preferences import Preferences
from services.mail.domain.visibility import Visibility
from services.mail.store import connections as store
from services.mail.sync.feeds import WORK
from services.mail.sync.inward.keep_queue import queue_keeping
from services.mail.sync.meaning.linking import Linker
from services.mail.sync.visibility import set_visibility

KIND = "mail.settings"


class SettingsWriter:
    """Puts settings into force; in the caller's transaction."""

    def __init__(self, linker: Linker, *, now: Callable[[], datetime]) -> None:
        """Have mail linked anew through `linker` when other people become the tenant's own."""
        self._linker = linker
        self._now = now

    async def put(
        self,
        conn: Conn,
        connection: Connection,
        *,
        policy: Policy,
        preferences: Preferences,
        backfill_days: int | None,
        visibility: Visibility | None,
    ) -> tuple[Connection, Job | None]:
        """Set all of a connection's settings; return it and the job that acts on what is held.

        From the commit on no mail is taken in by other settings than these. Without a job nothing
        has to be done, or nobody can do it now: then it is done at night, and once it can be.

        Args:
            conn: inside a transaction that has locked no row yet.
            connection: whose.
            policy: new.
            preferences: new, all of them.
            backfill_days: None: as it is.
            visibility: None: as it is.
        """
        await directory.lock_exclusive(conn, connection.tenant_id)
        before = await store.lock_connection(conn, connection.tenant_id, connection.id)
        if before is None:
            raise NotFound("There is no such connection.")
        days = before.backfill_days if backfill_days is None else backfill_days
        shown = await set_visibility(conn, before, visibility, now=self._now())
        wanted = replace(
            before,
            policy=policy,
            preferences=preferences,
            backfill_days=days,
            visibility=shown,
        )
        acts = (policy, preferences) != (before.policy, before.preferences)
        after = replace(wanted, preferences_version=before.preferences_version + acts)
        await store.set_settings(conn, after)
        return after, await self._act(conn, before, after) if acts else None

    async def _act(self, conn: Conn, before: Connection, after: Connection) -> Job | None:
        now, affected = self._now(), [after]
        if not before.preferences.owns_as(after.preferences):
            affected = await store.list_connections(conn, after.tenant_id, None)
            await self._linker.reown(conn, after.tenant_id, before.preferences, after.preferences)
        for one in affected:
            await queue_keeping(conn, one, now=now)
        if after.state is State.DISCONNECTED:
            return None
        for feed in await list_feeds(conn, after.tenant_id, [after.id]):
            if feed.kind == WORK:
                facts = {"settings_version": after.preferences_version}
                return await jobs.add_job(conn, feed, kind=KIND, now=now, facts=facts)
        return None
