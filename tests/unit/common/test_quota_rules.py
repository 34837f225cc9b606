from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.quota import model
from libs.common.quota.model import Budgets, Lane, Refusal, Slice

ACCOUNT = UUID("01900000-0000-7000-8000-000000000001")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SMALL = Budgets(
    account_per_minute=100, project_per_minute=150, project_per_day=700, backfill_per_day=260
)


class Book:
    """What the database would hold, for the rules alone."""

    def __init__(self) -> None:
        self.used: defaultdict[str, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))

    def lease(self, lane: Lane, units: int, now: datetime, *, most: int = 0) -> int | Refusal:
        wanted = model.limits(SMALL, ACCOUNT, lane, now)
        counted = {
            one.scope: {s: n for s, n in self.used[one.scope].items() if s >= one.since}
            for one in wanted
        }
        granted = model.settle(wanted, counted, least=units, most=most)
        if isinstance(granted, int):
            for one in wanted:
                self.used[one.scope][one.slot] += granted
        return granted


moves = st.lists(
    st.tuples(
        st.floats(0, 30),  # seconds since the one before
        st.sampled_from(Lane),
        st.integers(1, 60),
        st.integers(0, 60),
        st.floats(0, model.SLICE_S, exclude_max=True),  # seconds until it is spent
    ),
    max_size=60,
)


def most_in_a_minute(spent: Sequence[tuple[float, int]]) -> int:
    return max(
        (sum(n for at, n in spent if start <= at < start + 60) for start, _ in spent), default=0
    )


@given(moves)
def test_no_minute_ever_sees_more_than_the_budget_or_a_lanes_share(
    moves: list[tuple[float, Lane, int, int, float]],
) -> None:
    book, now, spent = Book(), NOON, list[tuple[Lane, float, int]]()
    for gap_s, lane, least, most, delay_s in moves:
        now += timedelta(seconds=gap_s)
        granted = book.lease(lane, least, now, most=most)
        if isinstance(granted, int):
            assert least <= granted <= max(least, most)
            spent.append((lane, now.timestamp() + delay_s, granted))

    assert most_in_a_minute([(at, n) for _, at, n in spent]) <= 100
    not_sent = [(at, n) for lane, at, n in spent if lane is not Lane.SEND]
    assert most_in_a_minute(not_sent) <= 90
    backfill = [(at, n) for lane, at, n in spent if lane is Lane.BACKFILL]
    assert most_in_a_minute(backfill) <= 70
    assert sum(n for _, _, n in spent) <= 700
    assert sum(n for _, n in backfill) <= 260


def test_units_leased_and_spent_as_late_as_they_can_be_still_have_a_minute_of_their_own() -> None:
    book, leased_at = Book(), NOON + timedelta(seconds=4.99)  # at the end of a slot
    book.lease(Lane.SEND, 100, leased_at)

    refusal = book.lease(Lane.SEND, 1, leased_at)

    assert isinstance(refusal, Refusal)
    assert refusal.until - model.slice_end(leased_at) >= 60


@given(moves)
def test_what_was_refused_stays_refused_until_then_and_is_granted_then(
    moves: list[tuple[float, Lane, int, int, float]],
) -> None:
    book, now = Book(), NOON
    for gap_s, lane, least, most, _ in moves:
        now += timedelta(seconds=gap_s)
        granted = book.lease(lane, least, now, most=most)
        if isinstance(granted, Refusal):
            until = datetime.fromtimestamp(granted.until, UTC)
            assert until > now
            assert isinstance(book.lease(lane, least, until - timedelta(milliseconds=1)), Refusal)
            assert isinstance(book.lease(lane, least, until), int)
            now = until


def test_each_lane_stops_while_the_next_one_goes_on() -> None:
    book = Book()

    assert book.lease(Lane.BACKFILL, 70, NOON) == 70
    assert isinstance(book.lease(Lane.BACKFILL, 1, NOON), Refusal)
    assert book.lease(Lane.LIVE, 20, NOON) == 20
    assert isinstance(book.lease(Lane.LIVE, 1, NOON), Refusal)
    assert book.lease(Lane.SEND, 10, NOON) == 10
    assert isinstance(book.lease(Lane.SEND, 1, NOON), Refusal)


def test_a_grant_is_what_is_free_when_less_than_would_be_of_use() -> None:
    book = Book()

    assert book.lease(Lane.SEND, 60, NOON) == 60
    assert book.lease(Lane.SEND, 10, NOON, most=60) == 40


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        (datetime(2026, 3, 2, 7, 59, tzinfo=UTC), 24),
        (datetime(2026, 3, 8, 12, tzinfo=UTC), 23),
        (datetime(2026, 11, 1, 12, tzinfo=UTC), 25),
    ],
)
def test_the_day_is_googles_whatever_its_length(now: datetime, hours: int) -> None:
    start, end = model.day_of(now)

    assert start <= now.timestamp() < end
    assert end - start == hours * 3600
    local = datetime.fromtimestamp(start, model.GOOGLES_DAY)
    assert (local.hour, local.minute) == (0, 0)


def test_a_slice_ends_with_googles_day() -> None:
    midnight = datetime(2026, 3, 2, 8, tzinfo=UTC)

    assert model.slice_end(midnight - timedelta(seconds=2)) == midnight.timestamp()
    assert model.slice_end(midnight) == midnight.timestamp() + model.SLICE_S


@pytest.mark.parametrize(
    ("used_up", "at", "size"), [(40, 4.0, 80), (3, 9.0, 3), (0, 9.0, 0), (40, 9.0, 40)]
)
def test_a_slice_doubles_while_it_is_used_up_and_shrinks_to_what_was_spent(
    used_up: int, at: float, size: int
) -> None:
    before = Slice(size=40, left=40 - used_up, ends=5.0)

    assert before.next_size(at, largest=300) == size
    assert before.next_size(at, largest=2) <= 2


def test_what_one_piece_of_work_took_in_several_slices_is_leased_at_once_the_next_time() -> None:
    first = Slice(size=2, left=0, ends=5.0)
    second = Slice(size=20, left=0, ends=5.1, before=first.spent())

    assert second.next_size(60.0, largest=300) == 22
