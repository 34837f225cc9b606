"""What both sides do in calendars, and what goes wrong between them."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.integration.auth.stand import Answer
from tests.integration.calendar.stand import appointment, soon
from tests.integration.service_stand import Json
from tests.soak.calendar_stage import GUEST, ZONES, CalendarStage, Kept, days, edges, hours
from tests.soak.steps import Step

EVENTS = "/v1/calendar/events"
RULES_OF_SERIES = (
    "RRULE:FREQ=DAILY;COUNT=4",
    "RRULE:FREQ=WEEKLY;COUNT=3",
    "RRULE:FREQ=DAILY;INTERVAL=2;COUNT=3",
)
NOTIFY = ("none", "all")
ACCEPTED = {200, 201, 202}
NOT_NOW = {400, 403, 404, 409, 412, 422, 429, 502, 503}
"""It may be gone, be another's, be out of reach, or not lead there any more."""
WRITES = "/calendar/v3/calendars/"
WAIT = {"Retry-After": "1"}
FAULTS: tuple[Json, ...] = (
    {"lose_answer": True},
    {"drop": True},
    {"late_s": 0.4},
    {"late_s": 1.4},
    {"delay_s": 1.4},
    {"status": 503},
    {"status": 500},
    {"status": 403, "reason": "rateLimitExceeded", "headers": WAIT},
    {"status": 429, "reason": "userRateLimitExceeded", "headers": WAIT},
    {"status": 401, "reason": "authError"},
    {"status": 412, "reason": "conditionNotMet"},
    {"garbage": True},
    {"truncate": 30},
)
METHODS = ("POST", "PATCH", "DELETE", "GET")


async def create(stage: CalendarStage, step: Step) -> None:
    """The CRM makes an event: of hours or days, once or again and again, with guests or none."""
    body: Json = {
        "title": f"crm {stage.done.total()}",
        "time": days(step.which, step.how) if step.how % 5 == 4 else hours(step.which, step.how),
        "connection_id": stage.connection_id,
    }
    if step.how % 3 == 1:
        body["recurrence"] = [RULES_OF_SERIES[step.which % len(RULES_OF_SERIES)]]
    if step.how % 2:
        body |= {"attendees": [{"email": GUEST}], "notify": NOTIFY[step.who]}
    await _ask(stage, "POST", _waiting(EVENTS, step), body)


async def change(stage: CalendarStage, step: Step) -> None:
    """The CRM changes what it sees: an event, an occurrence, what follows, or a series."""
    one = await _some(stage, step)
    if one is None:
        return
    body: Json = {"notify": NOTIFY[step.who]}
    is_days = one["time"]["all_day"]
    match step.how % 6:
        case 0 | 1:
            body["title"] = f"crm {stage.done.total()}"
        case 2:
            body["location"] = f"room {step.which}"
        case 3:
            body["time"] = days(step.which, step.how) if is_days else _moved(one, step)
        case 4:
            body |= {"title": f"crm {stage.done.total()}", "description": f"why {step.how}"}
        case _:
            body["attendees"] = [{"email": GUEST}] if step.which % 2 else []
    if one["occurrence"] is not None:
        body["scope"] = ("this", "following", "all")[step.which % 3]
    await _ask(stage, "PATCH", _waiting(f"{EVENTS}/{one['id']}", step), body)


async def cancel(stage: CalendarStage, step: Step) -> None:
    """The CRM cancels what it sees."""
    one = await _some(stage, step)
    if one is not None:
        scope = ("this", "following", "all")[step.which % 3] if one["occurrence"] else "all"
        query = f"?notify={NOTIFY[step.who]}&scope={scope}&wait=0"
        await _ask(stage, "DELETE", f"{EVENTS}/{one['id']}{query}")


async def answer(stage: CalendarStage, step: Step) -> None:
    """The CRM answers an invitation."""
    mine = [one for one in await stage.shown() if _is_guest(stage, one)]
    if mine:
        one = mine[step.which % len(mine)]
        body = {"response": ("accepted", "declined", "tentative")[step.how % 3], "notify": "none"}
        await _ask(stage, "POST", _waiting(f"{EVENTS}/{one['id']}/response", step), body)


async def appoint(stage: CalendarStage, step: Step) -> None:
    """The CRM makes an appointment, changes one, or cancels one."""
    name = f"a{step.which % 3}"
    known = stage.appointments.get(name)
    if known is None:
        start = soon() + timedelta(days=2 + step.which % 3, hours=step.how % 8)
        known = stage.appointments[name] = Kept(
            appointment(appointment_id=name, start=start.isoformat())
        )
    else:
        known.body = {**known.body, "version": known.body["version"] + 1}
        known.cancelled = step.how % 4 == 3
        match step.how % 4:
            case 0:
                known.body["service"] = f"service {stage.done.total()}"
            case 1:
                start = soon() + timedelta(days=2 + step.which % 3, hours=step.how % 8)
                known.body["start"] = start.isoformat()
            case 2:
                known.body["duration"] = 30 + step.how
    await keep(stage, name)


async def keep(stage: CalendarStage, name: str) -> None:
    """Tell the product of an appointment as it is now."""
    known, path = stage.appointments[name], f"/v1/calendar/appointments/{name}"
    if known.cancelled:
        found = await _ask(stage, "DELETE", f"{path}?version={known.body['version']}", times=1)
    else:
        found = await _ask(stage, "PUT", path, known.body, times=2)
    assert found.status == 200, found


async def resolve(stage: CalendarStage, step: Step) -> None:
    """A person chooses between two sides."""
    found = (await stage.stand.get("/v1/calendar/conflicts?state=open", token=stage.token))["items"]
    if found:
        path = f"/v1/calendar/conflicts/{found[step.which % len(found)]['id']}/resolve"
        body = {"choice": ("crm", "google")[step.how % 2], "notify": "none"}
        await _ask(stage, "POST", path, body)


async def happen(stage: CalendarStage, step: Step) -> None:
    """The person, or a friend who invites them, puts an event into their calendar in Google."""
    times = days(step.which, step.how) if step.how % 5 == 4 else hours(step.which, step.how)
    event: Json = {"summary": f"google {stage.done.total()}", **edges(times)}
    if step.how % 3 == 1:
        event["recurrence"] = [RULES_OF_SERIES[step.which % len(RULES_OF_SERIES)]]
    person = stage.person
    if step.who and step.how % 2:
        person, event["attendees"] = stage.friend, [{"email": stage.person}]
    await stage.stand.happens(event, person=person, send_updates="none")


async def edit(stage: CalendarStage, step: Step) -> None:
    """The person changes an event in Google, or an occurrence of a series."""
    match step.how % 3:
        case 0:
            changes: Json = {"summary": f"google {stage.done.total()}"}
        case 1:
            changes = {"location": f"roof {step.which}"}
        case _:
            changes = {"description": f"because {step.how}", "summary": f"g {stage.done.total()}"}
    await _edit(stage, step, "change", changes=changes)


async def drag(stage: CalendarStage, step: Step) -> None:
    """The person drags an event in Google."""
    times = hours(step.which, step.how + 3, zone=ZONES[step.who])
    await _edit(stage, step, "drag", start=edges(times)["start"])


async def delete(stage: CalendarStage, step: Step) -> None:
    """The person deletes an event in Google."""
    await _edit(stage, step, "delete")


async def collide(stage: CalendarStage, step: Step) -> None:
    """Both sides change the same event or appointment before they hear of each other."""
    await stage.stand.notifications(paused=True)
    names = sorted(name for name, known in stage.appointments.items() if not known.cancelled)
    if step.who and names:
        name = names[step.which % len(names)]
        mine = [one for one in await stage.at_google() if appointment_of(one) == name]
        if mine:
            times = hours(step.which, step.how + 5)
            await _do(stage, mine[0]["id"], "drag", start=edges(times)["start"])
        known = stage.appointments[name]
        known.body = {
            **known.body,
            "version": known.body["version"] + 1,
            "service": f"service {stage.done.total()}",
        }
        await keep(stage, name)
    elif (one := await _some(stage, step)) is not None and one["occurrence"] is None:
        (copy,) = one["copies"]
        theirs = {"location": f"roof {step.which}"} if step.how % 2 else {"summary": "google both"}
        await _do(stage, copy["google_event_id"], "change", changes=theirs)
        body = {"title": f"crm {stage.done.total()}", "notify": "none"}
        await _ask(stage, "PATCH", _waiting(f"{EVENTS}/{one['id']}", step), body)


async def fault(stage: CalendarStage, step: Step) -> None:
    """Google fails a few times in some way."""
    rule = {
        "path_prefix": WRITES,
        "path_contains": "/events",
        "method": METHODS[step.which % len(METHODS)],
        "times": 1 + step.who,
        "person": stage.person,
        **FAULTS[step.how % len(FAULTS)],
    }
    if rule["method"] == "GET" and rule.get("status") == 412:
        return
    stage.faults.append(rule)
    await stage.stand.google.control("PUT", "faults", {"rules": stage.faults})


async def notices(stage: CalendarStage, step: Step) -> None:
    """Notices get lost, come twice, in the wrong order, late, or as they should."""
    some = 1 + step.which % 3
    switches: tuple[Json, ...] = (
        {"drop": some},
        {"duplicate": some},
        {"reorder": 1 + some},
        {"delay_s": 0.2 * some},
        {"paused": True},
        {"paused": False, "delay_s": 0},
    )
    await stage.stand.notifications(**switches[step.how % len(switches)])


async def expire(stage: CalendarStage, step: Step) -> None:
    """Google does not know our sync tokens any more."""
    del step
    path = f"people/{stage.person}/sync-tokens"
    await stage.stand.google.control("POST", path, {"action": "expire"})


async def token(stage: CalendarStage, step: Step) -> None:
    """The person's access tokens are not good any more."""
    del step
    path = f"people/{stage.person}/grants"
    await stage.stand.google.control("POST", path, {"action": "expire_access"})


async def restart(stage: CalendarStage, step: Step) -> None:
    """The service is stopped and started."""
    del step
    await stage.restart()


async def _some(stage: CalendarStage, step: Step) -> Json | None:
    """Return something that the CRM may change."""
    found = [
        one
        for one in await stage.shown()
        if not _is_guest(stage, one) and one["appointment_id"] is None
    ]
    return found[(step.which + step.how) % len(found)] if found else None


def _is_guest(stage: CalendarStage, one: Json) -> bool:
    organizer = one["organizer"] or {}
    return organizer.get("email") == stage.friend


def _moved(one: Json, step: Step) -> Json:
    start = datetime.fromisoformat(one["starts_at"]).astimezone(ZoneInfo(ZONES[0]))
    start += timedelta(hours=1 + step.which % 3)
    return {
        "start": start.isoformat(),
        "end": (start + timedelta(minutes=45)).isoformat(),
        "zone": ZONES[0],
    }


def _waiting(path: str, step: Step) -> str:
    """Have a call wait for Google, or not: what comes next may overtake it."""
    return f"{path}?wait={2 if step.how % 4 == 0 else 0}"


async def _ask(
    stage: CalendarStage, method: str, path: str, body: Any = None, *, times: int = 2
) -> Answer:
    """Ask for a change, of which up to so many writes come."""
    stage.asked += times
    found = await stage.call(method, path, body)
    assert found.status in ACCEPTED | NOT_NOW, found
    return found


async def _edit(stage: CalendarStage, step: Step, action: str, **how: Any) -> None:
    """Let the person do something to what they have in Google."""
    found = [one for one in await stage.at_google() if one.get("eventType", "default") == "default"]
    mine = [one for one in found if one.get("organizer", {}).get("self")]
    if not mine:
        return
    one = mine[(step.which + step.how) % len(mine)]
    name, scope = one["id"], {}
    if one.get("recurrence"):
        name = f"{name}_{_second(one)}"
        scope = {"scope": ("instance", "following", "series")[step.which % 3]}
    await _do(stage, name, action, **scope, **how)


async def _do(stage: CalendarStage, name: str, action: str, **how: Any) -> None:
    """Let the person do something to an event, if it is still there."""
    path = f"people/{stage.person}/event-edits"
    body = {"event": name, "action": action, "send_updates": "none", **how}
    try:
        await stage.stand.google.control("POST", path, body)
    except AssertionError as exc:  # the series does not lead there any more
        if not any(f" {status} " in str(exc) for status in (400, 404, 409, 410)):
            raise


def appointment_of(event: Json) -> str | None:
    """Return the appointment that an event of Google's mirrors."""
    private = event.get("extendedProperties", {}).get("private", {})
    found: str | None = private.get("causeway.appointment")
    return found


def _second(master: Json) -> str:
    """Return the key of the second occurrence of a daily series, of other ones the first."""
    daily = any("FREQ=DAILY" in one and "INTERVAL" not in one for one in master["recurrence"])
    by = timedelta(days=1 if daily else 0)
    if "date" in master["start"]:
        start = datetime.fromisoformat(master["start"]["date"]) + by
        return start.strftime("%Y%m%d")
    zone = ZoneInfo(master["start"].get("timeZone", "UTC"))
    local = datetime.fromisoformat(master["start"]["dateTime"]).astimezone(zone)
    return (local + by).astimezone(ZoneInfo("UTC")).strftime("%Y%m%dT%H%M%SZ")


RULES = {
    "create": create,
    "change": change,
    "cancel": cancel,
    "answer": answer,
    "appoint": appoint,
    "resolve": resolve,
    "collide": collide,
    "happen": happen,
    "edit": edit,
    "drag": drag,
    "delete": delete,
    "fault": fault,
    "notices": notices,
    "expire": expire,
    "token": token,
    "restart": restart,
}
ALWAYS = ("create", "change", "happen", "edit", "appoint", "collide")
