"""What people have in Google's own apps: calendars, who shares them, new events, mails."""

import json
from typing import Any, Final, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from emulator.calendar import render
from emulator.calendar.access import View
from emulator.calendar.agenda import Agenda, Facts
from emulator.calendar.editing import Desk
from emulator.calendar.event import CANCELLED, StoredEvent
from emulator.calendar.events import Manner, imported_id, new_event
from emulator.calendar.state import HOLIDAYS
from emulator.calendar.times import ONE_DAY, Moment, known_zone
from emulator.control.http import PREFIX, ControlError, body, breathe, person
from emulator.people import Person
from emulator.rest import documents, jsontext, schemas
from emulator.world import WORLD, World

Json = dict[str, Any]

Mails = Literal["all", "externalOnly", "none"]
_FILE: Final = "text/calendar"
MANNER: Final = Manner(conference_version=1, takes_attachments=True)


class NewCalendar(BaseModel):
    """A secondary calendar, or with `holidays` one of Google's own that nobody can watch."""

    model_config = ConfigDict(extra="forbid")
    summary: str = "Calendar"
    description: str = ""
    time_zone: str = "UTC"
    holidays: bool = False


class Sharing(BaseModel):
    """What somebody may do with a calendar; `on_list` puts it on their list, too."""

    model_config = ConfigDict(extra="forbid")
    person: str
    role: Literal["none", "freeBusyReader", "reader", "writer", "owner"]
    on_list: bool = True


class NewEvent(BaseModel):
    """An event, as the API describes it; with an `organizer` of somebody else it is a copy.

    Attributes:
        count: so many of them; each begins a day after the one before.
    """

    model_config = ConfigDict(extra="forbid")
    event: Json
    calendar: str = "primary"
    send_updates: Mails = "all"
    count: int = Field(default=1, ge=1, le=100_000)


class SyncAction(BaseModel):
    """What happens to sync tokens: those of a calendar, of all calendars and the list, of contacts.

    Attributes:
        of: `contacts` means those of contacts, other contacts and groups.
    """

    model_config = ConfigDict(extra="forbid")
    action: Literal["expire"] = "expire"
    of: Literal["calendars", "contacts"] = "calendars"
    calendar: str | None = None


async def create_calendar(request: web.Request) -> web.Response:
    """Create a calendar, or put one of Google's holiday calendars on the person's list."""
    owner, world = person(request), request.app[WORLD]
    wanted = await body(request, NewCalendar)
    if known_zone(wanted.time_zone) is None:
        raise ControlError(400, "there is no such time zone")
    facts = Facts(wanted.summary, wanted.description, time_zone=wanted.time_zone)
    if wanted.holidays:
        agenda = world.calendars.create_public(HOLIDAYS, facts)
        world.calendars.primary(owner)
        world.calendars.shelf(owner.sub).add(agenda.id, is_selected=True)
    else:
        agenda = world.calendars.create(owner, facts)
    return web.json_response(_described(world, agenda, owner), status=201)


async def list_calendars(request: web.Request) -> web.Response:
    """Show the person's calendars with what is in them."""
    owner, world = person(request), request.app[WORLD]
    world.calendars.primary(owner)
    seen = [a for a in list(world.calendars.agendas.values()) if a.role(owner.sub) != "none"]
    shown = [_described(world, agenda, owner) for agenda in seen if not agenda.is_deleted]
    return web.json_response({"calendars": shown})


async def share(request: web.Request) -> web.Response:
    """Share a calendar with somebody, or take it back."""
    owner, world = person(request), request.app[WORLD]
    wanted = await body(request, Sharing)
    agenda = agenda_of(world, owner, request.match_info["calendar"])
    other = world.people.find(wanted.person)
    if other is None:
        raise ControlError(404, "there is nobody to share it with")
    world.calendars.primary(other)
    world.calendars.share(agenda, other.sub, wanted.role)
    if wanted.on_list and wanted.role != "none":
        world.calendars.shelf(other.sub).add(agenda.id, is_selected=True)
    return web.json_response({"id": agenda.id, "roles": _roles(world, agenda)})


async def delete_calendar(request: web.Request) -> web.Response:
    """Delete a secondary calendar."""
    owner, world = person(request), request.app[WORLD]
    agenda = agenda_of(world, owner, request.match_info["calendar"])
    if agenda.is_primary:
        raise ControlError(400, "a person's own calendar stays")
    world.calendars.drop(agenda)
    return web.json_response({"deleted": agenda.id})


async def list_events(request: web.Request) -> web.Response:
    """Show the events of a calendar as its owner's API would, deleted ones among them."""
    owner, world = person(request), request.app[WORLD]
    agenda = agenda_of(world, owner, request.query.get("calendar", "primary"))
    events = [shown(world, agenda, event, owner) for event in agenda.listed(0)]
    return web.json_response({"calendar": agenda.id, "events": events})


async def create_event(request: web.Request) -> web.Response:
    """Create an event, or `count` of them, or load an iCalendar file."""
    owner, world = person(request), request.app[WORLD]
    changed_at = world.clock.now_ms()
    if request.content_type == _FILE:
        from emulator.control import ics  # noqa: PLC0415 - it takes 0.1 seconds to import

        agenda = agenda_of(world, owner, request.query.get("calendar", "primary"))
        seen = View(agenda, owner, "owner")
        loaded = await ics.load(world.calendars, seen, await request.read())
        return web.json_response({**loaded, "changed_at": changed_at}, status=201)
    wanted = await body(request, NewEvent)
    checked(wanted.event, "Event")
    agenda = agenda_of(world, owner, wanted.calendar)
    desk = Desk(world.calendars, agenda, owner.sub, wanted.send_updates)
    seen = View(agenda, owner, "owner")
    made = [_new(desk, seen, wanted.event)]
    for _ in range(wanted.count - 1):
        made.append(_next_day(desk, made[-1]))
        await breathe(len(made))
    answer = {**shown(world, agenda, made[0], owner), "changed_at": changed_at}
    if wanted.count > 1:
        answer = {"ids": [event.id for event in made], "changed_at": changed_at}
    return web.json_response(answer, status=201)


async def change_sync(request: web.Request) -> web.Response:
    """Make sync tokens useless, as after a long silence."""
    owner, world = person(request), request.app[WORLD]
    wanted = await body(request, SyncAction)
    if wanted.of == "contacts":
        world.contacts.book(owner.sub).expire()
        return web.json_response({"expired": ["connections", "otherContacts", "contactGroups"]})
    if wanted.calendar is not None:
        agenda = agenda_of(world, owner, wanted.calendar)
        agenda.log.expire()
        return web.json_response({"expired": [agenda.id]})
    world.calendars.shelf(owner.sub).log.expire()
    mine = [a for a in world.calendars.agendas.values() if a.role(owner.sub) != "none"]
    for agenda in mine:
        agenda.log.expire()
    return web.json_response({"expired": ["calendarList", *(agenda.id for agenda in mine)]})


async def list_invitations(request: web.Request) -> web.Response:
    """Show the mails about events, oldest first; `?event=`, `?to=` and `?kind=` choose some."""
    sent = [one.json() for one in request.app[WORLD].calendars.invitations.sent]
    for parameter, name in (("event", "eventId"), ("to", "to"), ("kind", "kind")):
        wanted = request.query.get(parameter)
        sent = [one for one in sent if wanted is None or one[name] == wanted]
    return web.json_response({"invitations": sent, "count": len(sent)})


async def clear_invitations(request: web.Request) -> web.Response:
    """Forget the mails that were sent."""
    request.app[WORLD].calendars.invitations.sent.clear()
    return await list_invitations(request)


def calendar_state(world: World, agenda: Agenda) -> Json:
    """Return a calendar with its events, for the dump of everything."""
    owner = world.people.find(agenda.owner)
    me = world.calendars.addresses(agenda)
    return {
        "id": agenda.id,
        "owner": owner.email if owner else None,
        "summary": agenda.facts.summary,
        "timeZone": agenda.facts.time_zone,
        "roles": _roles(world, agenda),
        "events": [
            render.event(event, me=me, viewer=agenda.owner, zone=agenda.zone)
            for event in agenda.listed(0)
        ],
    }


def routes() -> list[web.RouteDef]:
    """Return the routes of this module."""
    one = f"{PREFIX}/people/{{email}}"
    return [
        web.get(f"{one}/calendars", list_calendars),
        web.post(f"{one}/calendars", create_calendar),
        web.delete(f"{one}/calendars/{{calendar}}", delete_calendar),
        web.post(f"{one}/calendars/{{calendar}}/sharing", share),
        web.get(f"{one}/events", list_events),
        web.post(f"{one}/events", create_event),
        web.post(f"{one}/sync-tokens", change_sync),
        web.get(f"{PREFIX}/invitations", list_invitations),
        web.delete(f"{PREFIX}/invitations", clear_invitations),
    ]


def _new(desk: Desk, seen: View, wanted: Json) -> StoredEvent:
    """Store an event; what somebody else organizes has the id that it has at Google's."""
    organizer = wanted.get("organizer", {}).get("email", "").lower()
    uid = wanted.get("iCalUID", "")
    event_id = wanted.get("id") or (imported_id(seen, uid) if uid else seen.agenda.new_id())
    if event_id in seen.agenda.events:
        raise ControlError(409, "there is an event with this id")
    made = new_event(seen, wanted, MANNER, event_id=event_id)
    if organizer:
        made = made.changed(organizer={**wanted["organizer"], "email": organizer})
    return desk.add(made)


def _next_day(desk: Desk, event: StoredEvent) -> StoredEvent:
    """Store a copy of an event, a day later."""
    event_id = desk.agenda.new_id()
    moved = {name: _later(getattr(event, name)) for name in ("start", "end")}
    fresh = event.changed(
        id=event_id, uid=f"{event_id}@google.com", place=-1, created_s=0.0, **moved
    )
    return desk.add(fresh)


def _later(moment: Moment | None) -> Moment | None:
    return moment and Moment(moment.at + ONE_DAY, moment.is_day, moment.zone)


def checked(value: Json, schema: str, *, api: tuple[str, str] = ("calendar", "v3")) -> Json:
    """Return an object that Google's document describes; nulls are let through.

    Raises:
        ControlError: 400 with the place of every fault.
    """
    schemas_of = documents.load(*api)["schemas"]
    plain = jsontext.loads(json.dumps(value).encode())
    faults = schemas.problems(plain, {"$ref": schema}, schemas_of, lenient=True)
    if faults:
        raise ControlError(400, f"this is no {schema}", faults)
    return value


def agenda_of(world: World, owner: Person, name: str) -> Agenda:
    """Return a calendar that the person sees, by id or as `primary`, or raise a 404."""
    own = world.calendars.primary(owner)
    found = own if name == "primary" else world.calendars.find(name)
    if found is None or found.role(owner.sub) == "none":
        raise ControlError(404, "there is no such calendar")
    return found


def shown(world: World, agenda: Agenda, event: StoredEvent, viewer: Person) -> Json:
    """Return an event as the API shows it to somebody, with the calendar that it is in."""
    found = render.event(
        event, me=world.calendars.addresses(agenda), viewer=viewer.sub, zone=agenda.zone
    )
    return {**found, "calendarId": agenda.id}


def _described(world: World, agenda: Agenda, viewer: Person) -> Json:
    return {
        "id": agenda.id,
        "summary": agenda.facts.summary,
        "timeZone": agenda.facts.time_zone,
        "primary": agenda.is_primary and agenda.owner == viewer.sub,
        "accessRole": agenda.role(viewer.sub),
        "roles": _roles(world, agenda),
        "events": sum(event.status != CANCELLED for event in agenda.events.values()),
    }


def _roles(world: World, agenda: Agenda) -> Json:
    found = {sub: world.people.find(sub) for sub in agenda.roles}
    return {p.email: agenda.roles[sub] for sub, p in found.items() if p is not None}
