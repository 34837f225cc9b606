from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.mail.domain.history import (
    MOST_RECORDS,
    Change,
    Labelled,
    Own,
    Record,
    Relabelled,
    Step,
    Worn,
    chunks,
    deleted_ids,
    fold,
    must_fetch,
    relabel,
    settled_cursor,
    without_older,
)
from services.mail.domain.message import (
    Direction,
    Known,
    Person,
    address_hashes,
    direction,
    is_mail,
)


def known(*labels: str, at: int = 10, **facts: object) -> Known:
    base: dict[str, object] = {
        "id": UUID(int=1),
        "google_id": "m",
        "thread_id": "t",
        "labels": frozenset(labels),
        "label_history_id": at,
        "sequence": 1,
        "internal_date": datetime(2026, 1, 1, tzinfo=UTC),
        "traced": False,
        "deleted": False,
    }
    return Known(**{**base, **facts})  # type: ignore[arg-type]  # a dict of mixed values


def on(record_id: int, *labels: str) -> Step:
    return Step(record_id, added=frozenset(labels))


def off(record_id: int, *labels: str) -> Step:
    return Step(record_id, removed=frozenset(labels))


def test_an_added_message_must_be_fetched_once() -> None:
    changes = fold([Record(id=1, added=("a",)), Record(id=2, added=("a", "b"))])
    assert [one.google_id for one in changes.values() if must_fetch(one, None)] == ["a", "b"]


def test_a_message_we_hold_is_not_fetched_again() -> None:
    assert not must_fetch(fold([Record(id=1, added=("m",))])["m"], known())


def test_a_message_that_came_and_went_is_not_fetched() -> None:
    records = [Record(id=1, added=("m",)), Record(id=2, deleted=("m",))]
    assert not must_fetch(fold(records)["m"], None)
    assert deleted_ids(records) == {"m"}


def test_leaving_spam_is_an_arrival() -> None:
    left = Record(id=1, labels_removed=(Labelled("m", frozenset({"SPAM"})),))
    assert must_fetch(fold([left])["m"], None)


def test_labels_of_a_stranger_are_no_arrival() -> None:
    read = Record(id=1, labels_removed=(Labelled("m", frozenset({"UNREAD"})),))
    assert not must_fetch(fold([read])["m"], None)


@pytest.mark.parametrize(
    ("labels", "taken"),
    [((), True), (("INBOX",), True), (("TRASH",), True), (("SPAM",), False), (("DRAFT",), False)],
)
def test_spam_and_drafts_are_no_mail(labels: tuple[str, ...], *, taken: bool) -> None:
    assert is_mail(frozenset(labels)) is taken


def test_a_message_to_oneself_counts_as_sent() -> None:
    assert direction(frozenset({"SENT", "INBOX"})) is Direction.OUTBOUND
    assert direction(frozenset({"INBOX"})) is Direction.INBOUND


def moved(steps: list[Step]) -> Change:
    return Change("m", steps=steps)


def test_labels_are_folded_in_order() -> None:
    new = relabel(
        known("UNREAD"), Change("m", steps=[off(11, "UNREAD"), on(12, "STARRED"), on(13, "UNREAD")])
    )
    assert new is not None
    assert new.labels == {"UNREAD", "STARRED"}
    assert new.added == {"STARRED"}
    assert not new.removed


def test_steps_that_cancel_out_are_news_without_a_difference() -> None:
    new = relabel(known("UNREAD"), moved([off(11, "UNREAD"), on(12, "UNREAD")]))
    assert new is not None
    assert not new.added | new.removed
    assert new.label_history_id == 12


def test_history_delivered_again_changes_nothing() -> None:
    assert relabel(known("STARRED", at=12), moved([off(11, "STARRED"), on(12, "UNREAD")])) is None


def test_what_a_message_wears_already_is_not_undone_by_an_older_record() -> None:
    new = relabel(
        known("STARRED", at=12), Change("m", steps=[off(11, "STARRED"), on(13, "IMPORTANT")])
    )
    assert new is not None
    assert new.labels == {"STARRED", "IMPORTANT"}
    assert not new.removed


def test_what_google_says_a_message_wears_counts_unless_history_has_moved_on() -> None:
    change = Change("m", worn=Worn(12, frozenset({"STARRED"})))
    new = relabel(known("UNREAD", at=12), change)
    assert new is not None
    assert new.labels == {"STARRED"}
    assert new.label_history_id == 12
    assert relabel(known("UNREAD", at=13), change) is None


def test_records_of_one_id_are_never_parted() -> None:
    records = [Record(id=1, added=("a",)), Record(id=2, added=("b",)), Record(id=2, added=("c",))]
    cut = list(chunks(records, most_fetched=1))
    assert [[record.id for record in chunk.records] for chunk in cut] == [[1], [2, 2]]


RECORDS = st.lists(
    st.tuples(st.integers(1, 3), st.lists(st.sampled_from("abcdefgh"), max_size=4)), max_size=60
)


@given(RECORDS, st.integers(1, 5))
def test_chunks_hold_all_records_in_order_and_few_fetches(
    made: list[tuple[int, list[str]]], most: int
) -> None:
    records, last = [], 0
    for gap, added in made:
        last += gap
        records.append(Record(id=last, added=tuple(added)))
    cut = list(chunks(records, most_fetched=most))
    assert [record for chunk in cut for record in chunk.records] == records
    for chunk in cut:
        wanted = set().union(*(record.candidates() for record in chunk.records))
        assert len(wanted) <= most or len(chunk.records) == 1
        assert len(chunk.records) <= MOST_RECORDS
        assert chunk.cursor == chunk.records[-1].id


@pytest.mark.parametrize(
    ("empty", "mark", "cursor"), [(True, None, 5), (True, 9, 9), (True, 3, 5), (False, 9, 5)]
)
def test_only_a_quiet_mailbox_moves_along_by_an_old_mark(
    *, empty: bool, mark: int | None, cursor: int
) -> None:
    assert settled_cursor(5, empty=empty, mark=mark) == cursor


def test_hashes_tell_addresses_apart_whatever_their_case() -> None:
    people = (Person("Ada@Acme.test", "Ada"), Person("ada@acme.test"), Person("b@acme.test"))
    hashes = address_hashes(people, b"k" * 32)
    assert len(hashes) == 2
    assert hashes != address_hashes(people, b"j" * 32)


def test_steps_from_before_a_write_of_ours_are_overruled() -> None:
    own = Own(frozenset({"STARRED"}), frozenset({"UNREAD"}))
    steps = [off(11, "STARRED", "INBOX"), on(12, "UNREAD"), on(14, "STARRED")]
    left = without_older(steps, own, mark=13)
    assert left == [off(11, "INBOX"), Step(12), on(14, "STARRED")]


def test_what_we_have_changed_ourselves_is_worn_at_once() -> None:
    own = Own(frozenset({"STARRED"}), frozenset({"UNREAD"}))
    found = relabel(known("INBOX", "UNREAD"), Change("m", own=own))
    assert found is not None
    assert found.labels == {"INBOX", "STARRED"}
    assert found.label_history_id == 10  # its record is still to come


@pytest.mark.parametrize(
    ("added", "removed", "echo"),
    [
        ({"STARRED"}, {"UNREAD"}, True),
        ({"STARRED"}, set(), True),
        ({"STARRED", "IMPORTANT"}, set(), False),
        (set(), {"STARRED"}, False),
    ],
)
def test_an_echo_is_what_was_asked_for_and_nothing_else(
    added: set[str], removed: set[str], *, echo: bool
) -> None:
    own = Own(frozenset({"STARRED"}), frozenset({"UNREAD"}))
    found = Relabelled(frozenset(), 1, frozenset(added), frozenset(removed))
    assert found.is_echo_of(own) is echo
    assert not found.is_echo_of(None)
