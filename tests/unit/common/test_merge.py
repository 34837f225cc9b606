"""Three-way merge: what both sides made of what they last agreed on."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.writes import Merged, MergePolicy, merge

NOW = datetime(2026, 11, 26, tzinfo=UTC)
BEFORE = NOW - timedelta(minutes=1)
VALUES = st.dictionaries(st.sampled_from("abc"), st.integers(0, 2))


def merged(
    base: dict[str, Any],
    ours: dict[str, Any],
    theirs: dict[str, Any],
    policy: MergePolicy = MergePolicy.NEWEST,
    *,
    ours_at: datetime = NOW,
    theirs_at: datetime = BEFORE,
) -> Merged:
    return merge(base, ours, theirs, policy=policy, ours_at=ours_at, theirs_at=theirs_at)


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "value", "written"),
    [
        (1, 2, 1, 2, True),  # only we changed it
        (1, 1, 2, 2, False),  # only they changed it
        (1, 2, 2, 2, False),  # both, alike
        (1, 1, 1, 1, False),
        (None, 2, None, 2, True),
        (1, None, 1, None, True),  # we took it away
    ],
)
def test_what_one_side_changed_is_that_sides(
    base: int | None, ours: int | None, theirs: int | None, value: int | None, *, written: bool
) -> None:
    found = merged({"a": base}, {"a": ours}, {"a": theirs}, MergePolicy.MANUAL)
    assert found.values["a"] == value
    assert found.write == ({"a"} if written else set())
    assert found.conflicts == set()


@pytest.mark.parametrize(
    ("policy", "ours_at", "value", "conflicts"),
    [
        (MergePolicy.NEWEST, NOW, "ours", set()),
        (MergePolicy.NEWEST, BEFORE, "theirs", set()),  # of the same age Google's counts
        (MergePolicy.GOOGLE, NOW, "theirs", set()),
        (MergePolicy.CRM, BEFORE, "ours", set()),
        (MergePolicy.MANUAL, NOW, "theirs", {"a"}),
    ],
)
def test_what_both_changed_is_decided_by_the_policy(
    policy: MergePolicy, ours_at: datetime, value: str, conflicts: set[str]
) -> None:
    found = merged({"a": "base"}, {"a": "ours"}, {"a": "theirs"}, policy, ours_at=ours_at)
    assert found.values["a"] == value
    assert found.write == ({"a"} if value == "ours" else set())
    assert found.conflicts == conflicts


@given(VALUES, VALUES, VALUES, st.sampled_from(MergePolicy))
def test_fields_that_we_do_not_name_stay_google_s(
    base: dict[str, int], ours: dict[str, int], theirs: dict[str, int], policy: MergePolicy
) -> None:
    found = merged(base, ours, theirs, policy)
    untouched = set(theirs) - set(ours)
    assert {name: found.values[name] for name in untouched} == {n: theirs[n] for n in untouched}
    assert found.write <= set(ours)
    assert not found.write & found.conflicts


@given(VALUES, VALUES, VALUES)
def test_once_both_sides_have_the_outcome_nothing_is_left_to_write(
    base: dict[str, int], ours: dict[str, int], theirs: dict[str, int]
) -> None:
    found = dict(merged(base, ours, theirs, MergePolicy.CRM).values)
    again = merged(found, found, found, MergePolicy.CRM)
    assert again.values == found
    assert not again.write | again.conflicts
