"""Carrying changes of events to Google.

Whether a request whose answer was lost took effect is always to be seen: an event that we insert
has an id of ours, every change leaves the id of its write in the event, and what is deleted is
gone. So nothing is done twice, and no invitation goes out twice.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import structlog

from libs.common.db import Connection as Conn
from libs.common.db import Pool, transaction
from libs.common.directory import store as directory
from libs.common.errors import AppError
from libs.common.events.base import Origin
from libs.common.feeds import Feed
from libs.common.google.wire import Unreachable
from libs.common.quota import Lane
from libs.common.writes import Write, WriteLost, WriteState
from libs.common.writes import store as ledger
from libs.common.writes.carrying import NOT_DONE, REFUSED, later
from libs.common.writes.patience import Patience
from services.calendar.domain.connection import Connection
from services.calendar.domain.event import Event
from services.calendar.domain.fields import fields_of
from services.calendar.domain.meeting import meeting_id
from services.calendar.domain.writing import ACTIONS, EVENT, Wish, wish_of
from services.calendar.google import GoogleCalendar
from services.calendar.store import appointments, calendars, sync_logs
from services.calendar.store import events as events_store
from services.calendar.sync.inward.echoes import (
    Echoed,
    written_by,
)
from services.calendar.sync.inward.intake import Intake
from services.calendar.sync.outward.conflicts import Conflicts
from services.calendar.sync.outward.making import Job, Maker, Outcome

log = structlog.get_logger(__name__)

MOST_ATTEMPTS = 10


class EventCarrier:
    """Carries writes of events, one at a time."""

    kind = EVENT
    at_once = 1

    def __init__(
        self,
        pool: Pool,
        google: GoogleCalendar,
        intake: Intake,
        conflicts: Conflicts,
        *,
        patience: Patience,
        now: Callable[[], datetime],
    ) -> None:
        """Change through `google`, and let what is held follow through `intake`."""
        self._pool = pool
        self._google = google
        self._intake = intake
        self._conflicts = conflicts
        self._maker = Maker(pool, patience=patience)
        self.patience = patience
        self._now = now

    async def begin(self, conn: Conn, feed: Feed, write: Write) -> Write:
        """Return the write: nothing has to be noted of it."""
        del conn, feed
        return write

    async def send(self, connection: Connection, claimed: list[Write], *, settle: bool) -> None:
        """Carry writes, and commit what became of each; see `Carrier.send`."""
        for write in claimed:
            await self._send(connection, write, settle=settle)

    async def _send(self, connection: Connection, write: Write, *, settle: bool) -> None:
        wish = wish_of(write.desired)
        if wish.requires is not None and not await self._stands(write, wish.requires):
            await self._commit(
                connection, write, wish, Outcome(state=WriteState.CANCELLED, reason="not-needed")
            )
            return
        asked_at = self._now()
        held = await self._held(write, wish)
        base = write.base or ({} if held is None else fields_of(held))
        box = self._google.box(connection, Lane.SEND)
        job = Job(write, wish, box, held, base)
        try:
            outcome = await self._maker.make(job, settle=settle)
        except REFUSED as exc:
            outcome = Outcome(state=WriteState.FAILED, reason=_reason(exc))
        except NOT_DONE as exc:
            await self._put_back(connection, write, wish, exc, settle=settle)
            raise
        await self._commit(connection, write, wish, replace(outcome, asked_at=asked_at))

    async def _stands(self, write: Write, required: UUID) -> bool:
        async with self._pool.acquire() as conn:
            before = await ledger.find(conn, write.tenant_id, required)
        return before is not None and before.state is WriteState.DONE

    async def _held(self, write: Write, wish: Wish) -> Event | None:
        async with transaction(self._pool) as conn:
            rows = await events_store.lock_events(
                conn, write.tenant_id, wish.calendar_id, [wish.google_id]
            )
        row = rows.get(wish.google_id)
        return None if row is None or row.deleted_at is not None else row.event

    async def _commit(
        self, connection: Connection, write: Write, wish: Wish, outcome: Outcome
    ) -> None:
        """End the write, and let what is held follow; all of it or, if it was settled, nothing."""
        now = self._now()
        async with transaction(self._pool) as conn:
            await directory.lock_shared(conn, write.tenant_id)
            await self._lock(conn, write, wish, outcome)
            etag = "" if outcome.event is None else outcome.event.etag
            try:
                await ledger.finish(
                    conn,
                    write,
                    outcome.state,
                    now=now,
                    reason=outcome.reason,
                    answer={"etag": etag, "google_id": _final_id(wish, outcome)},
                )
            except WriteLost:
                log.info("event_write_settled_by_its_echo")
                return
            await self._follow(conn, connection, write, wish, outcome, now=now)

    async def _lock(self, conn: Conn, write: Write, wish: Wish, outcome: Outcome) -> None:
        """Lock all events that may be written, before the write and any meeting is."""
        found = [one for one in (outcome.met, outcome.event) if one is not None]
        masters = {one.master_id for one in found if one.master_id is not None}
        names = sorted({*(one.google_id for one in found), *outcome.gone, *masters})
        where = write.tenant_id, wish.calendar_id
        await events_store.lock_events(conn, *where, names)
        await events_store.lock_exceptions(conn, *where, names)

    async def _follow(
        self,
        conn: Conn,
        connection: Connection,
        write: Write,
        wish: Wish,
        outcome: Outcome,
        *,
        now: datetime,
    ) -> None:
        calendar = await calendars.find_calendar(conn, write.tenant_id, wish.calendar_id)
        if outcome.generation not in (None, wish.generation):
            await self._renamed(conn, write, wish, outcome)
        await self._conflicts.note(conn, connection, wish, outcome.clash, now=now)
        if calendar is not None:
            if outcome.met is not None:  # what somebody else did is told as theirs, and first
                await self._intake.take(
                    conn, connection, calendar, [outcome.met], origin=Origin.LIVE
                )
            await self._intake.take(
                conn,
                connection,
                calendar,
                [] if outcome.event is None else [outcome.event],
                origin=Origin.LIVE,
                absent=outcome.gone,
                known_of=_echoed(write, outcome),
                asked_at=outcome.asked_at,
            )
        await sync_logs.add_lines(
            conn, write.tenant_id, [_line(connection, write, wish, outcome)], now=now
        )

    async def _renamed(self, conn: Conn, write: Write, wish: Wish, outcome: Outcome) -> None:
        """Note that an appointment's event has another id than was chosen: that one was used up."""
        if wish.appointment_id is None or outcome.event is None:
            return
        await appointments.rename_event(
            conn,
            write.tenant_id,
            wish.appointment_id,
            was=wish.google_id,
            google_id=outcome.event.google_id,
            generation=outcome.generation or 0,
        )

    async def _put_back(
        self, connection: Connection, write: Write, wish: Wish, exc: AppError, *, settle: bool
    ) -> None:
        """Let a write wait, or give up on one that was tried often enough."""
        now = self._now()
        if write.attempts >= MOST_ATTEMPTS and isinstance(exc, Unreachable) and not settle:
            outcome = Outcome(state=WriteState.FAILED, reason="gave-up", asked=False)
            await self._commit(connection, write, wish, outcome)
            return
        async with transaction(self._pool) as conn:
            with suppress(WriteLost):
                await ledger.put_off(
                    conn, write, until=later(exc, now), reason=exc.slug, settle=settle
                )


def _echoed(write: Write, outcome: Outcome) -> Echoed | None:
    """Return what of a write's event is ours; None: that is not known from here."""
    event = outcome.event
    if not outcome.asked:
        return None
    if outcome.edited and event is not None:
        return Echoed(wished={event.google_id: written_by(write)})
    ids = () if event is None else (event.google_id,)
    return Echoed(frozenset({*ids, *outcome.gone}))


def _reason(exc: AppError) -> str:
    return str(exc.data.get("reason") or exc.slug)


def _final_id(wish: Wish, outcome: Outcome) -> str:
    return wish.google_id if outcome.event is None else outcome.event.google_id


def _line(connection: Connection, write: Write, wish: Wish, outcome: Outcome) -> sync_logs.Line:
    failed = outcome.state is not WriteState.DONE
    event = outcome.event
    return sync_logs.Line(
        connection_id=connection.id,
        calendar_id=wish.calendar_id,
        direction="to_google",
        action=ACTIONS[wish.op],
        status="error" if failed else "success" if outcome.asked else "skipped",
        event_id=None if event is None else meeting_id(write.tenant_id, event),
        google_id=_final_id(wish, outcome),
        appointment_id=wish.appointment_id,
        error=outcome.reason,
    )
