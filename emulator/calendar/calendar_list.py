"""The methods of the calendar list.

Source: https://developers.google.com/workspace/calendar/api/v3/reference/calendarList
"""

from typing import Any, Final

from emulator.calendar import paging
from emulator.calendar.access import check_match, check_modified, person
from emulator.calendar.agenda import ROLES, Agenda
from emulator.calendar.bodies import patched
from emulator.calendar.calendars import described, owned
from emulator.calendar.errors import forbidden, not_found, required
from emulator.calendar.paging import Page
from emulator.calendar.shelf import Entry, Shelf
from emulator.people import Person
from emulator.rest.call import Call, Operation

Json = dict[str, Any]

_DEFAULT_SIZE: Final = 100
_MOST: Final = 250
_WISHES: Final = (
    "selected", "hidden", "summaryOverride", "colorId", "backgroundColor", "foregroundColor",
    "defaultReminders", "notificationSettings",
)  # fmt: skip
_COLORS: Final[Json] = {
    "colorId": "14",
    "backgroundColor": "#9fe1e7",
    "foregroundColor": "#000000",
}


def list_entries(call: Call) -> Json:
    """Return one page of the person's list, or of what changed since a sync token."""
    who = person(call)
    shelf, query = call.world.calendars.shelf(who.sub), call.query
    place = paging.mark("calendarList", who.sub)
    kept = paging.mark(paging.kept(query))
    token = query.get("syncToken")
    since = None
    if token is not None:
        paging.refuse_mixed(query, ("minAccessRole",))
        oldest_s = call.world.clock.now_s() - call.world.switches.sync_token_ttl_s
        since = paging.read_sync(token, shelf.log, place=place, query=kept, oldest_s=oldest_s)
    mark = paging.mark(who.sub, token, kept, query.get("minAccessRole"), query.get("showHidden"))
    first = Page(revision=shelf.log.revision) if since is None else Page(since, 0, since)
    page = paging.read_page(query.get("pageToken"), mark, first)
    size = paging.size(query.get("maxResults"), default=_DEFAULT_SIZE, most=_MOST)
    found = _entries(call, who, shelf, page, is_sync=since is not None)
    shown = [(position, _shown(call, who, entry)) for position, entry in found[: size + 1]]
    answer: Json = {
        "kind": "calendar#calendarList",
        "etag": f'"p{paging.mark(who.sub, shelf.log.revision)}"',
        "items": [one for _, one in shown[:size]],
    }
    if len(shown) > size:
        following = Page(shown[size - 1][0], 0, page.revision)
        answer["nextPageToken"] = paging.page_token(following, mark)
    else:
        revision = page.revision if since is None else shelf.log.revision
        now_s = call.world.clock.now_s()
        answer["nextSyncToken"] = paging.sync_token(
            shelf.log, revision, place=place, query=kept, now_s=now_s
        )
    return answer


def get(call: Call) -> Json:
    """Return one entry of the list."""
    who = person(call)
    entry = _live(call, who)
    check_modified(call, entry.etag)
    return _shown(call, who, entry)


def insert(call: Call) -> Json:
    """Put a calendar that the person may see on the list."""
    who = person(call)
    wanted = call.body.get("id")
    if not wanted:
        raise required("Missing calendar id.")
    agenda = call.world.calendars.find(wanted)
    if agenda is None or agenda.role(who.sub) == "none":
        raise not_found()
    shelf = call.world.calendars.shelf(who.sub)
    entry = shelf.add(agenda.id)
    wishes = {**entry.wishes, **_wishes(call.body)}
    return _shown(call, who, shelf.change(agenda.id, wishes))


def patch(call: Call) -> Json:
    """Change what the body names."""
    who = person(call)
    entry = _live(call, who)
    check_match(call, entry.etag)
    wishes = patched(entry.wishes, {n: v for n, v in call.given.items() if n in _WISHES})
    return _keep(call, who, entry, wishes)


def update(call: Call) -> Json:
    """Replace what the person wants of a calendar."""
    who = person(call)
    entry = _live(call, who)
    check_match(call, entry.etag)
    return _keep(call, who, entry, _wishes(call.body))


def delete(call: Call) -> None:
    """Take a calendar off the list; a person's own stays."""
    who = person(call)
    entry = _live(call, who)
    if call.world.calendars.agendas[entry.calendar_id].owner == who.sub:
        raise forbidden("Cannot remove a calendar that the user owns from the list.")
    call.world.calendars.shelf(who.sub).remove(entry.calendar_id)


def _entries(
    call: Call, who: Person, shelf: Shelf, page: Page, *, is_sync: bool
) -> list[tuple[int, Entry]]:
    """Return the entries from a page on, each with the position that follows it."""
    if is_sync:
        return [(number, shelf.entries[key]) for number, key in shelf.log.since(page.position)]
    query = call.query
    least = ROLES.index(query.get("minAccessRole", "none"))
    found = []
    for entry in shelf.listed(page.position):
        if entry.is_deleted and not query.get("showDeleted"):
            continue
        if entry.is_hidden and not query.get("showHidden"):
            continue
        agenda = call.world.calendars.agendas.get(entry.calendar_id)
        if entry.is_deleted or (agenda and ROLES.index(agenda.role(who.sub)) >= least):
            found.append((entry.place + 1, entry))
    return found


def _live(call: Call, who: Person) -> Entry:
    wanted = call.path["calendarId"]
    calendars = call.world.calendars
    found = calendars.shelf(who.sub).live(who.email if wanted == "primary" else wanted)
    if found is None or calendars.find(found.calendar_id) is None:
        raise not_found()
    return found


def _keep(call: Call, who: Person, entry: Entry, wishes: Json) -> Json:
    if wishes == entry.wishes:
        return _shown(call, who, entry)
    return _shown(call, who, call.world.calendars.shelf(who.sub).change(entry.calendar_id, wishes))


def _wishes(body: Json) -> Json:
    return {name: body[name] for name in _WISHES if name in body}


def _shown(call: Call, who: Person, entry: Entry) -> Json:
    head: Json = {
        "kind": "calendar#calendarListEntry",
        "etag": entry.etag,
        "id": entry.calendar_id,
    }
    agenda: Agenda | None = call.world.calendars.agendas.get(entry.calendar_id)
    if entry.is_deleted or agenda is None:
        return {**head, "deleted": True}
    wishes = {name: value for name, value in entry.wishes.items() if value is not False}
    shown = {
        **head,
        **described(agenda),
        **_COLORS,
        "defaultReminders": [],
        **wishes,
        "accessRole": agenda.role(who.sub),
        "conferenceProperties": {"allowedConferenceSolutionTypes": ["hangoutsMeet"]},
        **owned(call, agenda),
    }
    return {**shown, "primary": True} if agenda.is_primary and agenda.owner == who.sub else shown


_PREFIX: Final = "calendar.calendarList."
OPERATIONS: Final = {
    f"{_PREFIX}list": Operation(list_entries, units=1),
    f"{_PREFIX}get": Operation(get, units=1),
    f"{_PREFIX}insert": Operation(insert, units=1),
    f"{_PREFIX}patch": Operation(patch, units=1),
    f"{_PREFIX}update": Operation(update, units=1),
    f"{_PREFIX}delete": Operation(delete, units=1),
}
