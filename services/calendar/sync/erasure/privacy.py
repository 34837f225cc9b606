"""What the calendar brings along for one person's data: what is shown, what goes, and of what."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from libs.common.db import Connection as Conn
from libs.common.events import calendar as events
from libs.common.privacy import Coverage, Desk, Person, shown
from libs.common.privacy.coverage import KERNEL, of_feeds
from libs.common.privacy.outgoing_events import OutgoingEvents
from libs.common.privacy.parts import (
    ErasedConnections,
    ErasedDeadItems,
    ErasedFromDirectory,
    ErasedNames,
    Takes,
)
from libs.common.privacy.records import CONFLICTS, WRITES, ErasedRecords
from libs.common.scrubbing import Scrubber
from services.calendar.domain.erasing import without_person
from services.calendar.store import privacy as store
from services.calendar.store.connections import ROWS
from services.calendar.store.privacy_export import OF_A_CORRESPONDENT, OF_A_USER
from services.calendar.sync.connections import purge_rest
from services.calendar.sync.erasure.erasing import (
    ErasedAppointments,
    ErasedEvents,
    ErasedSettings,
    begin,
)

TOLD_AGAIN = frozenset(
    one.type for one in (events.EventCreated, events.EventUpdated, events.ActivityLogged)
)
"""Of whose aggregate a newer event says what is left."""

COVERAGE = {
    "connections": Coverage(shown="connection", erased="connections"),
    "tenant_defaults": Coverage(shown="settings", erased="settings"),
    "calendars": Coverage(shown="calendar", erased="connections"),
    "watches": Coverage(shown="watch", erased="connections"),
    "channels": Coverage(shown="channel", erased="connections"),
    "events": Coverage(shown="event", erased="events"),
    "meetings": Coverage(
        shown="no: numbers and digests, under an id made of what the event shows",
        erased="no: the same; digests follow what is left",
    ),
    "meeting_links": Coverage(shown="event", erased="events"),
    "link_work": Coverage(
        shown="no: addresses of entities, which are shown; gone once their meetings were found",
        erased="settings",
    ),
    "mirror_work": Coverage(
        shown="no: how far a connection's appointments were looked at", erased="connections"
    ),
    "appointments": Coverage(shown="appointment", erased="appointments"),
    "conflicts": Coverage(shown="conflict", erased="conflicts"),
    "reminders": Coverage(shown="reminder", erased="connections"),
    "sync_logs": Coverage(shown="line of the sync log", erased="connections"),
    "writes": Coverage(shown="change", erased="writes"),
    "item_attempts": Coverage(
        shown="no: how often an id at Google was tried", erased="connections"
    ),
    "snapshot_items": Coverage(
        shown="no: ids at Google, while they are compared", erased="connections"
    ),
    "entities": Coverage(shown="entity", erased="directory"),
    "entity_addresses": Coverage(shown="entity", erased="directory"),
    **of_feeds("connections"),
    **KERNEL,
}


class Calendars:
    """The holdings of the calendar; see `ErasedConnections`."""

    connections = "connections"
    content = "events of theirs"

    async def count(self, conn: Conn, tenant_id: str, connection_id: UUID) -> dict[str, int]:
        """Return how many events of a connection are held."""
        return {self.content: await store.count_content(conn, tenant_id, connection_id)}

    async def purge_rest(self, conn: Conn, tenant_id: str, connection_id: UUID) -> None:
        """Remove what is held besides events."""
        await purge_rest(conn, tenant_id, connection_id)

    async def forget(
        self, conn: Conn, tenant_id: str, connection_id: UUID, *, now: datetime
    ) -> None:
        """Leave nothing of a connection but its id."""
        await store.forget_user(conn, tenant_id, connection_id, now=now)


def desk(takes: Takes, *, now: Callable[[], datetime]) -> Desk:
    """Return the calendar's desk; `takes` ends connections.

    Appointments come last of what was made of them: their clients say which names stand there.
    """
    return Desk(
        extracts=shown.extracts(OF_A_USER, OF_A_CORRESPONDENT, {}),
        parts=(
            ErasedConnections(takes, ROWS, Calendars(), now=now),
            ErasedNames(*store.NAMED_IN),
            ErasedRecords(WRITES, store.lock_writes, begin, without_person),
            ErasedRecords(CONFLICTS, store.lock_conflicts, begin, without_person),
            ErasedEvents(now=now),
            ErasedAppointments(),
            ErasedSettings(),
            ErasedDeadItems(),
            ErasedFromDirectory(),
            OutgoingEvents(drops_users=True, stale=_stale),
        ),
        coverage=COVERAGE,
    )


async def _stale(conn: Conn, person: Person, waiting: Sequence[Any]) -> set[str]:
    """Return the events on meetings that name the person: what is left of these is told again."""
    del conn
    mentions = Scrubber(person.addresses).mentions
    return {
        one["id"]
        for one in waiting
        if one["type"] in TOLD_AGAIN and mentions(orjson.dumps(one["data"]).decode())
    }
