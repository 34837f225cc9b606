from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.mail.domain.mime.dates import read_date

NOON = datetime(1997, 11, 21, 12, 0, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        "Fri, 21 Nov 1997 09:00:06 -0300",
        "Fri, 21 Nov 1997 09:00:06 -0300 (comment (nested \\) ) )",
        "Fri(day), 21 (d) Nov 1997 09(h):00 : 06 -0300",
        "21 Nov 1997 12:00:06 +0000",
        "21 Nov 97 12:00:06 GMT",
        "21 Nov 97 12:00:06 UT",
        "21 Nov 097 12:00:06 Z",
        "21 Nov 1997 12:00:06 A",
        "21 Nov 1997 12:00:06 Y",
        "21 Nov 1997 12:00:06",
        "Fri, 21 Nov 1997 07:00:06 EST",
        "Fri, 21 Nov 1997 08:00:06 EDT",
        "Fri, 21 Nov 1997 04:00:06 PST",
        "Fri, 21 Nov 1997 05:00:06 pdt",
        "Friday, 21-Nov-97 12:00:06 GMT",
        "Fri Nov 21 12:00:06 1997",
        "Fri Nov 21 13:00:06 CET 1997",
        "Fri, 21 Nov 1997 13:00:06 +01:00",
        "Fri, 21 Nov 1997 13:00:06 GMT+0100",
        "Fri, 21 Nov 1997 12:00:06.123 +0000",
        "Fri,21 November 1997 17:30:06 +0530",
    ],
)
def test_every_form_of_a_date_names_the_moment(written: str) -> None:
    assert read_date(written) == NOON


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("21 Nov 1997 12:00 +0000", NOON.replace(second=0)),
        ("31 Dec 2016 23:59:60 +0000", datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("1 Jan 49 00:00:00 GMT", datetime(2049, 1, 1, tzinfo=UTC)),
        ("1 Jan 0100 00:00:00 GMT", None),
        ("1 Jan 1970 00:00:00 +0100", None),
        ("1 Jan 1969 00:00:00 GMT", None),
        ("31 Dec 9999 23:59:59 -0100", None),
        ("31 Feb 2020 00:00:00 GMT", None),
        ("21 Foo 1997 12:00:06 GMT", None),
        ("21 Nov 1997 25:00:06 GMT", None),
        ("21 Nov 1997 12:00:61 GMT", None),
        ("yesterday", None),
        ("", None),
        ("(((((", None),
        ("21 Nov ٢٠٢٠ 12:00:00 GMT", None),
    ],
)
def test_the_edges_of_dates(written: str, read: datetime | None) -> None:
    assert read_date(written) == read


@given(st.text(alphabet="0123456789 :,.+-()\\JanFebMonGMTZ", max_size=60))
def test_any_text_is_a_date_of_our_time_or_none(written: str) -> None:
    found = read_date(written)
    assert found is None or 1970 <= found.year <= 9999
