"""Conflicts: kept until a person chooses, then written as chosen."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from libs.common import outbox
from libs.common.db import Connection as Conn
from libs.common.errors import Conflict as ConflictError
from libs.common.errors import InvalidInput, NotFound
from libs.common.events import calendar as published
from libs.common.events.base import Origin
from libs.common.events.envelope import Envelope
from libs.common.ids import new_id
from libs.common.writes import MergePolicy
from services.calendar.domain.connection import Connection
from services.calendar.domain.event import Notify
from services.calendar.domain.writing import Op, Wish
from services.calendar.store import calendars
from services.calendar.store import conflicts as store
from services.calendar.store.conflicts import Conflict
from services.calendar.sync.outward.wishing import Queued, queue_wishes

DELETED = "deleted"
"""The field of a conflict between a deletion and an edit."""

Side = Literal["google", "crm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """Fields that both sides changed, each to another value."""

    base: Mapping[str, Any]
    ours: Mapping[str, Any]
    theirs: Mapping[str, Any]
    is_settled: bool = False
    """The policy says that Google's side stays: nobody has to choose."""


class Conflicts:
    """Opens conflicts, and ends them as a person chooses."""

    def __init__(self, *, now: Callable[[], datetime]) -> None:
        """Use the product's clock."""
        self._now = now

    async def note(
        self,
        conn: Conn,
        connection: Connection,
        wish: Wish,
        clash: Clash | None,
        *,
        now: datetime,
    ) -> None:
        """Keep what a write ran into; without anything, what was open of its event is over."""
        if clash is not None and clash.is_settled:
            return
        if clash is None:
            await self._end_obsolete(conn, connection, wish, now=now)
            return
        opened = await store.open_conflict(
            conn,
            Conflict(
                tenant_id=connection.tenant_id,
                id=new_id(),
                connection_id=connection.id,
                calendar_id=wish.calendar_id,
                google_id=wish.google_id,
                appointment_id=wish.appointment_id,
                base=clash.base,
                ours=clash.ours,
                theirs=clash.theirs,
                state="open",
                choice=None,
                sequence=1,
                created_at=now,
                resolved_at=None,
                resolved_by=None,
            ),
        )
        event = published.ConflictDetected(**_facts(connection, opened), origin=Origin.CRM)
        await outbox.append(conn, _envelope(event, opened, now=now))

    async def _end_obsolete(
        self, conn: Conn, connection: Connection, wish: Wish, *, now: datetime
    ) -> None:
        found = await store.find_open(conn, connection.tenant_id, wish.calendar_id, wish.google_id)
        if found is None or not (wish.op is Op.DELETE or set(found.ours) <= set(wish.fields)):
            return
        await self._end(conn, connection, found, {}, "obsolete", by="causeway", now=now)

    async def resolve(
        self,
        conn: Conn,
        connection: Connection,
        found: Conflict,
        choice: Side | Mapping[str, Side],
        *,
        by: str,
        notify: Notify | None,
    ) -> Conflict:
        """End a conflict: fields that are the CRM's are written, the others stay as they are.

        Args:
            conn: inside a transaction.
            connection: whose calendar it is.
            found: the conflict.
            choice: whose value stays, of all fields or of each.
            by: who chose.
            notify: whom Google writes to, if anything is written.

        Raises:
            InvalidInput: a field has no choice, or is none of the conflict's.
            Conflict: `conflict-resolved`: somebody has chosen already.
            NotFound: the calendar is gone.
        """
        now, names = self._now(), sorted(found.ours)
        sides = dict.fromkeys(names, choice) if isinstance(choice, str) else dict(choice)
        for name in names:
            if name not in sides:
                raise InvalidInput.field(f"choice.{name}", "needs a choice")
        for name in sides:
            if name not in found.ours:
                raise InvalidInput.field(f"choice.{name}", "is no field of this conflict")
        chosen = [name for name in names if sides[name] == "crm"]
        if chosen:
            await self._write(conn, connection, found, chosen, notify=notify, now=now)
        resolution = "crm" if len(chosen) == len(names) else "mixed" if chosen else "google"
        return await self._end(conn, connection, found, sides, resolution, by=by, now=now)

    async def _write(
        self,
        conn: Conn,
        connection: Connection,
        found: Conflict,
        chosen: list[str],
        *,
        notify: Notify | None,
        now: datetime,
    ) -> None:
        calendar = await calendars.find_calendar(conn, connection.tenant_id, found.calendar_id)
        if calendar is None:
            raise NotFound("There is no such calendar any more.")
        deletes = DELETED in chosen
        wish = Wish(
            op=Op.DELETE if deletes else Op.PATCH,
            calendar_id=calendar.id,
            google_calendar=calendar.google_id,
            google_id=found.google_id,
            fields={} if deletes else {name: found.ours[name] for name in chosen},
            notify=notify,
            policy=MergePolicy.CRM,
            wished_at=now,
            appointment_id=found.appointment_id,
            forced=True,
        )
        await queue_wishes(conn, connection, [Queued(wish)], now=now)

    async def _end(
        self,
        conn: Conn,
        connection: Connection,
        found: Conflict,
        choice: Mapping[str, Any],
        resolution: str,
        *,
        by: str,
        now: datetime,
    ) -> Conflict:
        ended = await store.resolve_conflict(
            conn, found.tenant_id, found.id, choice=choice, by=by, now=now
        )
        if ended is None:
            raise ConflictError("Somebody has chosen already.", slug="conflict-resolved")
        event = published.ConflictResolved.model_validate(
            {**_facts(connection, ended), "origin": Origin.CRM, "resolution": resolution}
        )
        await outbox.append(conn, _envelope(event, ended, now=now))
        return ended


def _facts(connection: Connection, one: Conflict) -> dict[str, Any]:
    return {
        "conflict_id": one.id,
        "connection_id": connection.id,
        "user_id": connection.user_id,
        "google_event_id": one.google_id,
        "appointment_id": one.appointment_id,
        "fields": tuple(sorted(one.ours)),
    }


def _envelope(
    event: published.ConflictDetected | published.ConflictResolved, one: Conflict, *, now: datetime
) -> Envelope:
    return Envelope.of(
        event,
        tenant_id=one.tenant_id,
        aggregate_id=str(one.id),
        sequence=one.sequence,
        time=now,
    )
