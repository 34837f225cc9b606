"""The floor: the same rows by hand, with aiohttp, orjson and asyncpg: a statement a table and page.

It keeps the product's promises about rows (known events are looked up, events are told in the
transaction of the fact, numbered by meeting, the cursor goes with them) and none about trouble: no
leases, no attempts, no quota, no retries, no answer that is not as it should be.
"""

import gc
import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import aiohttp
import asyncpg
import orjson
import uvloop
from uuid_utils.compat import uuid7

from bench.backfill.mailbox import TENANT
from bench.backfill.reading import used_s
from bench.calendar.diary import GOOGLE_ID, SINCE, ZONE, diary
from bench.house.letters import OWNER
from libs.common.web.run import GARBAGE
from services.calendar.domain.meeting import NAMESPACE

PAGE = 250
USUAL = gc.get_threshold()
WARM_UP = 5
"""Changes that are not measured."""
OWN = frozenset({OWNER})
HIDDEN = frozenset({"private", "confidential"})
HALF = timedelta(days=1)
Json = dict[str, Any]
Conn = "asyncpg.Connection[asyncpg.Record]"

FIND_KNOWN = """
SELECT google_id, etag FROM events
 WHERE tenant_id = $1 AND calendar_id = $2 AND google_id = ANY($3::text[]) FOR UPDATE
"""
FIND_OTHERS = """
SELECT count(*) FROM events
 WHERE tenant_id = $1 AND (series_id, occurrence) IN (SELECT * FROM unnest($2::uuid[], $3::text[]))
   AND calendar_id <> $4 AND deleted_at IS NULL
"""
FIND_ENTITIES = """
SELECT address, entity_type, entity_id FROM entity_addresses
 WHERE tenant_id = $1 AND address = ANY($2::text[])
"""
PUT_EVENTS = """
INSERT INTO events (tenant_id, id, connection_id, calendar_id, google_id, series_id, occurrence,
                    master_id, etag, google_updated, status, starts_at, ends_at, people, body,
                    created_at, changed_at)
SELECT $1, n.id, $2, $3, n.google_id, n.series_id, n.occurrence, n.master_id, n.etag, n.updated,
       n.status, n.starts_at, COALESCE(n.ends_at, 'infinity'), string_to_array(n.people, ' '),
       n.body::jsonb, $4, $4
  FROM unnest($5::uuid[], $6::text[], $7::uuid[], $8::text[], $9::text[], $10::text[],
              $11::timestamptz[], $12::text[], $13::timestamptz[], $14::timestamptz[],
              $15::text[], $16::text[])
       AS n (id, google_id, series_id, occurrence, master_id, etag, updated, status, starts_at,
             ends_at, people, body)
ON CONFLICT (tenant_id, calendar_id, google_id) DO UPDATE
   SET master_id = EXCLUDED.master_id, etag = EXCLUDED.etag,
       google_updated = EXCLUDED.google_updated, status = EXCLUDED.status,
       starts_at = EXCLUDED.starts_at, ends_at = EXCLUDED.ends_at, people = EXCLUDED.people,
       body = EXCLUDED.body, changed_at = EXCLUDED.changed_at, deleted_at = NULL
"""
PUT_MEETINGS = """
INSERT INTO meetings AS m (tenant_id, series_id, occurrence, sequence, digest, activity_sequence,
                           activity_digest)
SELECT $1, n.series_id, n.occurrence, 1, n.digest, CASE WHEN n.activity IS NULL THEN 0 ELSE 1 END,
       n.activity
  FROM unnest($2::uuid[], $3::text[], $4::bytea[], $5::bytea[])
       AS n (series_id, occurrence, digest, activity)
ON CONFLICT (tenant_id, series_id, occurrence) DO UPDATE
   SET sequence = m.sequence + 1, digest = EXCLUDED.digest,
       activity_sequence = m.activity_sequence + EXCLUDED.activity_sequence,
       activity_digest = EXCLUDED.activity_digest
RETURNING sequence, activity_sequence
"""
PUT_LINKS = """
INSERT INTO meeting_links (tenant_id, entity_type, entity_id, series_id, occurrence, starts_at)
SELECT $1, n.entity_type, n.entity_id, n.series_id, n.occurrence, n.starts_at
  FROM unnest($2::text[], $3::text[], $4::uuid[], $5::text[], $6::timestamptz[])
       AS n (entity_type, entity_id, series_id, occurrence, starts_at)
ON CONFLICT (tenant_id, entity_type, entity_id, series_id, occurrence) DO UPDATE
   SET starts_at = EXCLUDED.starts_at
"""
ADD_LINES = """
INSERT INTO sync_logs (tenant_id, id, connection_id, calendar_id, direction, action, status,
                       event_id, google_id, at)
SELECT $1, n.id, $2, $3, 'from_google', n.action, 'success', n.event_id, n.google_id, $4
  FROM unnest($5::uuid[], $6::text[], $7::text[], $8::text[])
       AS n (id, action, event_id, google_id)
"""
ADD_EVENTS = """
INSERT INTO outbox (event_id, type, body)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[])
"""
PUT_CURSOR = """
INSERT INTO feeds (tenant_id, id, connection_id, account_id, kind, resource, cursor, created_at)
VALUES ($1, $2, $2, $2, 'floor', 'primary', $3, now())
ON CONFLICT (tenant_id, connection_id, kind, resource) DO UPDATE SET cursor = EXCLUDED.cursor
"""

Refs = dict[str, list[tuple[str, str]]]


def run(
    database: str, origin: str, number: int, events: int, *, collects_rarely: bool = False
) -> float:
    """Take in a calendar; return the CPU seconds it took.

    `collects_rarely`: with the collector of garbage set as the product sets it.
    """
    if collects_rarely:
        gc.collect()
        gc.freeze()
        gc.set_threshold(GARBAGE, *USUAL[1:])
    try:
        before = used_s()
        uvloop.run(_first(database, origin, diary(number, events).id))
        return used_s() - before
    finally:
        gc.set_threshold(*USUAL)
        gc.unfreeze()


def follow(database: str, origin: str, number: int, events: int, changes: int) -> float:
    """Take in so many changes, one after the other; return the CPU seconds that took."""
    return uvloop.run(_follow(database, origin, diary(number, events).id, changes))


async def _first(database: str, origin: str, connection_id: UUID) -> None:
    conn = await asyncpg.connect(database)
    async with _session(origin, connection_id) as session:
        place = {"timeMin": SINCE.isoformat()}
        page: str | None = ""
        while page is not None:
            found = await ask(session, place | ({"pageToken": page} if page else {}))
            page = found.get("nextPageToken")
            cursor = page or found["nextSyncToken"]
            await write(conn, connection_id, found["items"], cursor, origin="backfill")
    await conn.close()


async def _follow(database: str, origin: str, connection_id: UUID, changes: int) -> float:
    conn = await asyncpg.connect(database)
    used = 0.0
    async with _session(origin, connection_id) as session:
        place = "0"
        for number in range(-WARM_UP, changes):
            async with session.get(f"/_change/{connection_id}"):
                pass
            before = used_s()
            found = await ask(session, {"syncToken": place})
            place = found["nextSyncToken"]
            await write(conn, connection_id, found["items"], place, origin="live")
            used += used_s() - before if number >= 0 else 0.0
    await conn.close()
    return used


def _session(origin: str, connection_id: UUID) -> aiohttp.ClientSession:
    headers = {"Authorization": f"Bearer {connection_id}", "Accept-Encoding": "identity"}
    return aiohttp.ClientSession(origin, headers=headers)


async def ask(session: aiohttp.ClientSession, query: dict[str, str]) -> Any:
    """Return a page of events."""
    params = {"maxResults": str(PAGE), "singleEvents": "false", **query}
    path = f"/calendar/v3/calendars/{GOOGLE_ID}/events"
    async with session.get(path, params=params) as answer:
        return orjson.loads(await answer.read())


async def write(
    conn: Any, connection_id: UUID, items: list[Json], cursor: str, *, origin: str
) -> None:
    """Keep a page, tell of it, and where the next one begins, in one transaction."""
    now = datetime.now(UTC)
    async with conn.transaction():
        names = [one["id"] for one in items]
        known = dict(await conn.fetch(FIND_KNOWN, TENANT, connection_id, names))
        found = [_Found(one) for one in items if known.get(one["id"]) != one["etag"]]
        if not found:
            await conn.execute(PUT_CURSOR, TENANT, connection_id, cursor)
            return
        series, places = [one.series for one in found], [one.occurrence for one in found]
        if await conn.fetchval(FIND_OTHERS, TENANT, series, places, connection_id):
            raise NotImplementedError("no colleague has the same meeting")
        refs = await _find_entities(conn, found)
        rows = zip(*(one.row() for one in found), strict=True)
        await conn.execute(PUT_EVENTS, TENANT, connection_id, connection_id, now, *rows)
        told = [_Told(one, refs, connection_id) for one in found]
        digests = [one.digest for one in told], [one.activity_digest for one in told]
        numbers = await conn.fetch(PUT_MEETINGS, TENANT, series, places, *digests)
        if links := [link for one in told for link in one.links()]:
            await conn.execute(PUT_LINKS, TENANT, *zip(*links, strict=True))
        events = [
            event
            for one, (first, second) in zip(told, numbers, strict=True)
            for event in one.events(first, second, now, origin, is_new=one.found.name not in known)
        ]
        await conn.execute(ADD_EVENTS, *zip(*events, strict=True))
        lines = [
            (uuid7(), "update" if one.name in known else "create", one.meeting, one.name)
            for one in found
        ]
        columns = zip(*lines, strict=True)
        await conn.execute(ADD_LINES, TENANT, connection_id, connection_id, now, *columns)
        await conn.execute(PUT_CURSOR, TENANT, connection_id, cursor)


async def _find_entities(conn: Any, found: list["_Found"]) -> Refs:
    wanted = {address for one in found for address in one.people} - OWN
    refs: Refs = {}
    for address, kind, entity_id in await conn.fetch(FIND_ENTITIES, TENANT, list(wanted)):
        refs.setdefault(address, []).append((kind, entity_id))
    return refs


class _Found:
    """An event as Google has it, read."""

    def __init__(self, item: Json) -> None:
        self.item = item
        self.name = item["id"]
        self.series = uuid5(NAMESPACE, json.dumps([TENANT, item["iCalUID"]]))
        self.visibility = item.get("visibility", "default")
        self.is_busy = self.visibility in HIDDEN
        self.guests = [] if self.is_busy else item.get("attendees", [])
        self.organizer = {} if self.is_busy else item["organizer"]
        self.people = {one["email"].strip().casefold() for one in self.guests}
        if "email" in self.organizer:
            self.people.add(self.organizer["email"].strip().casefold())
        start, end = item["start"], item["end"]
        self.recurrence = item.get("recurrence", [])
        if "date" in start:
            self.when = {"start": start["date"], "end": end["date"], "all_day": True}
            self.starts_at, self.ends_at = _midnight(start["date"]), _midnight(end["date"])
        else:
            self.starts_at, self.ends_at = _utc(start["dateTime"]), _utc(end["dateTime"])
            self.when = {
                "start": _text(self.starts_at),
                "end": _text(self.ends_at),
                "zone": start.get("timeZone"),
                "all_day": False,
            }
        original = item.get("originalStartTime")
        self.original: str | None = None
        self.occurrence = ""
        if original is not None:
            moment = _utc(original["dateTime"])
            self.original = moment.isoformat()
            self.occurrence = f"{moment:%Y%m%dT%H%M%SZ}"
        self.meeting = f"{self.series}_{self.occurrence}" if self.occurrence else str(self.series)

    def end(self) -> datetime | None:
        """Return when it, or its series, is over; None: never."""
        for line in self.recurrence:
            _, found, until = line.partition("UNTIL=")
            if not found:
                return None
            last = datetime.strptime(until[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            return last + (self.ends_at - self.starts_at) + HALF
        return self.ends_at

    def details(self) -> Json:
        """Return what is kept of what it says."""
        if self.is_busy:
            return {"visibility": self.visibility}
        item = self.item
        kept = {
            "summary": item.get("summary"),
            "description": item.get("description"),
            "location": item.get("location"),
            "attendees_omitted": item.get("attendeesOmitted"),
            "organizer_email": self.organizer.get("email"),
            "organizer_name": self.organizer.get("displayName"),
            "creator_email": item["creator"].get("email"),
            "html_link": item.get("htmlLink"),
            "meet_link": item.get("hangoutLink"),
            "visibility": self.visibility,
        }
        if self.guests:
            kept["attendees"] = [_guest(one) for one in self.guests]
        own = item["reminders"]
        if not own["useDefault"]:
            kept["reminders"] = [[one["method"], one["minutes"]] for one in own["overrides"]]
        return {name: value for name, value in kept.items() if value or name == "reminders"}

    def row(self) -> tuple[Any, ...]:
        """Return its row of events."""
        item = self.item
        body = {
            "ical_uid": item["iCalUID"],
            "master_id": item.get("recurringEventId"),
            "event_type": item["eventType"],
            "transparent": item.get("transparency") == "transparent",
            "organized_here": item["organizer"].get("self", False),
            "busy_only": self.is_busy,
            "guests_can_modify": item.get("guestsCanModify", False),
            "when": self.when,
            "recurrence": self.recurrence,
            "original": self.original,
            "marks": item.get("extendedProperties", {}).get("private", {}),
            "details": self.details(),
        }
        return (
            uuid7(),
            self.name,
            self.series,
            self.occurrence,
            item.get("recurringEventId"),
            item["etag"],
            datetime.fromisoformat(item["updated"]),
            item["status"],
            self.starts_at,
            self.end(),
            " ".join(sorted(self.people)),
            orjson.dumps(body).decode(),
        )


class _Told:
    """What is told of an event."""

    def __init__(self, found: _Found, refs: Refs, connection_id: UUID) -> None:
        self.found = found
        self._connection_id = connection_id
        self._refs = sorted({ref for one in found.people for ref in refs.get(one, ())})
        item = found.item
        guests = {one["email"].casefold(): one for one in found.guests}
        self._guests = [guest for _, guest in sorted(guests.items())]
        organizer = found.organizer.get("email")
        self.facts = {
            "title": "(Busy)" if found.is_busy else item.get("summary") or "(No title)",
            "status": item["status"],
            "time": {"zone": None, **found.when},
            "recurrence": found.recurrence,
            "location": "" if found.is_busy else item.get("location", ""),
            "organizer": None
            if organizer is None
            else {"email": organizer, "name": found.organizer.get("displayName")},
            "attendees": [_shown(one) for one in self._guests],
            "html_link": None if found.is_busy else item.get("htmlLink"),
            "meet_link": None if found.is_busy else item.get("hangoutLink"),
            "visibility": found.visibility,
            "transparency": item.get("transparency", "opaque"),
            "event_type": item["eventType"],
            "busy_only": found.is_busy,
            "appointment_id": None,
            "copies": [
                {
                    "connection_id": connection_id,
                    "user_id": "alice",
                    "calendar_id": connection_id,
                    "google_event_id": found.name,
                }
            ],
        }
        self.digest = _digest(self.facts)
        self.activity = self._activity() if self._refs else None
        self.activity_digest = None if self.activity is None else _digest(self.activity)

    def _activity(self) -> Json:
        found, organizer = self.found, self.found.organizer.get("email")
        starts_at, ends_at = _text(found.starts_at), found.end()
        return {
            "id": found.series if not found.occurrence else uuid5(ACTIVITIES, found.meeting),
            "type": "meeting",
            "title": self.facts["title"],
            "snippet": "" if found.is_busy else found.item.get("description", "")[:500],
            "direction": "outbound" if found.item["organizer"].get("self") else "inbound",
            "entities": [{"type": kind, "id": entity_id} for kind, entity_id in self._refs],
            "participants": [
                {
                    "email": one["email"],
                    "name": one.get("displayName"),
                    "role": "organizer"
                    if one.get("organizer") or one["email"] == organizer
                    else "optional"
                    if one.get("optional")
                    else "attendee",
                }
                for one in self._guests
            ],
            "occurred_at": starts_at,
            "start": starts_at,
            "end": None if ends_at is None else _text(ends_at),
            "created_by": "alice",
            "source": "google_calendar",
            "event_id": found.meeting,
        }

    def links(self) -> list[tuple[str, str, UUID, str, datetime]]:
        """Return the rows that say whom it concerns."""
        found = self.found
        return [(*ref, found.series, found.occurrence, found.starts_at) for ref in self._refs]

    def events(
        self, first: int, second: int, now: datetime, origin: str, *, is_new: bool
    ) -> list[tuple[UUID, str, bytes]]:
        """Return what goes into the outbox."""
        found = self.found
        identity = {
            "origin": origin,
            "event_id": found.meeting,
            "series_id": found.series,
            "occurrence": found.occurrence or None,
            "connection_id": self._connection_id,
            "user_id": "alice",
            "calendar_id": self._connection_id,
            "google_event_id": found.name,
            "ical_uid": found.item["iCalUID"],
        }
        kind = f"calendar.event.{'created' if is_new else 'updated'}.v1"
        told = [_event(kind, f"event/{found.meeting}", first, now, identity | self.facts)]
        if self.activity is not None:
            data = {
                "origin": origin,
                "connection_id": self._connection_id,
                "activity": self.activity,
            }
            about = f"activity/{self.activity['id']}"
            told.append(_event("calendar.activity.logged.v1", about, second, now, data))
        return told


ACTIVITIES = UUID("0e7a3f3e-6f61-4b0c-9a55-2b6f2f0d6a11")


def _event(
    kind: str, subject: str, number: int, now: datetime, data: Json
) -> tuple[UUID, str, bytes]:
    event_id = uuid7()
    envelope = {
        "specversion": "1.0",
        "id": event_id,
        "source": "/causeway/calendar",
        "type": kind,
        "subject": subject,
        "time": now,
        "dataschema": f"urn:causeway:schema:{kind}",
        "datacontenttype": "application/json",
        "tenantid": TENANT,
        "sequence": f"{number:020d}",
        "data": data,
    }
    return event_id, kind, orjson.dumps(envelope)


def _digest(facts: Json) -> bytes:
    return hashlib.sha256(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)).digest()


def _guest(one: Json) -> Json:
    kept = {
        "email": one.get("email"),
        "name": one.get("displayName"),
        "response": one["responseStatus"],
        "optional": one.get("optional"),
        "organizer": one.get("organizer"),
        "resource": one.get("resource"),
        "is_self": one.get("self"),
        "comment": one.get("comment"),
        "extra_guests": one.get("additionalGuests"),
    }
    return {name: value for name, value in kept.items() if value}


def _shown(one: Json) -> Json:
    return {
        "email": one["email"],
        "name": one.get("displayName"),
        "response": one["responseStatus"],
        "optional": one.get("optional", False),
        "organizer": one.get("organizer", False),
        "resource": one.get("resource", False),
    }


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


@lru_cache(maxsize=1)
def _zone() -> ZoneInfo:
    return ZoneInfo(ZONE)


def _midnight(text: str) -> datetime:
    day = date.fromisoformat(text)
    return datetime(day.year, day.month, day.day, tzinfo=_zone()).astimezone(UTC)
