"""An outgoing message as RFC 5322 has it, in pieces: attachments are encoded as they are sent.

Headers are written by the standard library, which refuses line breaks in them and encodes what
is not ASCII.

Source: https://www.rfc-editor.org/rfc/rfc5322 and RFC 2045-2047, 2183, 2231
"""

import base64
import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from uuid import UUID

from services.mail.domain.message import Person
from services.mail.domain.sending.outgoing import SEND_HEADER, Enclosure, Head

POLICY = SMTP.clone(cte_type="7bit")
MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,900}>")
"""One that may stand in a header as it is: printable ASCII, without angle brackets within."""
MOST_REFERENCES = 20
"""Kept beside the first. Source: RFC 5322 section 3.6.4, and what servers take as a header."""
LINE = 57
"""Bytes that make a line of 76 characters of base64. Source: RFC 2045 section 6.8"""
CHUNK = LINE * 4096
"""Bytes of an attachment that are handled at once; whole lines, so that pieces join."""

Chunks = Callable[[Enclosure], AsyncIterator[bytes]]
"""Yields an attachment's content in chunks of `CHUNK` bytes; only the last may be shorter."""


@dataclass(frozen=True, slots=True)
class Composed:
    """A message ready to go, but for the content of its attachments."""

    beginning: bytes
    """Up to the first attachment; the whole message when it has none."""
    enclosed: tuple[tuple[bytes, Enclosure], ...]
    """What stands before each attachment's content."""
    end: bytes

    @property
    def size(self) -> int:
        """Return the length of the whole message in bytes."""
        parts = sum(len(head) + encoded_size(one.size) for head, one in self.enclosed)
        return len(self.beginning) + parts + len(self.end)

    async def octets(self, content: Chunks) -> AsyncIterator[bytes]:
        """Yield the message; `content` gives the attachments."""
        yield self.beginning
        for head, enclosure in self.enclosed:
            yield head
            async for chunk in content(enclosure):
                yield _lines(chunk)
        if self.end:
            yield self.end


def compose(
    send_id: UUID,
    head: Head,
    text: str | None,
    html: str | None,
    enclosures: Sequence[Enclosure] = (),
    *,
    date: datetime,
) -> Composed:
    """Return the message.

    Args:
        send_id: what its header says, so that it is found again.
        head: its fields.
        text: the plain body; None: there is only HTML.
        html: the HTML body; None: there is only text.
        enclosures: its attachments.
        date: of its Date header, aware.
    """
    message = EmailMessage(policy=POLICY)
    _write_fields(message, send_id, head, date)
    _write_body(message, text, html)
    threading = _threading_fields(head)
    if not enclosures:
        return Composed(threading + bytes(message), (), b"")
    boundary = f"=_causeway_{send_id.hex}"
    return Composed(
        threading + _mixed(message, boundary),
        tuple((_part_head(boundary, one), one) for one in enclosures),
        f"--{boundary}--\r\n".encode(),
    )


def encoded_size(size: int) -> int:
    """Return how long `size` bytes are in base64, in lines that end with CRLF."""
    whole, rest = divmod(size, LINE)
    return whole * 78 + ((rest + 2) // 3 * 4 + 2 if rest else 0)


def _lines(chunk: bytes) -> bytes:
    return base64.encodebytes(chunk).replace(b"\n", b"\r\n")


def _write_fields(message: EmailMessage, send_id: UUID, head: Head, date: datetime) -> None:
    message["From"] = _address(head.sender)
    for name, people in (("To", head.to), ("Cc", head.cc), ("Bcc", head.bcc)):
        if people:
            message[name] = [_address(one) for one in people]
    message["Subject"] = head.subject
    message["Date"] = format_datetime(date)
    message[SEND_HEADER] = str(send_id)


def _address(person: Person) -> Address:
    return Address(display_name=person.name or "", addr_spec=person.address)


def _write_body(message: EmailMessage, text: str | None, html: str | None) -> None:
    if html is None:
        message.set_content(text or "", cte="quoted-printable")
        return
    if text is None:
        message.set_content(html, subtype="html", cte="quoted-printable")
        return
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")


def _threading_fields(head: Head) -> bytes:
    """Return In-Reply-To and References, an id a line.

    The library would write ids longer than a line as encoded words, which no thread survives.
    """
    lines = []
    if head.in_reply_to is not None and MESSAGE_ID.fullmatch(head.in_reply_to):
        lines.append(f"In-Reply-To: {head.in_reply_to}")
    ids = [one for one in head.references if MESSAGE_ID.fullmatch(one)]
    if ids:
        lines.append("References: " + "\r\n ".join([*ids[:1], *ids[1:][-MOST_REFERENCES:]]))
    return "".join(f"{line}\r\n" for line in lines).encode()


def _mixed(message: EmailMessage, boundary: str) -> bytes:
    """Return the message as the first part of one that has attachments, as far as it goes."""
    message.make_mixed(boundary=boundary)
    written = bytes(message)
    return written[: written.rindex(f"--{boundary}--".encode())]


def _part_head(boundary: str, enclosure: Enclosure) -> bytes:
    part = EmailMessage(policy=POLICY)
    part["Content-Type"] = enclosure.content_type
    part["Content-Transfer-Encoding"] = "base64"
    part.add_header("Content-Disposition", "attachment", filename=enclosure.filename)
    return f"--{boundary}\r\n".encode() + bytes(part)
