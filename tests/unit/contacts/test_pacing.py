from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from libs.common.feeds import Lease
from services.contacts.sync.inward.pacing import Pace

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PACE = Pace(shortest_poll=30, longest_poll=3600, token_life=5 * 86400)


def waits(*, was_busy: bool, last_s: float | None) -> float | None:
    """Return how long a feed waits that ran `last_s` seconds ago."""
    last = None if last_s is None else NOW - timedelta(seconds=last_s)
    lease = Lease(
        cast(Any, SimpleNamespace(last_sync_at=last, cursor=None, fingerprint="")),
        epoch=1,
        generation=1,
    )
    PACE.keep(lease, was_busy=was_busy, now=NOW)
    return lease.poll_s


def test_an_address_book_in_which_something_happens_is_read_again_soon() -> None:
    assert waits(was_busy=True, last_s=3000) == 30


@pytest.mark.parametrize(
    ("last_s", "wait_s"), [(None, 30), (1, 30), (30, 60), (900, 1800), (3000, 3600)]
)
def test_a_quiet_one_waits_twice_as_long_as_before(last_s: float | None, wait_s: float) -> None:
    assert waits(was_busy=False, last_s=last_s) == wait_s


def test_a_token_is_old_before_google_forgets_it() -> None:
    assert PACE.is_old(None, now=NOW)
    assert PACE.is_old(NOW - timedelta(days=5), now=NOW)
    assert not PACE.is_old(NOW - timedelta(days=4, hours=23), now=NOW)
