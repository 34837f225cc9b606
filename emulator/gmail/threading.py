"""Which thread a message belongs to.

Source: https://developers.google.com/workspace/gmail/api/guides/threads
"""

import re
from email.message import Message

from emulator.gmail import mime

_PREFIX = re.compile(r"^\s*((re|fwd?|aw|sv)\s*(\[\d+\])?\s*:\s*)+", re.IGNORECASE)
_MESSAGE_ID = re.compile(r"<[^<>\s]+>")


class Threads:
    """The threads of one mailbox: members, subject, and the Message-IDs that lead to them."""

    def __init__(self) -> None:
        self._members: dict[str, list[str]] = {}
        self._subjects: dict[str, str] = {}
        self._by_message_id: dict[str, str] = {}
        self._message_ids: dict[str, list[str]] = {}

    def __len__(self) -> int:
        """Return how many threads there are."""
        return len(self._members)

    def known(self, thread_id: str) -> bool:
        """Return whether the thread has at least one message."""
        return thread_id in self._members

    def members(self, thread_id: str) -> list[str]:
        """Return the message ids of a thread, oldest first; empty when it does not exist."""
        return list(self._members.get(thread_id, ()))

    def join(self, new_id: str, message: Message, wanted: str | None, *, forced: bool) -> str:
        """Return the thread of a new message: one that its headers lead to, or its own."""
        subject = _subject(message)
        found = self._referenced(message)
        if forced and wanted is not None:
            thread_id = wanted
        elif found is None or (wanted is not None and found != wanted):
            thread_id = new_id
        else:
            thread_id = found if self._subjects[found] == subject else new_id
        self._members.setdefault(thread_id, []).append(new_id)
        self._subjects.setdefault(thread_id, subject)
        for own in _MESSAGE_ID.findall(mime.header(message, "message-id"))[:1]:
            self._by_message_id[own] = thread_id
            self._message_ids.setdefault(thread_id, []).append(own)
        return thread_id

    def leave(self, message_id: str, thread_id: str) -> None:
        """Take a message out; an empty thread is no thread."""
        left = [m for m in self._members.get(thread_id, ()) if m != message_id]
        if left:
            self._members[thread_id] = left
            return
        self._members.pop(thread_id, None)
        self._subjects.pop(thread_id, None)
        for own in self._message_ids.pop(thread_id, ()):
            self._by_message_id.pop(own, None)

    def _referenced(self, message: Message) -> str | None:
        text = mime.header(message, "references") + " " + mime.header(message, "in-reply-to")
        ids = _MESSAGE_ID.findall(text)
        found = (self._by_message_id.get(name) for name in reversed(ids))
        return next((t for t in found if t is not None and self.known(t)), None)


def _subject(message: Message) -> str:
    return _PREFIX.sub("", mime.header(message, "subject")).strip().casefold()
