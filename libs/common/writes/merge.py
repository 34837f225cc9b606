"""Three-way merge by field: what both sides made of what they last agreed on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class MergePolicy(StrEnum):
    """Whose value stays when both sides changed a field, each to another one."""

    NEWEST = "newest"
    GOOGLE = "google"
    CRM = "crm"
    MANUAL = "manual"
    """Nobody's: a person chooses; until then Google's value is left alone."""


@dataclass(frozen=True, slots=True)
class Merged:
    """The outcome of a merge."""

    values: Mapping[str, Any]
    """Every field as it should be now."""
    write: frozenset[str]
    """Fields in which Google's side has to follow."""
    conflicts: frozenset[str]
    """Fields that wait for a person; they are not in `write`."""


def merge(
    base: Mapping[str, Any],
    ours: Mapping[str, Any],
    theirs: Mapping[str, Any],
    *,
    policy: MergePolicy,
    ours_at: datetime,
    theirs_at: datetime,
) -> Merged:
    """Return what `ours` and `theirs` come to, field by field.

    A field that only one side changed is that side's; the same change on both sides is one. An
    absent field counts as None. Fields that `ours` does not name are not ours to change.

    Args:
        base: what both sides last agreed on, by field.
        ours: fields as the CRM wants them.
        theirs: fields as Google has them.
        policy: for fields that both changed, each to another value.
        ours_at: when the CRM wished so.
        theirs_at: when Google's side changed; at the same instant it counts as the newer.
    """
    values, write, conflicts = dict(theirs), set(), set()
    for name, wanted in ours.items():
        agreed, found = base.get(name), theirs.get(name)
        if wanted in (agreed, found):
            continue
        if found != agreed and policy is MergePolicy.MANUAL:
            conflicts.add(name)
        elif found == agreed or _ours_stays(policy, ours_at, theirs_at):
            values[name] = wanted
            write.add(name)
    return Merged(values, frozenset(write), frozenset(conflicts))


def _ours_stays(policy: MergePolicy, ours_at: datetime, theirs_at: datetime) -> bool:
    return policy is MergePolicy.CRM or (policy is MergePolicy.NEWEST and ours_at > theirs_at)
