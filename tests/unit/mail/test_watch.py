from datetime import UTC, datetime, timedelta

import pytest

from services.mail.domain.watch import WatchState, renewal_at, watch_state

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("left", "state"),
    [
        (None, WatchState.ABSENT),
        (timedelta(0), WatchState.LAPSED),
        (timedelta(hours=47), WatchState.LAPSING),
        (timedelta(days=7), WatchState.WATCHING),
    ],
)
def test_a_watch_is_what_its_expiry_says(left: timedelta | None, state: WatchState) -> None:
    assert watch_state(None if left is None else NOW + left, now=NOW) is state


def test_a_watch_is_renewed_in_time_even_if_google_grants_little() -> None:
    day = timedelta(days=1)
    assert renewal_at(NOW + 7 * day, now=NOW, every=day) == NOW + day
    assert renewal_at(NOW + day, now=NOW, every=day) == NOW + day / 2
