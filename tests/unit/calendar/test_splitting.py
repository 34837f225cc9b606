from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import InvalidInput
from services.calendar.domain.event import Event
from services.calendar.domain.recurrence import Occurrence, expand
from services.calendar.domain.splitting import split
from services.calendar.domain.times import Days, Span
from tests.unit.calendar.making import NEW_YORK, days, event, span, utc
from tests.unit.calendar.test_recurrence import RULES

DAILY = "RRULE:FREQ=DAILY"


def seen(master: Event) -> list[Occurrence]:
    return expand(
        master, [], start=utc(2025, 1, 1), end=utc(2029, 1, 1), zone=NEW_YORK, limit=10_000
    )


def halves(*lines: str, at: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return split(event(recurrence=lines), at, zone=NEW_YORK)


def test_the_old_series_ends_just_before() -> None:
    assert halves(DAILY, at="20261128T120000Z") == (
        (DAILY + ";UNTIL=20261128T115959Z",),
        (DAILY,),
    )


def test_a_series_of_days_ends_the_day_before() -> None:
    master = event(when=days(date(2026, 11, 26)), recurrence=(DAILY,))
    assert split(master, "20261128", zone=NEW_YORK)[0] == (DAILY + ";UNTIL=20261127",)


def test_what_has_happened_is_taken_off_the_count() -> None:
    assert halves(DAILY + ";COUNT=5", at="20261128T120000Z")[1] == (DAILY + ";COUNT=3",)


def test_what_was_excepted_counts_as_happened() -> None:
    before, after = halves(
        DAILY + ";COUNT=5",
        "EXDATE:20261127T120000Z,20261129T120000Z",
        "RDATE:20261126T150000Z,20261224T120000Z",
        at="20261128T120000Z",
    )
    assert before == (
        DAILY + ";UNTIL=20261128T115959Z",
        "RDATE:20261126T150000Z",
        "EXDATE:20261127T120000Z",
    )
    assert after == (DAILY + ";COUNT=3", "RDATE:20261224T120000Z", "EXDATE:20261129T120000Z")


def test_at_the_first_occurrence_the_whole_series_is_meant() -> None:
    assert halves(DAILY, at="20261126T120000Z") == ((), (DAILY,))


def test_of_dates_alone_those_that_follow_begin_anew() -> None:
    dates = "RDATE:20261127T120000Z,20261128T120000Z,20261129T120000Z"
    assert halves(dates, at="20261128T120000Z") == (
        ("RDATE:20261127T120000Z",),
        ("RDATE:20261129T120000Z",),
    )


@pytest.mark.parametrize("at", ["20261128T130000Z", "20261128", "20261125T120000Z"])
def test_no_series_is_split_where_it_does_not_lead(at: str) -> None:
    with pytest.raises(InvalidInput):
        halves(DAILY, at=at)


def test_no_rule_begins_anew_at_an_extra_date() -> None:
    with pytest.raises(InvalidInput):
        halves(DAILY, "RDATE:20261127T150000Z", at="20261127T150000Z")


@given(
    rule=RULES,
    end=st.sampled_from(["", ";COUNT=7", ";UNTIL=20270315T120000Z"]),
    when=st.sampled_from([span(2026, 1, 31, 9, 30, zone=NEW_YORK), days(date(2026, 1, 29), 2)]),
    place=st.integers(1, 30),
)
def test_both_halves_are_the_whole(rule: str, end: str, when: Span | Days, place: int) -> None:
    master = event(when=when, recurrence=("RRULE:" + rule + end,))
    whole = seen(master)
    # The beginning may be off the rule, and then weeks are counted from elsewhere.
    if place >= len(whole):
        return
    at = whole[place]
    before, after = split(master, at.key, zone=NEW_YORK)
    old = seen(replace(master, recurrence=before))
    new = seen(replace(master, when=at.when, recurrence=after))
    assert [one.key for one in (*old, *new)] == [one.key for one in whole]
