"""Comparing a whole mailbox with what we hold of it: not a delta, so absence means something."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.mail.domain.history import Change, Step
from services.mail.domain.message import Known, is_mail


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A complete enumeration of a window of the mailbox."""

    labels: Mapping[str, frozenset[str]]
    """What every message of the window wears."""
    recent: frozenset[str]
    """Messages young enough to have arrived while nobody looked."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What the store lacks, wears differently, or holds too much."""

    missing: list[str] = field(default_factory=list)
    relabelled: dict[str, Change] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    """Not in the enumeration: gone if asking for each confirms it."""

    def counts(self) -> dict[str, int]:
        """Return how many of each."""
        return {
            "missing": len(self.missing),
            "relabelled": len(self.relabelled),
            "absent": len(self.absent),
        }


def compare(snapshot: Snapshot, held: Mapping[str, Known], *, pin: int) -> Difference:
    """Return what has to change in the store for it to be as the mailbox.

    Args:
        snapshot: enumerated after `pin` was read.
        held: every message we hold, tombstones included; none older than the window.
        pin: the mailbox's number before the enumeration.
    """
    missing = [
        google_id
        for google_id in sorted(snapshot.recent)
        if google_id not in held and is_mail(snapshot.labels.get(google_id, frozenset()))
    ]
    live = {google_id: one for google_id, one in held.items() if not one.deleted}
    relabelled = {
        google_id: Change(google_id, steps=[_step(one, snapshot.labels[google_id], pin)])
        for google_id, one in live.items()
        if not one.traced and snapshot.labels.get(google_id, one.labels) != one.labels
    }
    absent = sorted(google_id for google_id in live if google_id not in snapshot.labels)
    return Difference(missing, relabelled, absent)


def _step(known: Known, labels: frozenset[str], pin: int) -> Step:
    return Step(pin, added=labels - known.labels, removed=known.labels - labels)
