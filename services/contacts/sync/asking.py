"""What people ask for: an address book brought into step now, counted first, or confirmed."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from libs.common import jobs
from libs.common.connections.access import readable
from libs.common.db import Connection as Conn
from libs.common.db import Pool, transaction
from libs.common.directory import store as directory
from libs.common.errors import Conflict, NotFound
from libs.common.feeds import Feed, Lease
from libs.common.feeds.store import list_feeds
from libs.common.jobs import Job, JobState
from services.contacts.domain.connection import Connection
from services.contacts.store import connections, groups, progress
from services.contacts.sync.feeds import (
    GROUPS,
    PEOPLE,
    WORK,
    groups_address,
    people_address,
    wake,
)
from services.contacts.sync.outward.looking_over import DRY_RUN, NAMES, look_over
from services.contacts.sync.outward.queueing import HELD

SYNC: Final = "contacts.sync"
"""The kind of job that brings an address book into step."""
LOOK_S: Final = 1.0
"""Between looks at how far it is."""
LOOK_HELD_S: Final = 10.0
"""The same while it waits for a person."""
MOST_ERRORS: Final = 20
MOST_FAILURES: Final = 3
"""A feed that failed so often in a row is not waited for."""


class Asking:
    """Starts work on an address book, and returns the job that tells how far it is."""

    def __init__(self, *, now: Callable[[], datetime]) -> None:
        """Use the product's clock."""
        self._now = now

    async def sync(
        self, conn: Conn, asked: Connection, *, group_id: UUID | None, force: bool
    ) -> Job:
        """Read what changed in an address book, and write what differs.

        Args:
            conn: inside a transaction that has locked no row yet.
            asked: whose address book.
            group_id: write only members of this group; None: all contacts.
            force: ask Google for each how it is, also where nothing seems to differ.

        Raises:
            Conflict: `not-connected`, `reauthorization-required`, `connection-disabled` or
                `connection-paused`.
            NotFound: the connection's user has no such group.
        """
        now = self._now()
        connection = await self._lock(conn, asked, group_id)
        await look_over(conn, connection, now=now, forced=force, group_id=group_id)
        addresses = people_address(connection.id), groups_address(connection.id)
        await wake(conn, *addresses, now=now)
        facts = {"group_id": None if group_id is None else str(group_id), "force": force}
        return await jobs.add_job(
            conn, await _work_feed(conn, connection), kind=SYNC, now=now, facts=facts
        )

    async def dry_run(self, conn: Conn, asked: Connection, *, group_id: UUID | None) -> Job:
        """Count what would be written into an address book, and write nothing.

        Raises:
            Conflict: as `sync`; `not-read`: the address book was not read in full yet.
            NotFound: as `sync`.
        """
        now = self._now()
        connection = await self._lock(conn, asked, group_id)
        _needs_reading(connection)
        await look_over(conn, connection, now=now, group_id=group_id, dry=True)
        facts = {"group_id": None if group_id is None else str(group_id), "dry_run": True}
        return await jobs.add_job(
            conn, await _work_feed(conn, connection), kind=DRY_RUN, now=now, facts=facts
        )

    async def confirm(self, conn: Conn, asked: Connection, *, by: str) -> Connection:
        """Let what differs be written from now on; return the connection as it is then.

        Saying it again changes nothing.

        Raises:
            Conflict: as `dry_run`.
        """
        now = self._now()
        connection = await self._lock(conn, asked, None)
        _needs_reading(connection)
        if connection.confirmed_at is not None:
            return connection
        await connections.confirm(conn, connection.tenant_id, connection.id, by=by, now=now)
        await look_over(conn, connection, now=now)
        return await connections.get_connection(
            conn, connection.tenant_id, connection.id, user_id=None
        )

    async def _lock(self, conn: Conn, asked: Connection, group_id: UUID | None) -> Connection:
        await directory.lock_exclusive(conn, asked.tenant_id)
        found = await connections.lock_connection(conn, asked.tenant_id, asked.id)
        connection = readable(found)
        if connection.is_paused:
            raise Conflict("The contacts are switched off.", slug="connection-paused")
        if group_id is not None:
            there = await groups.find_groups(conn, connection.tenant_id, [group_id])
            group = there.get(group_id)
            if group is None or not group.is_live or group.owner_user_id != connection.user_id:
                raise NotFound("There is no such group.")
        return connection


class SyncJobs:
    """Shows whoever asked how far it is; a kind of work of a connection."""

    def __init__(self, pool: Pool, *, now: Callable[[], datetime]) -> None:
        """Use the product's clock."""
        self._pool = pool
        self._now = now

    async def step(self, lease: Lease, connection: Connection) -> bool:
        """Look how far it is; False: there is nothing more to do now.

        Raises:
            LeaseLost: another worker has the feed.
        """
        async with self._pool.acquire() as conn:
            asked = await jobs.list_open_jobs(conn, lease.feed, kind=SYNC)
        if not asked:
            return False
        async with transaction(self._pool) as conn:
            left = await progress.find_progress(
                conn,
                connection.tenant_id,
                connection.id,
                kinds=[PEOPLE, GROUPS],
                since=asked[-1].created_at,
                held=HELD,
                most_failures=MOST_FAILURES,
            )
            await lease.advance(conn, cursor=lease.cursor or "")
            if left.is_over and not left.held:
                await jobs.finish_jobs(
                    conn,
                    lease.feed,
                    kind=SYNC,
                    state=JobState.DONE,
                    facts=await _facts(conn, connection, since=asked[0].created_at),
                    now=self._now(),
                )
                return False
            await jobs.advance_job(
                conn,
                lease.feed,
                kind=SYNC,
                done=0,
                total=left.writes + left.held or None,
                state=JobState.HELD if left.is_over else JobState.RUNNING,
            )
        lease.poll_within(LOOK_HELD_S if left.is_over else LOOK_S)
        return False


async def _facts(conn: Conn, connection: Connection, *, since: datetime) -> dict[str, Any]:
    """Return what went which way since then: how many, and what went wrong."""
    where = connection.tenant_id, connection.id
    counted = await progress.count_lines(conn, *where, since=since)
    errors = await progress.list_errors(conn, *where, since=since, limit=MOST_ERRORS)
    return {
        direction: {
            plural: _part(
                [one for one in counted if (one["direction"], one["kind"]) == (direction, kind)],
                [one for one in errors if (one["direction"], one["kind"]) == (direction, kind)],
            )
            for kind, plural in (("contact", "contacts"), ("group", "groups"))
        }
        for direction in ("from_google", "to_google")
    }


def _part(counted: Sequence[Any], errors: Sequence[Any]) -> dict[str, Any]:
    done = {one["action"]: one["lines"] for one in counted if one["status"] == "success"}
    return {
        "synced": sum(done.values()),
        **{name: done.get(op.value, 0) for op, name in NAMES.items()},
        "errors": [
            {
                "action": one["action"],
                "id": None if one["item_id"] is None else str(one["item_id"]),
                "resource": one["resource"],
                "error": one["error"],
            }
            for one in errors
        ],
    }


def _needs_reading(connection: Connection) -> None:
    if connection.read_at is None:
        raise Conflict("The address book was not read in full yet.", slug="not-read")


async def _work_feed(conn: Conn, connection: Connection) -> Feed:
    feeds = await list_feeds(conn, connection.tenant_id, [connection.id])
    found = next((one for one in feeds if one.kind == WORK), None)
    if found is None:
        raise Conflict("The account is not connected.", slug="not-connected")
    return found
