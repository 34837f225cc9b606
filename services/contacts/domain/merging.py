"""Three-way merge of cards: what both sides made of what they last agreed on, value by value."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from libs.common.writes import MergePolicy, merge
from services.contacts.domain.card import Card
from services.contacts.domain.flat import CUSTOM, Flat, card_from, field_of, flat

NEVER: Final = datetime.min.replace(tzinfo=UTC)
"""When our side changed a field of which no time is known."""


@dataclass(frozen=True, slots=True)
class MergedCard:
    """The outcome of a merge."""

    card: Card
    """As the contact should be now; where a person has to choose it has Google's value."""
    write: frozenset[str]
    """Keys (see `flat`) in which Google's side has to follow."""
    conflicts: frozenset[str]
    """Keys that wait for a person; they are not in `write`."""
    base: Mapping[str, Any]
    """What both sides last agreed on, by key."""
    ours: Mapping[str, Any]
    """The contact's values, by key."""
    theirs: Mapping[str, Any]
    """Google's values, by key."""


def merge_cards(
    base: Card,
    ours: Card,
    theirs: Card,
    *,
    policy: MergePolicy,
    changed: Mapping[str, datetime],
    theirs_at: datetime,
) -> MergedCard:
    """Return what two sides' cards come to.

    What only one side changed is that side's; items of lists are told apart one by one. Nobody has
    to choose which item is the primary one: there the newest change stays.

    Args:
        base: what both sides last agreed on; an empty card when they never did: then what only one
            side has is taken, and items of both are united.
        ours: the contact.
        theirs: the person, as Google has them.
        policy: for values that both sides changed, each to another one.
        changed: when our side changed which field last (`Contact.changed`).
        theirs_at: when Google's side changed.
    """
    agreed, wanted, found = flat(base), flat(ours, base), flat(theirs, base)
    values: Flat = dict(found)
    write: set[str] = set()
    conflicts: set[str] = set()
    for key in sorted({*agreed, *wanted}):
        outcome = merge(
            agreed,
            {key: wanted.get(key)},
            found,
            policy=_policy(key, policy),
            ours_at=changed.get(_timed(key), NEVER),
            theirs_at=theirs_at,
        )
        write |= outcome.write
        conflicts |= outcome.conflicts
        values[key] = outcome.values.get(key)
    card = card_from(values, ours, theirs)
    return MergedCard(card, frozenset(write), frozenset(conflicts), agreed, wanted, found)


def _policy(key: str, policy: MergePolicy) -> MergePolicy:
    if policy is MergePolicy.MANUAL and key.endswith("!primary"):
        return MergePolicy.NEWEST
    return policy


def _timed(key: str) -> str:
    """Return the field whose time counts for a key."""
    return key if key.startswith(f"{CUSTOM}/") else field_of(key)
