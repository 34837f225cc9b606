import pytest

from libs.common.feeds.holds import needs_hold
from libs.common.feeds.model import retry_delay_s


@pytest.mark.parametrize(
    ("failures", "jitter", "delay_s"),
    [(1, 1.0, 2.0), (1, 0.0, 1.0), (2, 1.0, 4.0), (5, 1.0, 32.0), (40, 1.0, 600.0)],
)
def test_the_wait_doubles_up_to_ten_minutes(failures: int, jitter: float, delay_s: float) -> None:
    assert retry_delay_s(failures, jitter=jitter) == delay_s


@pytest.mark.parametrize(
    ("affected", "total", "is_held"),
    [(50, 50, False), (51, 51, True), (51, 254, True), (51, 255, False), (2000, 10_000, False)],
)
def test_more_than_fifty_and_more_than_a_fifth_is_held(
    *, affected: int, total: int, is_held: bool
) -> None:
    assert needs_hold(affected, total) is is_held
