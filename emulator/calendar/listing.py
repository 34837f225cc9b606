"""Lists of events: whole, since a sync token, or the instances of one series.

Source: https://developers.google.com/workspace/calendar/api/v3/reference/events/list
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from emulator.calendar import instances, paging, recurrence
from emulator.calendar.access import View, view
from emulator.calendar.agenda import Agenda
from emulator.calendar.errors import (
    bad_request,
    invalid,
    time_range_empty,
    updated_min_too_long_ago,
)
from emulator.calendar.event import StoredEvent
from emulator.calendar.events import existing, sees_details, shown
from emulator.calendar.paging import Page
from emulator.calendar.times import Moment, known_zone, parse_stamp, stamp
from emulator.rest.call import Call, Operation

Json = dict[str, Any]
Query = Mapping[str, Any]

_DEFAULT_SIZE: Final = 250
_MOST: Final = 2500
_HORIZON: Final = timedelta(days=730)
_FAR_HORIZON: Final = timedelta(days=3660)
_CENTURY: Final = timedelta(days=36_525)
_CANCELLED_INSTANCES: Final = timedelta(days=183)
_NO_SYNC_TOKEN: Final = frozenset(paging.NOT_WITH_SYNC_TOKEN) - {"timeMin", "timeMax"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a listing is asked for.

    Attributes:
        endless_until: how far a series without an end is expanded.
        century: how far any series is.
    """

    after: datetime
    before: datetime
    endless_until: datetime
    century: datetime
    is_bounded: bool
    singles: bool
    with_deleted: bool
    keeps: Callable[[StoredEvent], bool]

    def overlaps(self, agenda: Agenda, event: StoredEvent) -> bool:
        """Return whether an event, or some instance of a series, is in the wanted time."""
        if not self.is_bounded:
            return True
        if not event.is_series or event.start is None or event.end is None:
            return instances.overlaps(agenda, event, self.after, self.before)
        if event.start.instant(agenda.zone) >= self.before:
            return False
        final = recurrence.last(event.recurrence, event.start)
        length = event.end.at - event.start.at
        return final is None or final.instant(agenda.zone) + length > self.after


def list_events(call: Call) -> Json:
    """Return one page of a calendar's events, or of what changed since a sync token."""
    seen = view(call)
    query = dict(call.query)
    if seen.role == "freeBusyReader":
        query["singleEvents"] = True
    _check_order(query)
    if "syncToken" in query:
        return _changes(call, seen, query)
    wanted = _wanted(call, seen, query)
    if query.get("orderBy") is not None:
        return _ordered(call, seen, query, wanted)
    return _whole(call, seen, query, wanted)


def list_instances(call: Call) -> Json:
    """Return the instances of one series."""
    seen = view(call)
    master = existing(seen, call.path["eventId"])
    wanted = _wanted(call, seen, call.query)
    original = call.query.get("originalStart")
    series = _expanded(seen.agenda, master, wanted) if master.is_series else iter([master])
    found = [event for event in series if original is None or _began(event, original, seen)]
    mark = paging.mark(seen.agenda.id, master.id, seen.person.sub, _marked(call.query))
    page = paging.read_page(call.query.get("pageToken"), mark, Page())
    size = paging.size(call.query.get("maxResults"), default=_DEFAULT_SIZE, most=_MOST)
    end = page.position + size
    answer = _envelope(call, seen, found[page.position : end])
    if end < len(found):
        answer["nextPageToken"] = paging.page_token(Page(end), mark)
    return answer


def _whole(call: Call, seen: View, query: Query, wanted: Wanted) -> Json:
    """Return a page of everything; what changes meanwhile follows with the sync token."""
    agenda = seen.agenda
    mark = paging.mark(agenda.id, seen.person.sub, _marked(query))
    page = paging.read_page(query.get("pageToken"), mark, Page(revision=agenda.log.revision))
    size = _size(call, query, page)
    items: list[StoredEvent] = []
    for event in agenda.listed(page.position):
        skipped = page.within if event.place == page.position else 0
        for number, one in enumerate(_forms(call, seen, event, wanted)):
            if number < skipped:
                continue
            if len(items) >= size:
                following = Page(event.place, number, page.revision, is_blank=not size)
                answer = _envelope(call, seen, items)
                answer["nextPageToken"] = paging.page_token(following, mark)
                return answer
            items.append(one)
    answer = _envelope(call, seen, items)
    if not _NO_SYNC_TOKEN & query.keys():
        answer["nextSyncToken"] = _sync_token(seen, query, page.revision)
    return answer


def _changes(call: Call, seen: View, query: Query) -> Json:
    """Return a page of what changed since the sync token, deletions among it."""
    paging.refuse_mixed(query, paging.NOT_WITH_SYNC_TOKEN)
    agenda, token = seen.agenda, query["syncToken"]
    switches = call.world.switches
    since = paging.read_sync(
        token,
        agenda.log,
        place=_place(seen),
        query=paging.mark(paging.kept(query)),
        oldest_s=call.world.clock.now_s() - switches.sync_token_ttl_s,
    )
    wanted = replace(_wanted(call, seen, query), with_deleted=True)
    mark = paging.mark(agenda.id, seen.person.sub, token)
    page = paging.read_page(query.get("pageToken"), mark, Page(since))
    size = _size(call, query, page)
    items: list[StoredEvent] = []
    for revision, event_id in agenda.log.since(page.position):
        event = agenda.events[event_id]
        for number, one in enumerate(_forms(call, seen, event, wanted, since=page.position)):
            if number < page.within and revision == page.position + 1:
                continue
            if len(items) >= size:
                following = Page(revision - 1, number, is_blank=not size)
                answer = _envelope(call, seen, items)
                answer["nextPageToken"] = paging.page_token(following, mark)
                return answer
            items.append(one)
    answer = _envelope(call, seen, items)
    answer["nextSyncToken"] = _sync_token(seen, query, agenda.log.revision)
    return answer


def _ordered(call: Call, seen: View, query: Query, wanted: Wanted) -> Json:
    """Return a page in the wanted order, and never a sync token."""
    found = [one for event in seen.agenda.listed(0) for one in _forms(call, seen, event, wanted)]
    if query["orderBy"] == "updated":
        found.sort(key=lambda event: event.updated_s)
    else:
        zone = seen.agenda.zone
        found.sort(key=lambda e: e.start.instant(zone) if e.start else instances.LATEST)
    mark = paging.mark(seen.agenda.id, seen.person.sub, _marked(query))
    page = paging.read_page(query.get("pageToken"), mark, Page())
    size = _size(call, query, page)
    end = page.position + size
    answer = _envelope(call, seen, found[page.position : end])
    if end < len(found):
        answer["nextPageToken"] = paging.page_token(Page(end, is_blank=not size), mark)
    return answer


def _forms(
    call: Call, seen: View, event: StoredEvent, wanted: Wanted, *, since: int | None = None
) -> Iterator[StoredEvent]:
    """Yield what a listing shows of one stored event: itself, its instances, or nothing.

    Args:
        call: the listing.
        seen: the calendar.
        event: one of its events.
        wanted: what is asked for.
        since: the revision that a synchronisation continues from; None for a full list.
    """
    is_sync = since is not None
    agenda = seen.agenda
    if wanted.singles and event.is_series:
        # After a series was deleted, clients hear of half a year of its instances.
        now = datetime.fromtimestamp(call.world.clock.now_s(), UTC)
        if event.is_cancelled:
            if is_sync or wanted.with_deleted:
                until = min(wanted.before, now + _CANCELLED_INSTANCES)
                short = replace(
                    wanted, after=max(wanted.after, now), before=until, with_deleted=True
                )
                yield from _expanded(agenda, event, short)
            return
        yield from _expanded(agenda, event, wanted)
        return
    if not wanted.keeps(event) or (event.gone and not is_sync):
        return
    if wanted.singles and event.master and _master_lists(agenda, event, since):
        return
    is_kept_exception = bool(event.master) and not wanted.singles and _lives(agenda, event)
    if event.is_cancelled and not wanted.with_deleted and not is_kept_exception:
        return
    if wanted.overlaps(agenda, event):
        yield event


def _expanded(agenda: Agenda, master: StoredEvent, wanted: Wanted) -> Iterator[StoredEvent]:
    """Yield the instances of a series in the wanted time; endless ones for the next two years."""
    has_end = recurrence.is_bounded(master.recurrence)
    before = min(wanted.before, wanted.century)
    if not has_end:
        before = min(before, wanted.endless_until)
    for event in instances.expand(agenda, master, wanted.after, before):
        if (wanted.with_deleted or not event.is_cancelled) and wanted.keeps(event):
            yield event


def _master_lists(agenda: Agenda, event: StoredEvent, since: int | None) -> bool:
    """Return whether an exception is listed at its series' place already."""
    master = agenda.events.get(event.master)
    if master is None or not master.is_series or master.is_cancelled:
        return False
    return since is None or master.revision > since


def _lives(agenda: Agenda, event: StoredEvent) -> bool:
    """Return whether the series of a cancelled exception is still there, or was never here."""
    master = agenda.events.get(event.master)
    return not event.gone and master is not None and not master.is_cancelled


def _wanted(call: Call, seen: View, query: Query) -> Wanted:
    low, high = _instant(query, "timeMin"), _instant(query, "timeMax")
    if low is not None and high is not None and high <= low:
        raise time_range_empty(parameter="timeMax")
    now = datetime.fromtimestamp(call.world.clock.now_s(), UTC)
    singles = bool(query.get("singleEvents"))
    begin = min(max(now, low or now), instances.LATEST)
    return Wanted(
        after=low or instances.EARLIEST,
        before=high or instances.LATEST,
        endless_until=begin + (_HORIZON if high is None else _FAR_HORIZON),
        century=now + _CENTURY,
        is_bounded=low is not None or high is not None,
        singles=singles,
        with_deleted=bool(query.get("showDeleted")) or "updatedMin" in query,
        keeps=_filter(call, seen, query),
    )


def _filter(call: Call, seen: View, query: Query) -> Callable[[StoredEvent], bool]:
    """Return the test that every event of the listing has to pass."""
    tests: list[Callable[[StoredEvent], bool]] = []
    if query.get("eventTypes"):
        types = frozenset(query["eventTypes"])
        tests.append(lambda event: event.type in types)
    if "iCalUID" in query:
        tests.append(lambda event: event.uid == query["iCalUID"])
    if "updatedMin" in query:
        since = _updated_min(call, query)
        tests.append(lambda event: event.updated_s >= since)
    for name, where in (
        ("privateExtendedProperty", "private"),
        ("sharedExtendedProperty", "shared"),
    ):
        tests += [_has_property(where, text, name) for text in query.get(name, ())]
    if query.get("q"):
        words = str(query["q"]).lower().split()
        tests.append(lambda event: sees_details(seen, event) and _says(event, words))
    return lambda event: all(test(event) for test in tests)


def _has_property(where: str, text: str, parameter: str) -> Callable[[StoredEvent], bool]:
    name, equals, value = text.partition("=")
    if not equals:
        raise invalid("Invalid extended property constraint.", parameter=parameter)
    return lambda event: getattr(event, where).get(name) == value


def _says(event: StoredEvent, words: list[str]) -> bool:
    parts = [str(event.facts.get(name, "")) for name in ("summary", "description", "location")]
    for person in (*event.attendees, event.organizer, event.creator):
        parts += [str(person.get("email", "")), str(person.get("displayName", ""))]
    text = "\n".join(parts).lower()
    return all(word in text for word in words)


def _updated_min(call: Call, query: Query) -> float:
    found = _instant(query, "updatedMin")
    since = found.timestamp() if found else 0.0
    if since < call.world.clock.now_s() - call.world.switches.updated_min_ttl_s:
        raise updated_min_too_long_ago()
    return since


def _instant(query: Query, name: str) -> datetime | None:
    if name not in query:
        return None
    found = parse_stamp(query[name])
    if found is None:
        raise bad_request(parameter=name)
    return min(max(found, instances.EARLIEST), instances.LATEST)


def _check_order(query: Query) -> None:
    if query.get("orderBy") == "startTime" and not query.get("singleEvents"):
        message = "The requested ordering is not available for the particular query."
        raise bad_request(message, parameter="orderBy")


def _size(call: Call, query: Query, page: Page) -> int:
    """Return how many items a page gets: by a switch half of them, or at times none."""
    size = paging.size(query.get("maxResults"), default=_DEFAULT_SIZE, most=_MOST)
    pages = call.world.switches.calendar_pages
    if pages == "short":
        return max(1, size // 2)
    return 0 if pages == "empty" and not page.is_blank else size


def _marked(query: Query) -> Json:
    return {name: value for name, value in query.items() if name not in {"pageToken", "maxResults"}}


def _place(seen: View) -> str:
    return paging.mark("events", seen.agenda.id, seen.person.sub, seen.role)


def _sync_token(seen: View, query: Query, revision: int) -> str:
    return paging.sync_token(
        seen.agenda.log,
        revision,
        place=_place(seen),
        query=paging.mark(paging.kept(query)),
        now_s=seen.agenda.clock.now_s(),
    )


def _began(event: StoredEvent, text: str, seen: View) -> bool:
    wanted = parse_stamp(text, seen.agenda.zone)
    original: Moment | None = event.original
    if original is None:
        return False
    if original.is_day:
        return original.at.date().isoformat() == text[:10]
    return original.at == wanted


def _envelope(call: Call, seen: View, items: list[StoredEvent]) -> Json:
    agenda = seen.agenda
    name = call.query.get("timeZone")
    if name is not None and known_zone(name) is None:
        raise invalid("Invalid time zone.", parameter="timeZone")
    entry = call.world.calendars.shelf(seen.person.sub).live(agenda.id)
    facts = agenda.facts
    return {
        "kind": "calendar#events",
        "etag": f'"p{paging.mark(agenda.id, agenda.log.revision)}"',
        "summary": facts.summary,
        **({"description": facts.description} if facts.description else {}),
        "updated": stamp(datetime.fromtimestamp(agenda.updated_s, UTC), agenda.zone),
        "timeZone": name or facts.time_zone,
        "accessRole": seen.role,
        "defaultReminders": (entry.wishes if entry else {}).get("defaultReminders", []),
        "items": [shown(call, seen, event) for event in items],
    }


OPERATIONS: Final = {
    "calendar.events.list": Operation(list_events, units=1),
    "calendar.events.instances": Operation(list_instances, units=1),
}
