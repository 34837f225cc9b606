"""Gmail's history: from records to what happened to each message, in bounded steps."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from services.mail.domain.message import HIDDEN, Fetched, Known

MOST_FETCHED = 25
"""Messages fetched for one commit: 25 x 20 quota units of 6,000 a minute."""
MOST_RECORDS = 250


@dataclass(frozen=True, slots=True)
class Labelled:
    """Labels that one record put on, or took from, one message."""

    google_id: str
    labels: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One history record; ids rise, with gaps."""

    id: int
    added: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    """Added, and no mail as it was: a draft, or spam."""
    deleted: tuple[str, ...] = ()
    labels_added: tuple[Labelled, ...] = ()
    labels_removed: tuple[Labelled, ...] = ()

    def candidates(self) -> set[str]:
        """Return the ids of messages that may have to be fetched."""
        shown = {item.google_id for item in self.labels_removed if item.labels & HIDDEN}
        return (shown | set(self.added)) - set(self.deleted)


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """One answer of history.list."""

    records: tuple[Record, ...]
    history_id: int
    """The mailbox's current record."""
    next_page_token: str | None

    def label_ids(self) -> frozenset[str]:
        """Return the labels that the records move."""
        moved = (item for one in self.records for item in (*one.labels_added, *one.labels_removed))
        return frozenset(label for item in moved for label in item.labels)


@dataclass(frozen=True, slots=True)
class Step:
    """What one record did to a message's labels."""

    record_id: int
    added: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Worn:
    """The labels of a message as Google gave them, after its record `record_id`."""

    record_id: int
    labels: frozenset[str]


@dataclass(frozen=True, slots=True)
class Own:
    """Labels that we have put on a message, or taken off it, at Google."""

    added: frozenset[str]
    removed: frozenset[str]

    @property
    def labels(self) -> frozenset[str]:
        """Return all that it is about."""
        return self.added | self.removed


@dataclass(slots=True)
class Change:
    """All that a chunk of records says about one message."""

    google_id: str
    arrived: bool = False
    """It was added, or lost a label that hid it."""
    deleted: bool = False
    steps: list[Step] = field(default_factory=list)
    worn: Worn | None = None
    """What Google says it wears, whatever the records were."""
    own: Own | None = None
    """What we have changed ourselves, whatever the records were; they tell of it later."""
    echoes: Own | None = None
    """What we have asked for: as far as the records say just that, it is no edit."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole records that are committed together; the cursor then stands at `cursor`."""

    records: tuple[Record, ...]

    @property
    def cursor(self) -> int:
        """Return the id of the last whole record."""
        return self.records[-1].id


@dataclass(frozen=True, slots=True)
class Relabelled:
    """The labels of a message after a chunk, and what that changed."""

    labels: frozenset[str]
    label_history_id: int
    added: frozenset[str]
    removed: frozenset[str]

    def is_echo_of(self, own: Own | None) -> bool:
        """Say whether this is what we have asked for, and nothing else."""
        return own is not None and self.added <= own.added and self.removed <= own.removed


def chunks(records: Iterable[Record], *, most_fetched: int = MOST_FETCHED) -> Iterator[Chunk]:
    """Cut records, in order, into chunks of at most `most_fetched` messages to fetch.

    A single record that names more is a chunk of its own, and records that share an id stay
    together: only an id that is done with is a safe cursor.
    """
    held: list[Record] = []
    wanted: set[str] = set()
    for record in records:
        grown = wanted | record.candidates()
        whole = held and record.id != held[-1].id
        if whole and (len(grown) > most_fetched or len(held) >= MOST_RECORDS):
            yield Chunk(tuple(held))
            held, grown = [], record.candidates()
        held.append(record)
        wanted = grown
    if held:
        yield Chunk(tuple(held))


def fold(records: Sequence[Record]) -> dict[str, Change]:
    """Return what the records say, per message id, in order of first mention."""
    changes: dict[str, Change] = {}

    def change(google_id: str) -> Change:
        return changes.setdefault(google_id, Change(google_id))

    for record in records:
        for google_id in record.added:
            change(google_id).arrived = True
        for item in record.labels_added:
            change(item.google_id).steps.append(Step(record.id, added=item.labels))
        for item in record.labels_removed:
            one = change(item.google_id)
            one.steps.append(Step(record.id, removed=item.labels))
            one.arrived = one.arrived or bool(item.labels & HIDDEN)
        for google_id in record.deleted:
            change(google_id).deleted = True
    return changes


def deleted_ids(records: Iterable[Record]) -> frozenset[str]:
    """Return the ids of messages that are gone after these records: fetching them is vain."""
    return frozenset(google_id for record in records for google_id in record.deleted)


def must_fetch(change: Change, known: Known | None) -> bool:
    """Say whether the message may be new to us: its arrival has to be looked at."""
    return known is None and change.arrived and not change.deleted


def relabel(known: Known, change: Change) -> Relabelled | None:
    """Return the labels of `known` after `change`; None when nothing of it is news.

    Steps at or before the last one that was taken in are skipped: history is delivered again,
    and a fetched message already wears what its records say. What Google says it wears counts
    unless history has moved the message on since.
    """
    labels, base = known.labels, known.label_history_id
    if change.worn is not None and change.worn.record_id >= base:
        labels, base = change.worn.labels, change.worn.record_id
    labels, last = _after(labels, base, change.steps)
    if change.own is not None:
        labels = (labels | change.own.added) - change.own.removed
    if (labels, last) == (known.labels, known.label_history_id):
        return None
    return Relabelled(labels, last, labels - known.labels, known.labels - labels)


def without_older(steps: Sequence[Step], own: Own, *, mark: int) -> list[Step]:
    """Return the steps without what a write of ours has overruled since.

    Args:
        steps: of one message.
        own: what the write changed.
        mark: a record from before the write; up to it, steps on the same labels are history.
    """
    return [
        replace(one, added=one.added - own.labels, removed=one.removed - own.labels)
        if one.record_id <= mark
        else one
        for one in steps
    ]


def overtaken(message: Fetched, steps: Sequence[Step]) -> Fetched:
    """Return a message as it is after records that came since it was fetched."""
    labels, last = _after(message.labels, message.history_id, steps)
    return replace(message, labels=labels, history_id=last)


def _after(labels: frozenset[str], base: int, steps: Sequence[Step]) -> tuple[frozenset[str], int]:
    last = base
    for step in steps:
        if step.record_id > base:
            labels = (labels | step.added) - step.removed
            last = max(last, step.record_id)
    return labels, last


def settled_cursor(cursor: int, *, empty: bool, mark: int | None) -> int:
    """Return where the cursor may stand after a complete listing.

    Records show up a moment after the mailbox's number has moved, so an answer's own number
    proves nothing yet. `mark` is the number an earlier run saw, long enough ago: when the
    listing is empty now, nothing at or before it can still appear.
    """
    if not empty or mark is None:
        return cursor
    return max(cursor, mark)
