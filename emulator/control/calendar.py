"""What people do to their calendars in Google's own apps."""

from typing import Any, Final, Literal, Self

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, model_validator

from emulator.calendar import checks, guests, instances, recurrence, render
from emulator.calendar.access import View
from emulator.calendar.agenda import Agenda, Facts
from emulator.calendar.bodies import body_of, patched
from emulator.calendar.editing import Desk
from emulator.calendar.event import CANCELLED, StoredEvent, guest
from emulator.calendar.events import Manner, existing, imported_id, new_event, rewritten
from emulator.calendar.state import HOLIDAYS
from emulator.calendar.times import ONE_DAY, Moment, known_zone
from emulator.control.http import PREFIX, ControlError, body, breathe, person
from emulator.people import Person
from emulator.world import WORLD, World

Json = dict[str, Any]

Scope = Literal["instance", "series", "following"]
Mails = Literal["all", "externalOnly", "none"]
_FILE: Final = "text/calendar"
_MANNER: Final = Manner(conference_version=1, takes_attachments=True)


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


class EventEdit(BaseModel):
    """What the person does to an event; `event` is an instance's id for one of a series.

    Attributes:
        action: `change` with `changes` as a patch has them; `drag` to a new `start` (and `end`;
            else it stays as long as it was); `delete`; `respond` with `response`.
        guest: a guest from elsewhere whose response comes in, instead of the person's own.
        scope: of an instance: only it, the whole series, or it and all that follow. The last is
            what Google's own apps do: the series ends before it, and a new one begins.
    """

    model_config = ConfigDict(extra="forbid")
    event: str
    calendar: str = "primary"
    action: Literal["change", "drag", "delete", "respond"]
    scope: Scope = "instance"
    changes: Json = Field(default_factory=dict)
    start: Json | None = None
    end: Json | None = None
    response: Literal["needsAction", "declined", "tentative", "accepted"] | None = None
    comment: str | None = None
    guest: str | None = None
    send_updates: Mails = "all"

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        if self.action == "drag" and self.start is None:
            raise ValueError("a drag needs a start")
        if self.action == "respond" and self.response is None:
            raise ValueError("a response is needed")
        return self


class SyncAction(BaseModel):
    """What happens to the sync tokens of a calendar; without one, of all and of the list."""

    model_config = ConfigDict(extra="forbid")
    action: Literal["expire"] = "expire"
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
    agenda = _agenda(world, owner, request.match_info["calendar"])
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
    agenda = _agenda(world, owner, request.match_info["calendar"])
    if agenda.is_primary:
        raise ControlError(400, "a person's own calendar stays")
    world.calendars.drop(agenda)
    return web.json_response({"deleted": agenda.id})


async def list_events(request: web.Request) -> web.Response:
    """Show the events of a calendar as its owner's API would, deleted ones among them."""
    owner, world = person(request), request.app[WORLD]
    agenda = _agenda(world, owner, request.query.get("calendar", "primary"))
    events = [_shown(world, agenda, event, owner) for event in agenda.listed(0)]
    return web.json_response({"calendar": agenda.id, "events": events})


async def create_event(request: web.Request) -> web.Response:
    """Create an event, or `count` of them, or load an iCalendar file."""
    owner, world = person(request), request.app[WORLD]
    changed_at = world.clock.now_ms()
    if request.content_type == _FILE:
        from emulator.control import ics  # noqa: PLC0415 - it takes 0.1 seconds to import

        agenda = _agenda(world, owner, request.query.get("calendar", "primary"))
        seen = View(agenda, owner, "owner")
        loaded = await ics.load(world.calendars, seen, await request.read())
        return web.json_response({**loaded, "changed_at": changed_at}, status=201)
    wanted = await body(request, NewEvent)
    agenda = _agenda(world, owner, wanted.calendar)
    desk = Desk(world.calendars, agenda, owner.sub, wanted.send_updates)
    seen = View(agenda, owner, "owner")
    made = [_new(desk, seen, wanted.event)]
    for _ in range(wanted.count - 1):
        made.append(_next_day(desk, made[-1]))
        await breathe(len(made))
    answer = {**_shown(world, agenda, made[0], owner), "changed_at": changed_at}
    if wanted.count > 1:
        answer = {"ids": [event.id for event in made], "changed_at": changed_at}
    return web.json_response(answer, status=201)


async def edit(request: web.Request) -> web.Response:
    """Do to an event what the person does in Google's calendar."""
    owner, world = person(request), request.app[WORLD]
    wanted = await body(request, EventEdit)
    agenda = _agenda(world, owner, wanted.calendar)
    seen = View(agenda, owner, "owner")
    event = existing(seen, wanted.event)
    mails: Mails = "none" if wanted.guest is not None else wanted.send_updates
    desk = Desk(world.calendars, agenda, owner.sub, mails)
    changed_at = world.clock.now_ms()
    if event.master and wanted.scope == "following":
        touched = _edit_following(desk, seen, event, wanted)
    else:
        if event.master and wanted.scope == "series":
            event = _edited_master(seen, event, wanted)
        touched = [_edit(desk, seen, event, wanted)]
    shown = [_shown(world, agenda, one, owner) for one in touched]
    return web.json_response({"events": shown, "changed_at": changed_at})


async def change_sync(request: web.Request) -> web.Response:
    """Make sync tokens useless, as after a long silence."""
    owner, world = person(request), request.app[WORLD]
    wanted = await body(request, SyncAction)
    if wanted.calendar is not None:
        agenda = _agenda(world, owner, wanted.calendar)
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
        web.post(f"{one}/event-edits", edit),
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
    made = new_event(seen, wanted, _MANNER, event_id=event_id)
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


def _edit(desk: Desk, seen: View, event: StoredEvent, wanted: EventEdit) -> StoredEvent:
    if wanted.action == "delete":
        return desk.remove(event)
    return desk.change(event, _after(desk, seen, event, wanted))


def _after(desk: Desk, seen: View, event: StoredEvent, wanted: EventEdit) -> StoredEvent:
    if wanted.action == "respond":
        return _answered(desk, event, wanted)
    change = dict(wanted.changes)
    if wanted.action == "drag":
        change |= _dragged(seen, event, wanted)
    current = body_of(event, seen.person.sub)
    for name in ("start", "end"):  # a person replaces them; only programs merge
        if name in change:
            current.pop(name, None)
    return rewritten(seen, event, patched(current, change), _MANNER)


def _answered(desk: Desk, event: StoredEvent, wanted: EventEdit) -> StoredEvent:
    if wanted.guest is not None:
        entry = guest(event, wanted.guest.lower())
    else:
        entry = guests.own_entry(desk.calendars, desk.agenda, event)
    if entry is None:
        raise ControlError(400, "the person is not invited")
    answer = {**entry, "responseStatus": wanted.response}
    if wanted.comment is not None:
        answer["comment"] = wanted.comment
    attendees = tuple(answer if one is entry else one for one in event.attendees)
    return event.changed(attendees=attendees)


def _dragged(seen: View, event: StoredEvent, wanted: EventEdit) -> Json:
    """Return start and end after a drag; without an end the event stays as long as it was."""
    if event.start is None or event.end is None:
        raise ControlError(400, "the event has no time")
    zone = event.start.zone or seen.agenda.facts.time_zone
    start = checks.moment({"timeZone": zone, **(wanted.start or {})}, "start", zone)
    shown: Json = {"start": start.json(seen.agenda.zone)}
    if wanted.end is not None:
        end = checks.moment({"timeZone": zone, **wanted.end}, "end", zone)
    else:
        at = start.at + (event.end.at - event.start.at)
        end = Moment(at, start.is_day, "" if start.is_day else event.end.zone or zone)
    return {**shown, "end": end.json(seen.agenda.zone)}


def _edited_master(seen: View, event: StoredEvent, wanted: EventEdit) -> StoredEvent:
    """Return the series; a drag of one instance moves all of it by as much."""
    master = existing(seen, event.master)
    if wanted.action == "drag" and event.start and event.end and master.start and master.end:
        moved = _dragged(seen, event, wanted)
        zone = master.start.zone or seen.agenda.facts.time_zone
        start = checks.moment(moved["start"], "start", zone)
        end = checks.moment(moved["end"], "end", zone)
        wanted.action = "change"
        wanted.changes = {
            "start": _moved(master.start, start.at - event.start.at).json(seen.agenda.zone),
            "end": _moved(master.end, end.at - event.end.at).json(seen.agenda.zone),
        }
    return master


def _moved(moment: Moment, by: Any) -> Moment:
    return Moment(moment.at + by, moment.is_day, moment.zone)


def _edit_following(
    desk: Desk, seen: View, event: StoredEvent, wanted: EventEdit
) -> list[StoredEvent]:
    """Edit an instance and all after it: end the series before it, begin a new one with it."""
    master = existing(seen, event.master)
    if master.start is None or event.original is None:
        raise ControlError(400, "the event has no time")
    if event.original.at <= master.start.at:
        return [_edit(desk, seen, master, _edited_first(seen, event, wanted))]
    lines = recurrence.trimmed(master.recurrence, master.start, event.original)
    rest = recurrence.remaining(master.recurrence, master.start, event.original)
    ended = desk.change(master, master.changed(recurrence=lines))
    if wanted.action == "delete":
        return [ended]
    computed = instances.computed(master, event.original)
    event_id = f"{master.id.partition('_R')[0]}_R{event.original.key.removesuffix('Z')}"
    begun = computed.changed(
        id=event_id,
        uid=f"{event_id}@google.com",
        master="",
        original=None,
        recurrence=rest,
        sequence=0,
        created_s=0.0,
    )
    edited = _after(desk, seen, begun, wanted)
    return [ended, desk.add(edited)]


def _edited_first(seen: View, event: StoredEvent, wanted: EventEdit) -> EventEdit:
    _edited_master(seen, event, wanted)
    return wanted


def _agenda(world: World, owner: Person, name: str) -> Agenda:
    own = world.calendars.primary(owner)
    found = own if name == "primary" else world.calendars.find(name)
    if found is None or found.role(owner.sub) == "none":
        raise ControlError(404, "there is no such calendar")
    return found


def _shown(world: World, agenda: Agenda, event: StoredEvent, viewer: Person) -> Json:
    shown = render.event(
        event, me=world.calendars.addresses(agenda), viewer=viewer.sub, zone=agenda.zone
    )
    return {**shown, "calendarId": agenda.id}


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
