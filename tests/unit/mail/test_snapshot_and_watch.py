from datetime import UTC, datetime, timedelta

import pytest

from services.mail.domain.snapshot import Snapshot, compare
from services.mail.domain.watch import WatchState, renewal_at, watch_state
from tests.unit.mail.test_history import known

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def snapshot(recent: str = "", **labels: str) -> Snapshot:
    return Snapshot(
        labels={name: frozenset(worn.split()) for name, worn in labels.items()},
        recent=frozenset(recent.split()),
    )


def test_only_recent_mail_is_missing() -> None:
    found = compare(snapshot("a s", a="INBOX", s="SPAM", old="INBOX"), {}, pin=20)
    assert found.missing == ["a"]


def test_what_wears_other_labels_is_relabelled() -> None:
    found = compare(snapshot(m="INBOX STARRED"), {"m": known("INBOX", "UNREAD")}, pin=20)
    (step,) = found.relabelled["m"].steps
    assert step.record_id == 20
    assert step.added == {"STARRED"}
    assert step.removed == {"UNREAD"}


def test_what_is_not_listed_is_absent_unless_it_was_gone_before() -> None:
    held = {"m": known("INBOX"), "gone": known(deleted=True)}
    assert compare(snapshot(), held, pin=20).absent == ["m"]


def test_what_agrees_makes_no_difference() -> None:
    found = compare(snapshot("m", m="INBOX"), {"m": known("INBOX")}, pin=20)
    assert found.counts() == {"missing": 0, "relabelled": 0, "absent": 0}


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
