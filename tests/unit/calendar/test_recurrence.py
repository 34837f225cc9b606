from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil import rrule as library
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import InvalidInput
from services.calendar.domain.event import Event, Status
from services.calendar.domain.recurrence import (
    Occurrence,
    checked,
    expand,
    is_occurrence,
    span_of,
)
from services.calendar.domain.rules import canonical
from services.calendar.domain.times import Days, Span
from tests.unit.calendar.making import NEW_YORK, SAO_PAULO, days, event, span, utc

WEEKLY = "RRULE:FREQ=WEEKLY"
DAILY = "RRULE:FREQ=DAILY"
YEAR = utc(2026, 1, 1), utc(2027, 1, 1)


def series(*lines: str, when: Span | Days | None = None, **changes: Any) -> Event:
    return event(recurrence=lines, when=when or span(2026, 11, 26, 9), **changes)


def seen(
    master: Event,
    *exceptions: Event,
    start: datetime = YEAR[0],
    end: datetime = YEAR[1],
    zone: str = SAO_PAULO,
    limit: int = 1000,
) -> list[Occurrence]:
    return expand(master, exceptions, start=start, end=end, zone=zone, limit=limit)


def keys(*args: Any, **kwargs: Any) -> list[str]:
    return [one.key for one in seen(*args, **kwargs)]


def instead(of: str, when: Span | Days | None = None, **changes: Any) -> Event:
    original = utc(*map(int, (of[:4], of[4:6], of[6:8], of[9:11])))
    plain = {"google_id": f"e1_{of}", "master_id": "e1", "original": original, "when": when}
    return event(**plain | changes)


def test_an_occurrence_has_the_length_of_the_first() -> None:
    found = seen(series(WEEKLY + ";COUNT=2", when=span(2026, 11, 26, 9, minutes=90)))
    assert [one.when for one in found] == [
        span(2026, 11, 26, 9, minutes=90),
        span(2026, 12, 3, 9, minutes=90),
    ]


@pytest.mark.parametrize(("month", "day", "hours"), [(3, 7, "14 13 13"), (10, 31, "13 14 14")])
def test_nine_stays_nine_when_the_clocks_change(month: int, day: int, hours: str) -> None:
    master = series(DAILY + ";COUNT=3", when=span(2026, month, day, 9, zone=NEW_YORK))
    found = seen(master)
    assert [one.original.strftime("%H") for one in found] == hours.split()


def test_a_time_that_the_clocks_skip_comes_an_hour_later() -> None:
    # 8 March 2026: 02:30 does not exist in New York.
    master = series(DAILY + ";COUNT=3", when=span(2026, 3, 7, 2, 30, zone=NEW_YORK))
    assert keys(master) == ["20260307T073000Z", "20260308T073000Z", "20260309T063000Z"]


def test_a_time_that_the_clocks_show_twice_is_the_first() -> None:
    master = series(DAILY + ";COUNT=2", when=span(2026, 10, 31, 1, 30, zone=NEW_YORK))
    assert keys(master) == ["20261031T053000Z", "20261101T053000Z"]


def test_a_series_that_begins_at_the_second_of_two_like_times_does() -> None:
    second = utc(2026, 11, 1, 6, 30)
    master = series(DAILY + ";COUNT=2", when=Span(second, second + timedelta(hours=1), NEW_YORK))
    assert keys(master) == ["20261101T063000Z", "20261102T063000Z"]


def test_a_series_without_a_zone_goes_by_its_calendars() -> None:
    master = series(DAILY + ";COUNT=2", when=span(2026, 3, 7, 9, zone=None))
    assert keys(master, zone=NEW_YORK) == ["20260307T090000Z", "20260308T080000Z"]


def test_a_series_of_days_goes_by_the_date() -> None:
    master = series(WEEKLY + ";COUNT=2", when=days(date(2026, 3, 4), 2))
    assert [one.when for one in seen(master)] == [
        days(date(2026, 3, 4), 2),
        days(date(2026, 3, 11), 2),
    ]


def test_what_reaches_into_the_window_is_seen() -> None:
    master = series(WEEKLY + ";COUNT=3", when=span(2026, 11, 26, 9, minutes=3 * 24 * 60))
    found = keys(master, start=utc(2026, 12, 5), end=utc(2026, 12, 6))
    assert found == ["20261203T120000Z"]


def test_what_ends_where_the_window_begins_is_not_seen() -> None:
    master = series(DAILY)
    assert keys(master, start=utc(2026, 11, 27, 13), end=utc(2026, 11, 28, 12)) == []


def test_what_has_no_length_is_seen_where_it_is() -> None:
    master = series(DAILY, when=span(2026, 11, 26, 9, minutes=0))
    found = keys(master, start=utc(2026, 11, 27, 12), end=utc(2026, 11, 27, 13))
    assert found == ["20261127T120000Z"]


def test_no_more_than_the_limit_is_returned() -> None:
    assert keys(series(DAILY), limit=2) == ["20261126T120000Z", "20261127T120000Z"]


@pytest.mark.parametrize(
    "until",
    ["20261128T120000Z", "20261128", "20261128T090000", "20261129T115959Z"],
)
def test_until_is_the_last_instant_or_day(until: str) -> None:
    assert keys(series(f"{DAILY};UNTIL={until}"))[-1] == "20261128T120000Z"


@pytest.mark.parametrize("until", ["20261128", "20261128T000000Z"])
def test_until_is_the_last_day_of_a_series_of_days(until: str) -> None:
    assert keys(series(f"{DAILY};UNTIL={until}", when=days(date(2026, 11, 26)))) == [
        "20261126",
        "20261127",
        "20261128",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "EXDATE:20261127T120000Z",
        "EXDATE;TZID=America/New_York:20261127T070000",
        "EXDATE:20261127T090000",
        "EXDATE;VALUE=DATE:20261127",
        "EXDATE:20261127",
    ],
)
def test_an_excepted_date_is_left_out(line: str) -> None:
    found = keys(series(DAILY + ";COUNT=3", line))
    assert found == ["20261126T120000Z", "20261128T120000Z"]


@pytest.mark.parametrize(
    "line",
    [
        "RDATE:20261224T120000Z",
        "RDATE;TZID=America/New_York:20261224T070000",
        "RDATE;VALUE=DATE:20261224",
        "RDATE;VALUE=PERIOD:20261224T120000Z/PT2H",
    ],
)
def test_an_extra_date_is_added(line: str) -> None:
    found = keys(series(DAILY + ";COUNT=1", line))
    assert found == ["20261126T120000Z", "20261224T120000Z"]


def test_an_extra_date_that_the_rule_has_too_is_one() -> None:
    assert len(keys(series(DAILY + ";COUNT=2", "RDATE:20261127T120000Z"))) == 2


def test_dates_of_a_series_of_days_are_days() -> None:
    lines = DAILY + ";COUNT=3", "EXDATE;VALUE=DATE:20261127", "RDATE:20261224"
    found = keys(series(*lines, when=days(date(2026, 11, 26))))
    assert found == ["20261126", "20261128", "20261224"]


def test_an_excepting_rule_leaves_out_what_it_leads_to() -> None:
    found = keys(series(DAILY + ";COUNT=4", "EXRULE:FREQ=DAILY;INTERVAL=3"))
    assert found == ["20261127T120000Z", "20261128T120000Z"]


def test_the_beginning_is_one_more_where_the_rule_does_not_lead_there() -> None:
    # 26 November 2026 is a Thursday.
    found = keys(series(WEEKLY + ";BYDAY=WE;COUNT=2"))
    assert found == ["20261126T120000Z", "20261202T120000Z", "20261209T120000Z"]


def test_a_rule_that_makes_no_sense_leaves_the_beginning() -> None:
    assert keys(series("RRULE:FREQ=HOURLY", "RRULE:nonsense", "X")) == ["20261126T120000Z"]


def test_an_exception_stands_where_its_occurrence_would() -> None:
    moved = instead("20261127T120000Z", span(2026, 11, 27, 15))
    found = seen(series(DAILY + ";COUNT=2"), moved)
    assert [(one.key, one.event) for one in found][1] == ("20261127T120000Z", moved)
    assert found[1].when == moved.when


def test_an_exception_is_where_it_was_moved_to() -> None:
    moved = instead("20261127T120000Z", span(2026, 12, 24, 9))
    found = seen(series(DAILY + ";COUNT=3"), moved)
    assert [one.key for one in found] == [
        "20261126T120000Z",
        "20261128T120000Z",
        "20261127T120000Z",
    ]


def test_an_exception_moved_out_of_the_window_is_not_seen() -> None:
    moved = instead("20261127T120000Z", span(2026, 12, 24, 9))
    assert seen(series(DAILY), moved, start=utc(2026, 11, 27), end=utc(2026, 11, 28)) == []


def test_an_exception_moved_into_the_window_is_seen() -> None:
    moved = instead("20261127T120000Z", span(2026, 6, 1, 9))
    found = seen(series(DAILY), moved, start=utc(2026, 6, 1), end=utc(2026, 6, 2))
    assert [one.event for one in found] == [moved]


def test_a_cancelled_exception_removes_its_occurrence() -> None:
    gone = instead("20261127T120000Z", status=Status.CANCELLED)
    assert keys(series(DAILY + ";COUNT=2"), gone) == ["20261126T120000Z"]


def test_an_exception_that_the_series_leads_to_no_more_is_nothing() -> None:
    left = instead("20261127T130000Z", span(2026, 11, 27, 15))
    of_days = instead("20261127T120000Z", span(2026, 11, 27, 15), original=date(2026, 11, 27))
    assert len(seen(series(DAILY + ";COUNT=2"), left, of_days)) == 2


def test_of_a_cancelled_series_nothing_is_seen() -> None:
    assert keys(series(DAILY, status=Status.CANCELLED)) == []
    assert keys(replace(series(DAILY), when=None)) == []


def test_an_occurrence_of_its_own_has_its_own_time() -> None:
    own = seen(series(DAILY))[1].as_event()
    assert own.when == span(2026, 11, 27, 9)
    assert (own.master_id, own.recurrence, own.original) == ("e1", (), utc(2026, 11, 27, 12))


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;INTERVAL=7;BYDAY=TU",
        "FREQ=MONTHLY;INTERVAL=12;BYMONTH=2",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=WEEKLY;BYDAY=MO;BYSETPOS=5",
    ],
)
@pytest.mark.timeout(5)
def test_a_rule_that_never_comes_to_pass_ends_soon(rule: str) -> None:
    assert len(keys(series("RRULE:" + rule))) == 1
    with pytest.raises(InvalidInput):
        checked(["RRULE:" + rule], span(2026, 11, 26, 9), zone=SAO_PAULO)


@pytest.mark.timeout(5)
def test_windows_at_both_ends_of_the_calendar_are_no_trouble() -> None:
    master = series(DAILY)
    assert keys(master, start=utc(1, 1, 1), end=utc(2, 1, 1)) == []
    assert len(keys(master, start=utc(9999, 12, 1), end=utc(9999, 12, 31))) == 0
    assert len(keys(master, start=utc(2500, 2, 1), end=utc(2500, 3, 1))) == 28


RULES = st.one_of(
    st.builds(
        "FREQ=DAILY;INTERVAL={}{}".format,
        st.integers(1, 9),
        st.sampled_from(["", ";BYDAY=MO,TU,SU", ";BYMONTH=1,6", ";BYMONTHDAY=1,31,-2"]),
    ),
    st.builds(
        "FREQ=WEEKLY;INTERVAL={}{};WKST={}".format,
        st.integers(1, 5),
        st.sampled_from(["", ";BYDAY=MO", ";BYDAY=SU,MO,WE", ";BYDAY=TU,SA;BYSETPOS=-1"]),
        st.sampled_from(["MO", "SU", "TH"]),
    ),
    st.builds(
        "FREQ=MONTHLY;INTERVAL={}{}".format,
        st.integers(1, 14),
        st.sampled_from(
            ["", ";BYDAY=1MO,-1FR", ";BYMONTHDAY=31", ";BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"]
        ),
    ),
    st.builds(
        "FREQ=YEARLY;INTERVAL={}{}".format,
        st.integers(1, 5),
        st.sampled_from(
            ["", ";BYMONTH=2", ";BYWEEKNO=1,53;BYDAY=MO", ";BYYEARDAY=-1,60", ";BYDAY=-1SU"]
        ),
    ),
)
ENDS = st.sampled_from(["", ";COUNT=1", ";COUNT=40", ";UNTIL=20260315T120000Z"])
STARTS = st.datetimes(datetime(1999, 1, 1), datetime(2030, 12, 31))  # noqa: DTZ001 - walls
ZONES = st.sampled_from(["UTC", NEW_YORK, SAO_PAULO, "Australia/Lord_Howe"])


def plain(rule: str, first: datetime, zone: str, until: datetime) -> Iterator[datetime]:
    """Yield what the library alone makes of a rule: one by one, from the beginning on."""
    text, _, end = rule.partition(";UNTIL=")
    steps = iter(library.rrulestr(text, dtstart=first))
    while True:
        try:
            wall = next(steps)
        except (StopIteration, ValueError):
            return  # also where the last week of the year 9999 ends in the next
        instant = wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        if instant > until or (end and instant > utc(2026, 3, 15, 12)):
            return
        yield instant


@given(rule=RULES, end=ENDS, first=STARTS, zone=ZONES, window=st.integers(0, 20_000))
def test_leaps_lead_where_single_steps_do(
    rule: str, end: str, first: datetime, zone: str, window: int
) -> None:
    first = first.replace(second=0, microsecond=0)
    when = span(*first.timetuple()[:5], zone=zone)
    low = utc(1999, 1, 1) + timedelta(days=window)
    high = low + timedelta(days=400)
    master = series("RRULE:" + rule + end, when=when)
    found = {one.original for one in seen(master, start=low, end=high, zone="UTC")}
    wanted = set(plain(rule + end, first, zone, high)) | {when.start}
    assert found == {one for one in wanted if low - timedelta(hours=1) < one < high}


@given(rule=RULES, end=ENDS, first=st.dates(date(1999, 1, 1), date(2030, 1, 1)))
def test_a_series_lies_within_its_span(rule: str, end: str, first: date) -> None:
    master = series("RRULE:" + rule + end, when=days(first))
    begin, until = span_of(master, zone=NEW_YORK) or (None, None)
    assert begin is not None
    found = seen(master, start=begin, end=until or utc(2040, 1, 1), zone=NEW_YORK, limit=5)
    assert found[0].original == first
    assert all(is_occurrence(master, one.key, zone=NEW_YORK) for one in found)
    assert seen(master, start=utc(1990, 1, 1), end=begin, zone=NEW_YORK) == []
    if until:
        assert seen(master, start=until, end=utc(2200, 1, 1), zone=NEW_YORK) == []


@pytest.mark.parametrize(
    ("lines", "end"),
    [
        ((DAILY,), None),
        ((DAILY + ";COUNT=3",), utc(2026, 11, 28, 13)),
        ((DAILY + ";COUNT=1", "RDATE:20261224T120000Z"), utc(2026, 12, 24, 13)),
        ((), utc(2026, 11, 26, 13)),
    ],
)
def test_a_series_ends_with_its_last_occurrence(
    lines: tuple[str, ...], end: datetime | None
) -> None:
    assert span_of(series(*lines), zone=SAO_PAULO) == (utc(2026, 11, 26, 12), end)


def test_a_series_begins_with_an_extra_date_before_it() -> None:
    begin, _ = span_of(series(DAILY, "RDATE:20260101T120000Z"), zone=SAO_PAULO) or (None, None)
    assert begin == utc(2026, 1, 1, 12)


@pytest.mark.parametrize(
    ("key", "is_one"),
    [
        ("20261127T120000Z", True),
        ("20261127T130000Z", False),
        ("20261125T120000Z", False),
        ("20261127", False),
    ],
)
def test_an_occurrence_is_known_by_its_key(key: str, is_one: bool) -> None:  # noqa: FBT001
    assert is_occurrence(series(DAILY), key, zone=SAO_PAULO) is is_one


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ([], ()),
        (["rrule:freq=weekly;byday=we,mo"], ("RRULE:FREQ=WEEKLY;BYDAY=MO,WE",)),
        ([DAILY + ";UNTIL=20261130"], (DAILY + ";UNTIL=20261201T025959Z",)),
        (
            [DAILY, "EXDATE;VALUE=DATE:20261127", "RDATE:20261224T090000"],
            (DAILY, "RDATE:20261224T120000Z", "EXDATE:20261127T120000Z"),
        ),
    ],
)
def test_a_callers_lines_become_googles(lines: list[str], wanted: tuple[str, ...]) -> None:
    assert checked(lines, span(2026, 11, 26, 9), zone="UTC") == wanted


@pytest.mark.parametrize(
    "lines",
    [
        ["FREQ=DAILY"],
        ["RRULE:FREQ=SECONDLY"],
        ["RRULE:FREQ=MINUTELY"],
        ["RRULE:FREQ=HOURLY"],
        ["RRULE:FREQ=DAILY;BYHOUR=9,10"],
        ["RRULE:FREQ=DAILY;INTERVAL=0"],
        ["RRULE:FREQ=DAILY;INTERVAL=1000"],
        ["RRULE:FREQ=DAILY;COUNT=0"],
        ["RRULE:FREQ=DAILY;COUNT=10001"],
        ["RRULE:FREQ=DAILY;COUNT=2;UNTIL=20270101"],
        ["RRULE:FREQ=DAILY;COUNT=2;COUNT=3"],
        ["RRULE:FREQ=DAILY;UNTIL=20260101"],
        ["RRULE:FREQ=DAILY;UNTIL=20261399"],
        ["RRULE:FREQ=DAILY;BYDAY=1MO"],
        ["RRULE:FREQ=DAILY;BYDAY=XX"],
        ["RRULE:FREQ=DAILY;BYEASTER=1"],
        ["RRULE:FREQ=WEEKLY;BYMONTHDAY=1"],
        ["RRULE:FREQ=MONTHLY;BYMONTHDAY=0"],
        ["RRULE:FREQ=MONTHLY;BYMONTHDAY=32"],
        ["RRULE:FREQ=MONTHLY;BYWEEKNO=1"],
        ["RRULE:FREQ=MONTHLY;BYSETPOS=1"],
        ["RRULE:FREQ=DAILY", "RRULE:FREQ=WEEKLY"],
        ["RRULE:FREQ=DAILY", "EXRULE:FREQ=WEEKLY"],
        ["EXDATE:20261127T120000Z"],
        ["DTSTART:20261127T120000Z", "RRULE:FREQ=DAILY"],
        ["RRULE:FREQ=DAILY", "RDATE;TZID=Mars/Base:20261127T120000"],
        ["RRULE:FREQ=DAILY", "RDATE:tomorrow"],
        ["RRULE:FREQ=DAILY"] * 51,
        ["RRULE:FREQ=DAILY;" + "X" * 2000],
    ],
)
def test_what_is_no_recurrence_is_refused_by_its_name(lines: list[str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        checked(lines, span(2026, 11, 26, 9), zone=SAO_PAULO)
    assert "'field': 'recurrence'" in str(refused.value.data)


def test_a_series_of_days_takes_days() -> None:
    with pytest.raises(InvalidInput):
        checked([DAILY, "EXDATE:20261127T120000Z"], days(date(2026, 11, 26)), zone=SAO_PAULO)


@given(st.lists(st.text(max_size=60) | st.builds("RRULE:{}".format, RULES), max_size=4))
def test_whatever_the_lines_are_they_are_read_or_refused(lines: list[str]) -> None:
    seen(series(*lines))
    assert canonical(canonical(lines)) == canonical(lines)
    with suppress(InvalidInput):
        checked(lines, span(2026, 11, 26, 9), zone=SAO_PAULO)
