"""Split a JSON answer while it arrives: one long base64url value to a file, the rest to memory.

Gmail answers `messages.get(format=raw)` with the whole message in one string. The bytes of a
key with its quotes and colon cannot occur inside a JSON string (quotes are escaped there), so
the value is found without reading JSON.

Source: https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.messages
"""

import binascii
import re
from typing import Protocol


class Sink(Protocol):
    """Where the value goes: what a file open for writing has."""

    def write(self, octets: bytes, /) -> int:
        """Take in the next octets."""
        ...

    def seek(self, place: int, /) -> int:
        """Go to a place, from the beginning."""
        ...

    def truncate(self) -> int:
        """Forget what is beyond the place."""
        ...

    def tell(self) -> int:
        """Return the place."""
        ...


MAX_REST_BYTES = 4 * 1024 * 1024
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"
_NOISE = bytes(set(range(256)) - set(_LETTERS))
_ESCAPE_BYTES = {b"u": 6}
_MOST_SPACE = 64
"""White space within a key's punctuation that may be split between chunks."""


class RawBody:
    """Takes an answer in chunks; see the module.

    Args:
        key: whose value goes to the file; plain letters.
        sink: open for writing; receives the decoded octets.
    """

    def __init__(self, key: str, sink: Sink) -> None:
        self._opening = re.compile(rb'"' + re.escape(key.encode()) + rb'"\s*:\s*"')
        self._held_back = len(key) + _MOST_SPACE
        self._sink = sink
        self._rest = bytearray()
        self._searched = 0
        self._value = b""
        self._letters = b""
        self._inside = False
        self._done = False

    def feed(self, chunk: bytes) -> None:
        """Take the next chunk.

        Raises:
            ValueError: what is not the value is longer than 4 MiB.
        """
        if not self._inside:
            self._rest += chunk
            self._search()
        else:
            self._value += chunk
        if self._inside:
            self._read_value()
        if len(self._rest) > MAX_REST_BYTES:
            raise ValueError("what surrounds the value is too long")

    def close(self) -> bytes:
        """Return the JSON, with an empty string for the value.

        Raises:
            ValueError: the answer ended within the value.
        """
        if self._inside:
            raise ValueError("the answer ended within the value")
        return bytes(self._rest)

    def _search(self) -> None:
        if self._done:
            return
        found = self._opening.search(self._rest, self._searched)
        if found is None:
            self._searched = max(0, len(self._rest) - self._held_back)
            return
        self._inside = True
        self._value = bytes(self._rest[found.end() :])
        del self._rest[found.end() :]

    def _read_value(self) -> None:
        """Decode what is complete; an escape in two halves waits."""
        at = 0
        end = self._value.find(b'"')
        while (stop := self._value.find(b"\\", at, end if end >= 0 else None)) >= 0:
            self._decode(self._value[at:stop])
            at = stop
            escape = self._value[at : at + 6]
            if len(escape) < _ESCAPE_BYTES.get(escape[1:2], 2):
                self._value = escape
                return
            at += self._unescape(escape)
            if 0 <= end < at:  # an escaped quote ends nothing
                end = self._value.find(b'"', at)
        if end >= 0:
            self._decode(self._value[at:end])
            self._finish(end)
            return
        self._decode(self._value[at:])
        self._value = b""

    def _unescape(self, escape: bytes) -> int:
        """Decode the character an escape stands for; return how many bytes the escape has."""
        if escape[1:2] != b"u":
            self._decode(escape[1:2] if escape[1:2] == b"/" else b"")
            return 2
        self._decode(chr(int.from_bytes(bytes.fromhex(escape[2:].decode("ascii")), "big")).encode())
        return 6

    def _decode(self, text: bytes) -> None:
        letters = self._letters + text.translate(None, _NOISE)
        whole = len(letters) - len(letters) % 4
        self._letters = letters[whole:]
        self._sink.write(binascii.a2b_base64(letters[:whole].translate(_TO_STANDARD)))

    def _finish(self, at: int) -> None:
        last = self._letters.translate(_TO_STANDARD)
        if len(last) > 1:
            self._sink.write(binascii.a2b_base64(last + b"=" * (4 - len(last))))
        self._rest += self._value[at:]
        self._value = self._letters = b""
        self._inside, self._done = False, True
