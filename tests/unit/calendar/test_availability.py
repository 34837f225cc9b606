from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.calendar.domain.availability import Interval, free, interval, merged, takes_time
from services.calendar.domain.event import Attendee, Details, Event, Response, Status
from tests.unit.calendar.making import NEW_YORK, days, event, utc

DAY = Interval(utc(2026, 11, 26), utc(2026, 11, 27))


def at(hour: int, to: int) -> Interval:
    return Interval(utc(2026, 11, 26, hour), utc(2026, 11, 26, to))


def answered(response: Response) -> Event:
    return event(details=Details(attendees=(Attendee("a@x.test", None, response, is_self=True),)))


@pytest.mark.parametrize(
    ("one", "busy"),
    [
        (event(), True),
        (event(busy_only=True), True),
        (event(status=Status.TENTATIVE), True),
        (event(status=Status.CANCELLED), False),
        (event(transparent=True), False),
        (event(event_type="workingLocation"), False),
        (answered(Response.DECLINED), False),
        (answered(Response.NEEDS_ACTION), True),
    ],
)
def test_what_takes_place_takes_time(one: Event, busy: bool) -> None:  # noqa: FBT001
    assert takes_time(one) is busy


def test_days_take_from_midnight_to_midnight() -> None:
    found = interval(days(utc(2026, 11, 26).date()), zone=NEW_YORK)
    assert found == Interval(utc(2026, 11, 26, 5), utc(2026, 11, 27, 5))


def test_what_overlaps_or_touches_is_one() -> None:
    assert merged([at(12, 13), at(9, 11), at(10, 12), at(15, 16)]) == [at(9, 13), at(15, 16)]


def test_everybody_is_free_between() -> None:
    busy = [at(9, 11), at(10, 12), at(14, 24 - 1)]
    assert free(busy, at(8, 20)) == [at(8, 9), at(12, 14)]


def test_a_slot_that_is_too_short_is_none() -> None:
    assert free([at(9, 12)], at(8, 20), shortest=timedelta(hours=2)) == [at(12, 20)]


def test_who_has_nothing_is_free() -> None:
    assert free([], DAY) == [DAY]


HOURS = st.integers(-5, 30).map(lambda hour: utc(2026, 11, 26) + timedelta(hours=hour))
BUSY = st.lists(st.builds(Interval, HOURS, HOURS), max_size=8)


def is_in(moment: datetime, intervals: list[Interval]) -> bool:
    return any(one.start <= moment < one.end for one in intervals)


@given(BUSY)
def test_every_moment_is_either_busy_or_free(busy: list[Interval]) -> None:
    slots = free(busy, DAY)
    for hour in range(24):
        moment = DAY.start + timedelta(hours=hour)
        assert is_in(moment, slots) != is_in(moment, busy)
