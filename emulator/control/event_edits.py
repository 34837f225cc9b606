"""What people do to events in Google's own apps: drag, answer, this one or all that follow."""

from typing import Any, Literal, Self

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, model_validator

from emulator.calendar import checks, guests, instances, recurrence
from emulator.calendar.access import View
from emulator.calendar.bodies import body_of, patched
from emulator.calendar.editing import Desk
from emulator.calendar.event import StoredEvent, guest
from emulator.calendar.events import existing, rewritten
from emulator.calendar.times import Moment
from emulator.control.calendar import MANNER, Mails, agenda_of, checked, shown
from emulator.control.http import PREFIX, ControlError, body, person
from emulator.world import WORLD

Json = dict[str, Any]

Scope = Literal["instance", "series", "following"]


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


async def edit(request: web.Request) -> web.Response:
    """Do to an event what the person does in Google's calendar."""
    owner, world = person(request), request.app[WORLD]
    wanted = await body(request, EventEdit)
    checked(wanted.changes, "Event")
    for moment in (wanted.start, wanted.end):
        checked(moment or {}, "EventDateTime")
    agenda = agenda_of(world, owner, wanted.calendar)
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
    found = [shown(world, agenda, one, owner) for one in touched]
    return web.json_response({"events": found, "changed_at": changed_at})


def routes() -> list[web.RouteDef]:
    """Return the routes of this module."""
    return [web.post(f"{PREFIX}/people/{{email}}/event-edits", edit)]


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
    return rewritten(seen, event, patched(current, change), MANNER)


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
