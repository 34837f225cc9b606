"""One mailbox: messages, labels, drafts, and the history of what happened to them."""

import secrets
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from email.message import Message
from enum import StrEnum
from typing import Final

from emulator.clock import Clock
from emulator.errors import failed_precondition, invalid_argument, not_found
from emulator.gmail import mime, threading
from emulator.gmail.labels import MAX_LABELS, MAX_NAME_CHARS, Label, system_labels

_ID_BYTES = 8
_MAX_GAP = 40
_FIRST_HISTORY: Final = 10_000


class Kind(StrEnum):
    """What a history record says."""

    ADDED = "messageAdded"
    DELETED = "messageDeleted"
    LABELLED = "labelAdded"
    UNLABELLED = "labelRemoved"


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message. Its bytes never change; labels and `history_id` do.

    `message_id` is the header's, kept here because whoever sends looks for it in large mailboxes.
    """

    id: str
    thread_id: str
    raw: bytes
    labels: tuple[str, ...]
    internal_date_ms: int
    history_id: int
    snippet: str
    message_id: str

    def parsed(self) -> Message:
        """Return the message as python's email library sees it."""
        return mime.parse(self.raw)


@dataclass(frozen=True, slots=True)
class Record:
    """One entry of the history; `labels` are the ones that moved, `after` those that then stood."""

    id: int
    at_ms: int
    kind: Kind
    message_id: str
    thread_id: str
    labels: tuple[str, ...]
    after: tuple[str, ...]


class Mailbox:
    """All of one person's mail; `changed` is called after every record."""

    def __init__(
        self, email: str, clock: Clock, changed: Callable[["Mailbox", Record], None]
    ) -> None:
        self.email = email
        self.messages: dict[str, StoredMessage] = {}
        self.labels: dict[str, Label] = system_labels()
        self.drafts: dict[str, str] = {}
        self.records: list[Record] = []
        self.history_id = _FIRST_HISTORY + secrets.randbelow(_FIRST_HISTORY)
        self.floor = self.history_id
        self.threads = threading.Threads()
        self._thread_keys: dict[str, str] = {}
        self._clock = clock
        self._changed = changed

    def add(
        self,
        raw: bytes,
        labels: Iterable[str],
        *,
        thread_id: str | None = None,
        keep_thread: bool = False,
        thread_key: str | None = None,
        internal_date_ms: int | None = None,
    ) -> StoredMessage:
        """Store a message and return it.

        Args:
            raw: RFC 5322 bytes.
            labels: ids; they must exist.
            thread_id: the thread it asks to join; it does if headers and subject agree.
            keep_thread: join `thread_id` whatever the headers say.
            thread_key: join the thread of the messages that came with the same key.
            internal_date_ms: when it arrived; now by default.

        Raises:
            ApiError: 400 for an unknown label, 404 for an unknown thread.
        """
        kept = tuple(dict.fromkeys(labels))
        self.check_labels(kept)
        if thread_id is not None and not self.threads.known(thread_id):
            raise not_found()
        message = mime.parse(raw)
        new_id = self._new_id()
        if thread_key is not None:
            thread_id, keep_thread = self._thread_of(thread_key, new_id), True
        arrived = self._clock.now_ms() if internal_date_ms is None else internal_date_ms
        stored = StoredMessage(
            id=new_id,
            thread_id=self.threads.join(new_id, message, thread_id, forced=keep_thread),
            raw=raw,
            labels=kept,
            internal_date_ms=arrived,
            history_id=0,
            snippet=mime.snippet(message),
            message_id=mime.header(message, "message-id"),
        )
        return self._record(stored, Kind.ADDED, ())

    def get(self, message_id: str) -> StoredMessage:
        """Return the message, or raise Gmail's 404 (400 when the id has no valid form)."""
        found = self.messages.get(message_id)
        if found is not None:
            return found
        if not message_id or len(message_id) > 2 * _ID_BYTES or not _is_hex(message_id):
            raise invalid_argument("Invalid id value")
        raise not_found()

    def relabel(
        self, message_id: str, add: Iterable[str] = (), remove: Iterable[str] = ()
    ) -> StoredMessage:
        """Return the message after adding, then removing labels; no change makes no record."""
        stored = self.get(message_id)
        adding, removing = set(add), set(remove)
        self.check_labels((*adding, *removing))
        new = tuple(sorted(adding - removing - set(stored.labels)))
        gone = tuple(sorted(removing & set(stored.labels)))
        if new:
            stored = self._record(replace(stored, labels=stored.labels + new), Kind.LABELLED, new)
        if gone:
            left = tuple(name for name in stored.labels if name not in gone)
            stored = self._record(replace(stored, labels=left), Kind.UNLABELLED, gone)
        return stored

    def delete(self, message_id: str) -> None:
        """Remove the message for ever."""
        stored = self.get(message_id)
        del self.messages[message_id]
        self.threads.leave(stored.id, stored.thread_id)
        self.drafts = {d: m for d, m in self.drafts.items() if m != message_id}
        self._record(stored, Kind.DELETED, ())

    def drop_label(self, label_id: str) -> None:
        """Remove a label, and take it off every message that has it."""
        for stored in list(self.messages.values()):
            self.relabel(stored.id, remove=[label_id] if label_id in stored.labels else [])
        del self.labels[label_id]

    def since(self, start: int, *, ttl_s: float) -> list[Record]:
        """Return the records after `start`, oldest first.

        Raises:
            ApiError: 404; `start` lies in the future or is too old to know what followed it.
        """
        horizon = self._clock.now_ms() - int(ttl_s * 1000)
        aged = next(
            (i for i, r in enumerate(self.records) if r.at_ms >= horizon), len(self.records)
        )
        if aged:
            self.floor = self.records[aged - 1].id
            del self.records[:aged]
        if not self.floor <= start <= self.history_id:
            raise not_found()
        return self.records[bisect_right(self.records, start, key=lambda record: record.id) :]

    def expire_history(self) -> int:
        """Make every history id that was ever given out too old; return the new current one."""
        self.history_id = self._next_history_id()
        self.floor = self.history_id
        self.records.clear()
        return self.history_id

    def check_labels(self, labels: Iterable[str]) -> None:
        """Raise Gmail's 400 for the first label that does not exist."""
        for name in labels:
            if name not in self.labels:
                raise invalid_argument(f"Invalid label: {name}")

    def new_label_id(self) -> str:
        """Return an unused id for a label of the person's own."""
        return f"Label_{len(self.labels)}{secrets.randbelow(10**9):09d}"

    def new_draft_id(self) -> str:
        """Return an unused draft id."""
        return f"r{secrets.randbelow(10**18):018d}"

    def draft_message(self, draft_id: str) -> StoredMessage:
        """Return the message inside a draft, or raise Gmail's 404."""
        if draft_id not in self.drafts:
            raise not_found()
        return self.messages[self.drafts[draft_id]]

    def refuse_draft(self, stored: StoredMessage) -> None:
        """Raise Gmail's 400 when a draft's message is asked to carry other labels."""
        if "DRAFT" in stored.labels:
            raise failed_precondition("Draft messages cannot have other labels.")

    def label_named(self, name: str) -> Label:
        """Return the label with this id or name (in any case), made when there is none.

        Raises:
            ApiError: 400; the name is empty or too long, or there are too many labels.
        """
        known = self.labels.get(name) or next(
            (label for label in self.labels.values() if label.name.lower() == name.lower()), None
        )
        if known is not None:
            return known
        if not name or len(name) > MAX_NAME_CHARS:
            raise invalid_argument("Invalid label name")
        if len(self.labels) >= MAX_LABELS:
            raise invalid_argument("Maximum number of labels reached.")
        made = Label(self.new_label_id(), name, "user", "show", "labelShow")
        self.labels[made.id] = made
        return made

    def _thread_of(self, key: str, new_id: str) -> str:
        found = self._thread_keys.get(key)
        if found is None or not self.threads.known(found):
            found = self._thread_keys[key] = new_id
        return found

    def _record(self, stored: StoredMessage, kind: Kind, labels: tuple[str, ...]) -> StoredMessage:
        self.history_id = self._next_history_id()
        stored = replace(stored, history_id=self.history_id)
        if kind is not Kind.DELETED:
            self.messages[stored.id] = stored
        record = Record(
            id=self.history_id,
            at_ms=self._clock.now_ms(),
            kind=kind,
            message_id=stored.id,
            thread_id=stored.thread_id,
            labels=labels,
            after=stored.labels,
        )
        self.records.append(record)
        self._changed(self, record)
        return stored

    def _next_history_id(self) -> int:
        return self.history_id + 1 + secrets.randbelow(_MAX_GAP)

    def _new_id(self) -> str:
        while (made := f"1{secrets.token_hex(_ID_BYTES)[1:]}") in self.messages:
            pass
        return made


def _is_hex(text: str) -> bool:
    return all(character in "0123456789abcdef" for character in text)
