import pytest

from libs.common.bus.link import header_int
from libs.common.bus.tail import matcher
from libs.common.bus.topology import RetryPolicy, retry_queue


@pytest.mark.parametrize(
    ("attempts", "transient", "delay_s"),
    [
        (1, False, 5),
        (2, False, 60),
        (3, False, 600),
        (4, False, None),
        (3, True, 600),
        (4, True, 600),
        (149, True, 600),
        (150, True, None),
    ],
)
def test_a_failure_waits_longer_each_time_until_it_is_given_up(
    *, attempts: int, transient: bool, delay_s: float | None
) -> None:
    assert RetryPolicy().next_delay(attempts, transient=transient) == delay_s


def test_without_delays_a_failure_is_final() -> None:
    assert RetryPolicy(delays_s=()).next_delay(1, transient=True) is None


@pytest.mark.parametrize(
    ("delay_s", "name"),
    [(5, "q.retry.5s"), (60, "q.retry.1m"), (600, "q.retry.10m"), (0.25, "q.retry.250ms")],
)
def test_a_delay_queue_is_named_by_its_delay(delay_s: float, name: str) -> None:
    assert retry_queue("q", delay_s) == name


@pytest.mark.parametrize(
    ("pattern", "key", "matches"),
    [
        ("#", "mail.message.sent.v1", True),
        ("mail.message.sent.v1", "mail.message.sent.v1", True),
        ("mail.message.sent.v1", "mail.message.sent.v10", False),
        ("mail.#", "mail.message.sent.v1", True),
        ("mail.#", "mail", True),
        ("mail.#", "mailer.message", False),
        ("mail.*.sent.v1", "mail.message.sent.v1", True),
        ("mail.*", "mail.message.sent", False),
        ("#.v1", "mail.message.sent.v1", True),
        ("#.v1", "mail.message.sent.v2", False),
        ("mail.message", "mail_message", False),
    ],
)
def test_a_type_matches_as_a_binding_would(*, pattern: str, key: str, matches: bool) -> None:
    assert matcher([pattern])(key) is matches


def test_any_of_several_patterns_is_enough() -> None:
    wanted = matcher(["mail.#", "auth.connection.*.v1"])

    assert wanted("mail.message.sent.v1")
    assert wanted("auth.connection.changed.v1")
    assert not wanted("auth.connection.changed.v2")


@pytest.mark.parametrize("value", [None, "3", -1, 10**9, True, 2.5, {"a": 1}])
def test_a_count_that_is_no_sane_number_is_none(value: object) -> None:
    assert header_int({"x-attempts": value}, "x-attempts") == 0  # type: ignore[dict-item] # wrong on purpose
