"""Transfer encodings, undone some lines at a time: nothing longer than a block is held.

Source: https://www.rfc-editor.org/rfc/rfc2045#section-6
"""

import binascii
import re
from collections.abc import Iterator
from typing import BinaryIO, Protocol

LONGEST_PIECE = 64 * 1024
"""Bytes read at once."""
ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
NOISE = bytes(set(range(256)) - set(ALPHABET) - {ord("=")})
HALF_ESCAPE = re.compile(rb"(?:=[0-9A-Fa-f]?|[ \t]+)\Z")
BLANKS = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n)")
"""Added to lines on their way."""


def blocks(file: BinaryIO) -> Iterator[bytes]:
    """Yield `file` in blocks of whole lines, whatever their ends: LF, CRLF or CR, even mixed.

    A line longer than a block comes in pieces; all but its last have no end.
    """
    held = b""
    while piece := file.read(LONGEST_PIECE):
        data = held + piece
        # A CR at the very end is perhaps the half of a CRLF.
        cut = max(data.rfind(b"\n"), data.rfind(b"\r", 0, -1)) + 1
        if cut == 0 and len(data) >= LONGEST_PIECE:
            cut = len(data) - data.endswith(b"\r")
        if cut:
            yield data[:cut]
        held = data[cut:]
    if held:
        yield held


def split_end(lines: bytes) -> tuple[bytes, bytes]:
    """Return what one or more lines hold, and the end of the last."""
    if lines.endswith(b"\r\n"):
        return lines[:-2], b"\r\n"
    if lines.endswith((b"\n", b"\r")):
        return lines[:-1], lines[-1:]
    return lines, b""


class Decoder(Protocol):
    """Undoes an encoding; the end of the last line is held back until more follows it.

    The line end before a boundary belongs to the boundary (RFC 2046, section 5.1.1).
    """

    def feed(self, lines: bytes) -> bytes:
        """Return what whole lines, or a piece of one, add to the content."""

    def close(self, *, at_boundary: bool) -> bytes:
        """Return what is left when the part is over."""


class Plain:
    """7bit, 8bit, binary, and whatever else is not known."""

    def __init__(self) -> None:
        self._end = b""

    def feed(self, lines: bytes) -> bytes:
        """Return the end that was held back, and these lines without their last end."""
        before = self._end
        content, self._end = split_end(lines)
        return before + content

    def close(self, *, at_boundary: bool) -> bytes:
        """Return the last line's end unless a boundary owns it."""
        return b"" if at_boundary else self._end


class QuotedPrintable:
    """Quoted-printable: soft line breaks go, broken escapes stay as they are."""

    def __init__(self) -> None:
        self._end = b""
        self._half = b""

    def feed(self, lines: bytes) -> bytes:
        """Return the decoded lines; what may be half an escape waits for its other half."""
        text, self._half = self._half + lines, b""
        has_cr = b"\r" in text
        if b"==" in text or (has_cr and text.count(b"\r") != text.count(b"\r\n")):
            return b"".join(map(self._feed_line, text.splitlines(keepends=True)))
        last = text.rfind(b"\n", 0, -1) + 1
        if last == 0:
            return self._feed_line(text)
        # Of what is well formed the library undoes soft breaks as it should.
        before, self._end = self._end, b""
        head = text[:last]
        if b" \n" in head or b"\t\n" in head or (has_cr and (b" \r" in head or b"\t\r" in head)):
            head = BLANKS.sub(b"", head)
        return before + binascii.a2b_qp(head) + self._feed_line(text[last:])

    def _feed_line(self, line: bytes) -> bytes:
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

    def feed(self, lines: bytes) -> bytes:
        """Return the octets of all whole groups of four so far."""
        if self._over:
            return b""
        letters = self._rest + lines.translate(None, NOISE)
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
