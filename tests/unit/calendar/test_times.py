from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from libs.common.errors import InvalidInput
from services.calendar.domain.times import (
    Days,
    Span,
    When,
    instants,
    is_zone,
    length,
    original_key,
    original_of,
    stored,
    when_of,
    zone_of,
)
from tests.unit.calendar.making import NEW_YORK, days, span, utc


def test_a_day_on_which_the_clocks_change_is_shorter() -> None:
    begin, end = instants(days(date(2026, 3, 8)), zone=NEW_YORK)
    assert end - begin == timedelta(hours=23)


def test_a_night_in_which_the_clocks_change_lasts_as_long_as_time_passes() -> None:
    zone = ZoneInfo(NEW_YORK)
    night = Span(
        datetime(2026, 3, 7, 22, tzinfo=zone), datetime(2026, 3, 8, 6, tzinfo=zone), NEW_YORK
    )
    assert length(night) == timedelta(hours=7)


@pytest.mark.parametrize("when", [days(date(2026, 11, 26), 3), span(2026, 11, 26, 9)])
def test_a_time_is_kept_as_it_is(when: When) -> None:
    assert when_of(stored(when)) == when


def test_days_and_spans_never_mix() -> None:
    assert stored(Days(date(2026, 1, 1), date(2026, 1, 2)))["all_day"] is True


@pytest.mark.parametrize("original", [date(2026, 11, 26), utc(2026, 11, 26, 9, 30)])
def test_a_key_names_where_an_occurrence_belongs(original: date | datetime) -> None:
    assert original_of(original_key(original)) == original


@pytest.mark.parametrize(
    "key", ["", "2026", "20261301", "20261126T250000Z", "20261126T090000", "2026-11-26", "२०२६११२६"]
)
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidInput):
        original_of(key)


@pytest.mark.parametrize(
    "name", ["", "Mars/Base", "../etc/passwd", "/etc/localtime", "America", "\0"]
)
def test_what_is_no_zone_is_refused(name: str) -> None:
    assert not is_zone(name)
    with pytest.raises(InvalidInput):
        zone_of(name)
