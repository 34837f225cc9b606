"""How changes ended, and since when all is in step."""

from datetime import UTC, datetime, timedelta

from libs.common.operations.rates import furthest_behind, rate_out
from libs.common.sync_logs import Rate

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_a_rate_is_of_what_ended_one_way_or_the_other() -> None:
    shown = rate_out(Rate(succeeded=3, failed=1))
    assert (shown.succeeded, shown.failed, shown.success_rate) == (3, 1, 0.75)


def test_there_is_no_rate_of_nothing() -> None:
    assert rate_out(None).success_rate is None
    assert rate_out(Rate(succeeded=0, failed=0)).success_rate is None


def test_all_is_in_step_since_the_one_that_is_furthest_behind_was() -> None:
    assert furthest_behind([NOON, NOON - timedelta(hours=1)]) == NOON - timedelta(hours=1)


def test_nothing_is_in_step_while_one_never_was() -> None:
    assert furthest_behind([NOON, None]) is None
    assert furthest_behind([]) is None
