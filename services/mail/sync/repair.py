"""When Gmail has forgotten the history since our cursor: compare, and tell the difference.

The new cursor is pinned before the comparison, so that what happens meanwhile is in the history
that follows. Nothing is removed on the word of a list alone. Until it is done the old, dead
cursor stays: a comparison that breaks off begins again, and finds its own work done.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from prometheus_client import Counter

from libs.common.db import Pool, transaction
from libs.common.events.base import Origin
from libs.common.feeds import Lease
from services.mail.domain.connection import Connection
from services.mail.domain.history import MOST_FETCHED, Change
from services.mail.domain.message import Known
from services.mail.domain.snapshot import Difference, Snapshot, compare
from services.mail.google import Gmail
from services.mail.store import messages as store
from services.mail.sync.intake import Fetches, Intake

log = structlog.get_logger(__name__)

MARGIN = timedelta(days=1)
"""Arrivals are looked for from this long before the mailbox was last in step."""

REPAIRED = Counter(
    "causeway_mail_repaired_total", "Differences found after a cursor died, by kind.", ["kind"]
)


@dataclass(frozen=True, slots=True)
class _Window:
    """How far back to look: for arrivals, and for what became of the messages we hold."""

    arrivals: datetime
    held: datetime


class Repair:
    """Brings a mailbox back in step without its history."""

    def __init__(self, pool: Pool, gmail: Gmail, *, intake: Intake) -> None:
        """Compare through `gmail`, write through `intake`."""
        self._pool = pool
        self._gmail = gmail
        self._intake = intake

    async def run(self, lease: Lease, connection: Connection) -> None:
        """Compare mailbox and store, tell the differences as repair, and pin the new cursor.

        Raises:
            LeaseLost: another worker has the feed.
        """
        pin = await self._gmail.current_history_id(connection.id)
        async with self._pool.acquire() as conn:
            held = await store.list_held(conn, connection.tenant_id, connection.id)
        window = self._window(lease, connection, held)
        snapshot = await self._look(connection, window)
        found = compare(snapshot, held, pin=pin)
        await self._write(lease, connection, found)
        async with transaction(self._pool) as conn:
            await lease.advance(conn, cursor=str(pin))
        log.warning("mailbox_repaired", **found.counts())
        for kind, count in found.counts().items():
            REPAIRED.labels(kind).inc(count)

    def _window(self, lease: Lease, connection: Connection, held: Mapping[str, Known]) -> _Window:
        arrivals = (lease.feed.last_sync_at or connection.updated_at) - MARGIN
        oldest = min((one.internal_date for one in held.values()), default=arrivals)
        return _Window(arrivals, min(arrivals, oldest))

    async def _look(self, connection: Connection, window: _Window) -> Snapshot:
        """List the mailbox: what is there, and which message wears which label."""
        present = await self._ids(connection, since=window.held)
        recent = await self._ids(connection, since=window.arrivals)
        labels: dict[str, set[str]] = {google_id: set() for google_id in present}
        for label in await self._gmail.label_ids(connection.id):
            for google_id in await self._ids(connection, since=window.held, label=label):
                labels.setdefault(google_id, set()).add(label)
        return Snapshot(
            labels={google_id: frozenset(worn) for google_id, worn in labels.items()},
            recent=frozenset(recent),
        )

    async def _ids(
        self, connection: Connection, *, since: datetime, label: str | None = None
    ) -> list[str]:
        ids: list[str] = []
        token: str | None = None
        while True:
            page, token = await self._gmail.list_ids(
                connection.id, since=since, label=label, page_token=token
            )
            ids += page
            if token is None:
                return ids

    async def _write(self, lease: Lease, connection: Connection, found: Difference) -> None:
        for some in _batches(found.missing):
            changes = {google_id: Change(google_id, arrived=True) for google_id in some}
            fetches = await self._intake.fetch(connection, some)
            await self._commit(lease, connection, changes, fetches)
        for relabelled in _batches(sorted(found.relabelled)):
            changes = {google_id: found.relabelled[google_id] for google_id in relabelled}
            await self._commit(lease, connection, changes, Fetches())
        for absent in _batches(found.absent):
            gone = await self._confirm(connection, absent)
            changes = {google_id: Change(google_id, deleted=True) for google_id in gone}
            await self._commit(lease, connection, changes, Fetches())

    async def _confirm(self, connection: Connection, absent: Sequence[str]) -> list[str]:
        """Return those that Google, asked for each, does not have."""
        answers = await asyncio.gather(
            *(self._gmail.fetch_envelope(connection.id, google_id) for google_id in absent)
        )
        pairs = zip(absent, answers, strict=True)
        return [google_id for google_id, answer in pairs if answer is None]

    async def _commit(
        self, lease: Lease, connection: Connection, changes: dict[str, Change], fetches: Fetches
    ) -> None:
        async with transaction(self._pool) as conn:
            await lease.advance(conn, cursor=str(lease.cursor))
            await self._intake.commit(
                conn, lease.feed, connection, changes, fetches, origin=Origin.REPAIR
            )


def _batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), MOST_FETCHED):
        yield ids[start : start + MOST_FETCHED]
