"""Transfer encodings, undone line by line: nothing longer than a piece of a line is held.

Source: https://www.rfc-editor.org/rfc/rfc2045#section-6
"""

import binascii
import re
from collections.abc import Iterator
from typing import BinaryIO, Protocol

LONGEST_PIECE = 64 * 1024
ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
NOISE = bytes(set(range(256)) - set(ALPHABET) - {ord("=")})
HALF_ESCAPE = re.compile(rb"(?:=[0-9A-Fa-f]?|[ \t]+)\Z")


def lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of `file` with their ends: LF, CRLF or CR, however they are mixed.

    A line of more than 64 KiB comes in pieces; all but its last have no end.
    """
    held = b""
    while piece := file.readline(LONGEST_PIECE):
        if held:
            piece = held + piece
            held = b""
        if piece.endswith(b"\r"):  # perhaps the half of a CRLF
            held, piece = piece[-1:], piece[:-1]
        if b"\r" in piece[:-2]:
            yield from piece.splitlines(keepends=True)
        elif piece:
            yield piece
    if held:
        yield held


def split_end(line: bytes) -> tuple[bytes, bytes]:
    """Return a line's content and its end."""
    content = line.rstrip(b"\r\n")
    return content, line[len(content) :]


class Decoder(Protocol):
    """Undoes an encoding; the end of the last line is held back until more follows it.

    The line end before a boundary belongs to the boundary (RFC 2046, section 5.1.1).
    """

    def feed(self, line: bytes) -> bytes:
        """Return what `line`, or a piece of one, adds to the content."""

    def close(self, *, at_boundary: bool) -> bytes:
        """Return what is left when the part is over."""


class Plain:
    """7bit, 8bit, binary, and whatever else is not known."""

    def __init__(self) -> None:
        self._end = b""

    def feed(self, line: bytes) -> bytes:
        """Return the line before this one's end, and this one without its end."""
        before = self._end
        content, self._end = split_end(line)
        return before + content

    def close(self, *, at_boundary: bool) -> bytes:
        """Return the last line's end unless a boundary owns it."""
        return b"" if at_boundary else self._end


class QuotedPrintable:
    """Quoted-printable: soft line breaks go, broken escapes stay as they are."""

    def __init__(self) -> None:
        self._end = b""
        self._half = b""

    def feed(self, line: bytes) -> bytes:
        """Return the decoded line; what may be half an escape waits for its other half."""
        before = self._end
        content, self._end = split_end(self._half + line)
        self._half = b""
        if self._end:
            content = content.rstrip(b" \t")
            if content.endswith(b"="):
                content, self._end = content[:-1], b""
        elif half := HALF_ESCAPE.search(content[-LONGEST_PIECE:]):
            self._half = half[0]
            content = content[: -len(self._half)]
        return before + binascii.a2b_qp(content)

    def close(self, *, at_boundary: bool) -> bytes:
        """Return the last line's end unless a boundary owns it, and half an escape as it is."""
        half = self._half.rstrip(b" \t")
        return (b"" if half == b"=" else half) + (b"" if at_boundary else self._end)


class Base64:
    """Base64: what is not of its alphabet is skipped, the first padding ends it."""

    def __init__(self) -> None:
        self._rest = b""
        self._over = False

    def feed(self, line: bytes) -> bytes:
        """Return the octets of all whole groups of four so far."""
        if self._over:
            return b""
        letters = self._rest + line.translate(None, NOISE)
        if b"=" in letters:
            letters = letters[: letters.index(b"=")]
            self._over = True
        whole = len(letters) - len(letters) % 4
        self._rest = letters[whole:]
        return binascii.a2b_base64(letters[:whole])

    def close(self, *, at_boundary: bool) -> bytes:  # noqa: ARG002 - line ends say nothing here
        """Return the octets of the last, incomplete group."""
        rest = self._rest
        return binascii.a2b_base64(rest + b"=" * (4 - len(rest))) if len(rest) > 1 else b""


def decoder(encoding: str) -> Decoder:
    """Return what undoes `encoding`; a name that is not known is taken for no encoding."""
    match encoding.strip().lower():
        case "base64":
            return Base64()
        case "quoted-printable":
            return QuotedPrintable()
        case _:
            return Plain()
