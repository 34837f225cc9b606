"""Calendar's answers, checked: JSON in, the domain's values out."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import structlog
from pydantic import TypeAdapter, ValidationError

from libs.common.google.answers import EPOCH, next_page, parsed, places_of
from libs.common.google.wire import AnswerUnreadable
from services.calendar.domain.calendars import AccessRole, CalendarEntry
from services.calendar.domain.event import (
    Attendee,
    Details,
    Event,
    Reminder,
    Reminders,
    Response,
    Status,
)
from services.calendar.domain.times import Days, Span, When
from services.calendar.google.models import (
    LONGEST_DESCRIPTION,
    LONGEST_TEXT,
    MARK,
    MEET,
    AttendeeAnswer,
    CalendarListAnswer,
    EntryAnswer,
    EventAnswer,
    EventsAnswer,
    OverrideAnswer,
    PropertiesAnswer,
    TimeAnswer,
    WatchAnswer,
    cut,
)

log = structlog.get_logger(__name__)

MOST_LINES = 100
"""Of a recurrence; what is beyond is left out."""
HIDDEN = frozenset({"private", "confidential"})
STATUSES = {str(one): one for one in Status}
RESPONSES = {str(one): one for one in Response}
ROLES = {str(one): one for one in AccessRole}

EVENT = TypeAdapter(EventAnswer)
ENTRY = TypeAdapter(EntryAnswer)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An item of a page that makes no sense; the page has others."""

    google_id: str | None
    """None: not even the id can be read."""
    places: tuple[str, ...]
    """What was wrong; never with what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsPage:
    """A page of events."""

    items: tuple[Event | Unreadable, ...]
    next_page_token: str | None
    next_sync_token: str | None
    """Only on the last page."""
    zone: str | None
    default_reminders: tuple[Reminder, ...]
    updated: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarListPage:
    """A page of a person's list of calendars."""

    items: tuple[CalendarEntry | Unreadable, ...]
    next_page_token: str | None
    next_sync_token: str | None
    """Only on the last page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelAnswer:
    """A channel as Google opened it."""

    channel_id: str
    resource_id: str
    resource_uri: str
    expires_at: datetime | None
    """None: Google did not say."""


def events_page(answer: Any, *, after: str | None = None, details: bool = True) -> EventsPage:
    """Return a page of events; one that cannot be read does not lose the others.

    Args:
        answer: what events.list or events.instances said.
        after: the token that the page was asked for with.
        details: whether the calendar shows the person more than when somebody is busy.

    Raises:
        AnswerUnreadable: it is no page.
    """
    page = parsed(EventsAnswer, answer)
    return EventsPage(
        items=tuple(_event_or_not(one, details=details) for one in page.items),
        next_page_token=next_page(page.next_page_token, after=after),
        next_sync_token=page.next_sync_token or None,
        zone=page.time_zone,
        default_reminders=_overrides(page.default_reminders),
        updated=page.updated,
    )


def event_of(answer: Any, *, details: bool = True) -> Event:
    """Return an event as the domain's value; what others may not see is not in it.

    Args:
        answer: what events.get, insert or patch said.
        details: whether the calendar shows the person more than when somebody is busy.

    Raises:
        AnswerUnreadable: it is no event.
    """
    found = _event_or_not(answer, details=details)
    if isinstance(found, Unreadable):
        log.warning("google_answer_unreadable", model="EventAnswer", places=list(found.places))
        raise AnswerUnreadable("Google's answer is not readable.")
    return found


def calendar_list_page(answer: Any, *, after: str | None = None) -> CalendarListPage:
    """Return a page of calendars; one that cannot be read does not lose the others.

    Raises:
        AnswerUnreadable: it is no page.
    """
    page = parsed(CalendarListAnswer, answer)
    return CalendarListPage(
        items=tuple(map(_entry_or_not, page.items)),
        next_page_token=next_page(page.next_page_token, after=after),
        next_sync_token=page.next_sync_token or None,
    )


def channel_answer(answer: Any) -> ChannelAnswer:
    """Return the channel that Google opened.

    Raises:
        AnswerUnreadable: it is none.
    """
    watch = parsed(WatchAnswer, answer)
    expiry = watch.expiration
    return ChannelAnswer(
        channel_id=watch.id,
        resource_id=watch.resource_id,
        resource_uri=watch.resource_uri,
        expires_at=None if expiry is None else EPOCH + timedelta(milliseconds=expiry),
    )


def _unreadable(item: Any, places: Iterable[str]) -> Unreadable:
    name = item.get("id") if isinstance(item, dict) else None
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_TEXT:
        return Unreadable(None, tuple(places))
    return Unreadable(name, tuple(places))


def _event_or_not(item: Any, *, details: bool) -> Event | Unreadable:
    try:
        answer = EVENT.validate_python(item)
    except ValidationError as exc:
        return _unreadable(item, places_of(exc))
    event = _event(answer, details=details)
    if event.when is None and event.status is not Status.CANCELLED:
        return _unreadable(item, ["start"])
    return event


def _event(answer: EventAnswer, *, details: bool) -> Event:
    busy_only = not details or answer.visibility in HIDDEN
    return Event(
        google_id=answer.id,
        etag=cut(answer.etag),
        updated=answer.updated,
        ical_uid=cut(answer.ical_uid),
        status=STATUSES.get(answer.status, Status.CONFIRMED),
        when=_when(answer.start, answer.end),
        recurrence=tuple(map(cut, answer.recurrence[:MOST_LINES])),
        master_id=answer.recurring_event_id,
        original=_start(answer.original_start_time),
        event_type=cut(answer.event_type),
        transparent=answer.transparency == "transparent",
        organized_here=answer.organizer.is_self,
        busy_only=busy_only,
        guests_can_modify=answer.guests_can_modify,
        details=Details(visibility=cut(answer.visibility)) if busy_only else _details(answer),
        marks=_marks(answer.extended_properties),
    )


def _details(answer: EventAnswer) -> Details:
    link, pending = _meet(answer)
    return Details(
        summary=cut(answer.summary),
        description=answer.description[:LONGEST_DESCRIPTION],
        location=cut(answer.location),
        attendees=tuple(map(_attendee, answer.attendees)),
        attendees_omitted=answer.attendees_omitted,
        organizer_email=_given(answer.organizer.email),
        organizer_name=_given(answer.organizer.display_name),
        creator_email=_given(answer.creator.email),
        html_link=_link(answer.html_link),
        meet_link=link,
        meet_pending=pending,
        reminders=Reminders(
            use_default=answer.reminders.use_default,
            overrides=_overrides(answer.reminders.overrides),
        ),
        visibility=cut(answer.visibility),
    )


def _given(text: str | None) -> str | None:
    return cut(text) if text else None


def _start(time: TimeAnswer | None) -> date | datetime | None:
    return None if time is None else time.date_time or time.day


def _when(start: TimeAnswer | None, end: TimeAnswer | None) -> When | None:
    """Return when it is; an end that is missing or early is put where the shortest event ends."""
    if start is None:
        return None
    if start.date_time is not None:
        until = end and end.date_time
        return Span(
            start.date_time,
            max(until or start.date_time, start.date_time),
            start.time_zone,
        )
    if start.day is None or start.day == date.max:
        return None
    return Days(start.day, max((end and end.day) or start.day, start.day + timedelta(days=1)))


def _attendee(one: AttendeeAnswer) -> Attendee:
    return Attendee(
        email=cut(one.email or ""),
        name=_given(one.display_name),
        response=RESPONSES.get(one.response_status, Response.NEEDS_ACTION),
        optional=one.optional,
        organizer=one.organizer,
        resource=one.resource,
        is_self=one.is_self,
        comment=_given(one.comment),
        extra_guests=one.additional_guests,
    )


def _overrides(overrides: Iterable[OverrideAnswer]) -> tuple[Reminder, ...]:
    pairs = {(one.minutes, one.method) for one in overrides}
    return tuple(Reminder(method, minutes) for minutes, method in sorted(pairs))


def _meet(answer: EventAnswer) -> tuple[str | None, bool]:
    """Return the link of its Meet room, and whether one is still being made."""
    data = answer.conference_data
    other = data.conference_solution is not None and data.conference_solution.key.type != MEET
    asked = data.create_request
    pending = (
        asked is not None
        and asked.conference_solution_key.type == MEET
        and asked.status.status_code in {"", "pending"}
    )
    link = None if other else _link(answer.hangout_link)
    return link, pending and link is None


def _link(text: str) -> str | None:
    return cut(text) if text.startswith(("https://", "http://")) else None


def _marks(properties: PropertiesAnswer | None) -> dict[str, str]:
    if properties is None:
        return {}
    ours = {key: value for key, value in properties.private.items() if key.startswith(MARK)}
    return {key.removeprefix(MARK): cut(value) for key, value in ours.items()}


def _entry_or_not(item: Any) -> CalendarEntry | Unreadable:
    try:
        entry = ENTRY.validate_python(item)
    except ValidationError as exc:
        return _unreadable(item, places_of(exc))
    return CalendarEntry(
        google_id=entry.id,
        summary=entry.summary_override or entry.summary,
        zone=entry.time_zone,
        access_role=ROLES.get(entry.access_role, AccessRole.NONE),
        primary=entry.primary,
        selected=entry.selected,
        hidden=entry.hidden,
        deleted=entry.deleted,
        background_color=entry.background_color,
        conference_types=frozenset(entry.conference_properties.allowed_conference_solution_types),
    )
