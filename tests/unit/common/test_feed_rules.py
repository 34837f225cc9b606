import pytest

from libs.common.feeds.model import retry_delay_s


@pytest.mark.parametrize(
    ("failures", "jitter", "delay_s"),
    [(1, 1.0, 2.0), (1, 0.0, 1.0), (2, 1.0, 4.0), (5, 1.0, 32.0), (40, 1.0, 600.0)],
)
def test_the_wait_doubles_up_to_ten_minutes(failures: int, jitter: float, delay_s: float) -> None:
    assert retry_delay_s(failures, jitter=jitter) == delay_s
