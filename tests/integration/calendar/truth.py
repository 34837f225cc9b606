"""What must be true when nothing is left to do: both sides show the same, and it was told once.

Google's side is read as any client of the API reads it, with series expanded there. Each rule
returns sentences that say what is wrong; none of them waits.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from weakref import WeakKeyDictionary

from libs.common import clock
from libs.common.events.envelope import Envelope
from tests.emulated import Emulated
from tests.integration.calendar.stand import Stand
from tests.integration.service_stand import ALICE, Json
from tests.support import bearer, eventually, service_caller_token

SCOPE = "https://www.googleapis.com/auth/calendar"
BEFORE, AFTER = timedelta(days=40), timedelta(days=120)
PAGE = 100
BUSY = """
SELECT (SELECT count(*) FROM signals WHERE running OR due_at <= $1) AS signals,
       (SELECT count(*) FROM outbox) AS outbox,
       (SELECT count(*) FROM writes WHERE finished_at IS NULL) AS writes
"""
TOLD = (
    "title",
    "status",
    "time",
    "recurrence",
    "location",
    "organizer",
    "attendees",
    "html_link",
    "meet_link",
    "visibility",
    "transparency",
    "busy_only",
    "appointment_id",
)
TOKENS: WeakKeyDictionary[Emulated, dict[str, str]] = WeakKeyDictionary()


async def at_rest(stand: Stand) -> bool:
    """Assert that nothing is to be done or told."""
    (row,) = await stand.fetch(BUSY, clock.now())
    assert not any(row.values()), dict(row)
    return True


async def all_right(
    stand: Stand, connections: Mapping[str, str], *, tenant: str = "acme", timeout_s: float = 30
) -> None:
    """Wait until nothing is to be done, and then until nothing is wrong.

    Args:
        stand: the service and those around it.
        connections: who is connected: ids by address.
        tenant: whose connections they are.
        timeout_s: how long both may take.
    """

    async def is_right() -> bool:
        await at_rest(stand)
        wrong = await differences(stand, connections, tenant=tenant)
        assert wrong == [], wrong
        return True

    await eventually(is_right, timeout_s=timeout_s, what="all right")


async def differences(
    stand: Stand, connections: Mapping[str, str], *, tenant: str = "acme"
) -> list[str]:
    """Return all that is wrong; nothing if all is well."""
    found = []
    for person, connection_id in connections.items():
        google = await google_shows(stand, person)
        found += unlike(google, await crm_shows(stand, connection_id, tenant=tenant))
    return found + await untold(stand, tenant=tenant) + echoed(stand, tenant=tenant)


def unlike(google: Mapping[str, Json], crm: Mapping[str, Json]) -> list[str]:
    """Return where the two sides show another calendar."""
    found = [f"the CRM lacks {name}: {google[name]}" for name in google.keys() - crm.keys()]
    found += [f"Google lacks {name}: {crm[name]}" for name in crm.keys() - google.keys()]
    return found + [
        f"{name} is {google[name]} in Google and {crm[name]} in the CRM"
        for name in google.keys() & crm.keys()
        if google[name] != crm[name]
    ]


async def google_shows(stand: Stand, person: str = ALICE) -> dict[str, Json]:
    """Return what takes place in somebody's calendar by Google, by the ids of instances."""
    begin, end = _window()
    query = f"singleEvents=true&maxResults=2500&timeMin={begin:%Y-%m-%dT%H:%M:%SZ}"
    path = f"/calendar/v3/calendars/primary/events?{query}&timeMax={end:%Y-%m-%dT%H:%M:%SZ}"
    items = (await _google(stand, person, path))["items"]
    return {one["id"]: _of_google(one) for one in items if one["status"] != "cancelled"}


async def crm_shows(stand: Stand, connection_id: str, *, tenant: str = "acme") -> dict[str, Json]:
    """Return what takes place in a connection's primary calendar by the API, by the same ids."""
    begin, end = _window()
    query = f"from={begin:%Y-%m-%dT%H:%M:%SZ}&to={end:%Y-%m-%dT%H:%M:%SZ}&limit={PAGE}"
    path, cursor, found = f"/v1/calendar/events?{query}&connection_id={connection_id}", "", {}
    while True:
        page = await stand.get(path + cursor, token=service_token(tenant))
        for one in page["items"]:
            (copy,) = one["copies"]
            name, key = copy["google_event_id"], one["occurrence"]
            is_whole = key is None or name.endswith(f"_{key}")
            found[name if is_whole else f"{name}_{key}"] = _of_crm(one)
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


async def untold(stand: Stand, *, tenant: str = "acme") -> list[str]:
    """Return of which meetings the last that was told is not how they are."""
    by_meeting: dict[str, list[Envelope]] = defaultdict(list)
    for one in told_of(stand, "calendar.event.", tenant):
        by_meeting[one.data["event_id"]].append(one)
    found = []
    for name, told in by_meeting.items():
        numbers = sorted(int(one.sequence) for one in told)
        if numbers != list(range(1, len(told) + 1)):
            found.append(f"{name} was told by the numbers {numbers}")
        last = max(told, key=lambda one: int(one.sequence))
        answer = await stand.call("GET", f"/v1/calendar/events/{name}", token=service_token(tenant))
        takes_place = answer.status == 200 and answer.body["status"] != "cancelled"
        if takes_place == last.type.endswith("cancelled.v1"):
            found.append(f"{name} was told as {last.type}, and is {answer}")
        elif takes_place:
            found += [
                f"the {what} of {name} was told as {last.data[what]}, and is {answer.body[what]}"
                for what in TOLD
                if last.data[what] != answer.body[what]
            ]
    return found


def echoed(stand: Stand, *, tenant: str = "acme") -> list[str]:
    """Return what was told twice in a row: the same meeting with the same facts."""
    last: dict[str, Json] = {}
    found = []
    for one in sorted(told_of(stand, "calendar.event.", tenant), key=lambda one: int(one.sequence)):
        facts = {name: value for name, value in one.data.items() if name != "origin"}
        facts["type"] = one.type.replace("created", "updated")
        if last.get(one.subject) == facts:
            found.append(f"{one.subject} was told twice alike: {facts}")
        last[one.subject] = facts
    return found


def told_of(stand: Stand, kind: str, tenant: str = "acme") -> list[Envelope]:
    """Return what a tenant was told of a kind, without what came again."""
    return list({one.id: one for one in stand.events(kind) if one.tenantid == tenant}.values())


def service_token(tenant: str = "acme") -> str:
    """Return the token of a service of the tenant, whatever time it is."""
    moment = int(clock.now().timestamp())
    return service_caller_token(tenant=tenant, iat=moment, exp=moment + 3600)


async def _google(stand: Stand, person: str, path: str) -> Json:
    """Return what Google's API answers a person."""
    tokens = TOKENS.setdefault(stand.google, {})
    for _ in range(2):
        if person not in tokens:
            order = {"scopes": [SCOPE]}
            made = await stand.google.control("POST", f"people/{person}/tokens", order)
            tokens[person] = made["access_token"]
        url = f"{stand.google.origin}{path}"
        async with stand.session.get(url, headers=bearer(tokens[person])) as answer:
            if answer.status == 200:
                return dict(await answer.json())
            text = await answer.text()
            del tokens[person]
    raise AssertionError(f"{path}: {text}")


def _window() -> tuple[datetime, datetime]:
    today = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    return today - BEFORE, today + AFTER


def _of_google(one: Json) -> Json:
    return {
        "title": one.get("summary") or "(No title)",
        "start": _moment(one["start"]),
        "end": _moment(one["end"]),
        "status": one["status"],
        "location": one.get("location", ""),
        "description": one.get("description", ""),
        "visibility": one.get("visibility", "default"),
        "transparency": one.get("transparency", "opaque"),
        "attendees": {each["email"]: each["responseStatus"] for each in one.get("attendees", ())},
    }


def _of_crm(one: Json) -> Json:
    names = ("title", "status", "location", "description", "visibility", "transparency")
    return {
        **{name: one[name] for name in names},
        "start": _plain(one["time"]["start"]),
        "end": _plain(one["time"]["end"]),
        "attendees": {each["email"]: each["response"] for each in one["attendees"]},
    }


def _moment(edge: Json) -> str:
    return _plain(edge.get("date") or edge["dateTime"])


def _plain(text: str) -> str:
    """Return a day as it is, and an instant in UTC."""
    if "T" not in text:
        return text
    return datetime.fromisoformat(text).astimezone(UTC).isoformat()
