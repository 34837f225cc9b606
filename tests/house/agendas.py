"""What must be true of calendars when nothing is left to do: what is held and was told is Google's.

Each rule returns sentences that say what is wrong; none of them waits.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from libs.common.events.envelope import Envelope
from tests.house.house import House, Json
from tests.house.truth import first_seen, orders

ROWS = """
SELECT e.google_id, e.etag, e.status, e.series_id, e.occurrence, e.deleted_at IS NOT NULL AS deleted
  FROM events e JOIN calendars c ON c.tenant_id = e.tenant_id AND c.id = e.calendar_id
 WHERE e.connection_id = $1 AND c.is_primary
"""
MEETINGS = "SELECT series_id, occurrence, sequence FROM meetings"
APPOINTMENTS = "SELECT appointment_id, status, google_id FROM appointments"
LEFT_OVER = {
    "events nobody could publish": "SELECT count(*) FROM outbox_dead",
    "events not published": "SELECT count(*) FROM outbox",
    "parked items": "SELECT count(*) FROM dead_items",
    "leases": "SELECT count(*) FROM feeds WHERE lease_until IS NOT NULL",
    "changes on their way": "SELECT count(*) FROM writes WHERE finished_at IS NULL",
    "changes of unknown fate": "SELECT count(*) FROM writes WHERE state = 'unknown'",
}
CANCELLED = "cancelled"


async def agenda_differences(house: House) -> list[str]:
    """Return all that is wrong; nothing if all is well."""
    assert house.calendar_db
    found, told = [], first_seen(house.events())
    for connection_id, email in house.agendas.items():
        answer = await house.google.control("GET", f"people/{email}/events")
        rows = await house.calendar_db.fetch(ROWS, UUID(connection_id))
        found += list(_rows(answer["events"], rows))
        found += list(_told(told, rows))
    found += list(_numbers(told, await house.calendar_db.fetch(MEETINGS)))
    found += orders(told)
    found += await _mirrors(house)
    found += await _invitations(house)
    for what, sql in LEFT_OVER.items():
        if count := await house.calendar_db.fetchval(sql):
            found.append(f"{count} {what}")
    return found


def _rows(events: list[Json], rows: list[Any]) -> Iterable[str]:
    """The rows are the calendar's events; of what is deleted only occurrences stay."""
    here = {row["google_id"]: row for row in rows if not row["deleted"]}
    at_google = {
        one["id"]: one for one in events if one["status"] != CANCELLED or "recurringEventId" in one
    }
    there = {name for name, one in at_google.items() if one["status"] != CANCELLED}
    for name in there - here.keys():
        yield f"{name} is missing"
    for name in here.keys() - at_google.keys():
        yield f"{name} is here and not at Google"
    for name in there & here.keys():
        if at_google[name]["etag"] != here[name]["etag"]:
            yield f"{name} is another than at Google"


def _told(told: list[Envelope], rows: list[Any]) -> Iterable[str]:
    """Every event was told as what it is, and from its birth on."""
    kinds = defaultdict(list)
    for one in told:
        if one.type.startswith("calendar.event."):
            kinds[one.aggregate_id].append(one.type.split(".")[2])
    for row in rows:
        name = str(row["series_id"]) + (f"_{row['occurrence']}" if row["occurrence"] else "")
        story = kinds.get(name, [])
        is_here = not row["deleted"] and row["status"] != CANCELLED
        if is_here and (not story or story[-1] == CANCELLED):
            yield f"{name} is here, and was told {story}"
        if not is_here and story and story[-1] != CANCELLED:
            yield f"{name} is gone, and was told {story}"
        if "createdcreated" in "".join(story):
            yield f"{name} was born twice: {story}"


def _numbers(told: list[Envelope], meetings: list[Any]) -> Iterable[str]:
    """Of every meeting each number was told once."""
    numbers = defaultdict(list)
    for one in told:
        if one.type.startswith("calendar.event."):
            numbers[one.aggregate_id].append(int(one.sequence))
    for row in meetings:
        name = str(row["series_id"]) + (f"_{row['occurrence']}" if row["occurrence"] else "")
        if numbers[name] != list(range(1, row["sequence"] + 1)):
            yield f"{name}: events {numbers[name]} and not 1 to {row['sequence']}"


async def _mirrors(house: House) -> list[str]:
    """Every appointment that takes place has one event, and no event has none."""
    assert house.calendar_db
    kept = {row["appointment_id"]: row for row in await house.calendar_db.fetch(APPOINTMENTS)}
    mirrors: Counter[str] = Counter()
    for email in house.agendas.values():
        answer = await house.google.control("GET", f"people/{email}/events")
        mirrors.update(_mirrored(one) for one in answer["events"] if one["status"] != CANCELLED)
    del mirrors[""]
    wanted = {name for name, row in kept.items() if row["google_id"] is not None}
    found = [
        f"appointment {name} has {mirrors[name]} events" for name in wanted if mirrors[name] != 1
    ]
    return found + [f"an event of {name}, which has none" for name in mirrors.keys() - wanted]


def _mirrored(event: Mapping[str, Any]) -> str:
    private = event.get("extendedProperties", {}).get("private", {})
    return str(private.get("causeway.appointment", ""))


async def _invitations(house: House) -> list[str]:
    """Whoever should be invited was, once, and nobody else."""
    answer = await house.google.control("GET", "invitations?kind=invitation")
    sent = Counter(one["to"] for one in answer["invitations"])
    asked = Counter(house.invited)
    return [] if sent == asked else [f"invited {dict(sent)}, and asked for were {dict(asked)}"]
