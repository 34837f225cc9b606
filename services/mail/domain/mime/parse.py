"""From the octets of a message to what it says."""

from collections.abc import Iterable
from dataclasses import replace
from email.message import Message
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from services.mail.domain.message import CalendarPart, Content
from services.mail.domain.mime import bounds, headers, parts
from services.mail.domain.mime.automatic import is_automatic
from services.mail.domain.mime.dates import read_date
from services.mail.domain.mime.quotes import new_text
from services.mail.domain.mime.reports import read_calendar, read_report
from services.mail.domain.mime.text import clean
from services.mail.domain.mime.tree import Node, read_tree
from services.mail.domain.sending.outgoing import SEND_HEADER


def parse(raw: bytes) -> Content:
    """Return what the RFC 5322 message `raw` says.

    Real mail breaks every rule there is, so no header is trusted: charsets are guessed when
    they lie, NUL and lone surrogates go, long values are cut, and what is odd is left out
    rather than refused.

    Source: https://www.rfc-editor.org/rfc/rfc5322 and RFC 2045-2049
    """
    return _parse(BytesIO(raw))


def parse_file(path: str | PathLike[str]) -> Content:
    """Return what the message in a file says; the same as `parse`, in little memory.

    Raises:
        OSError: the file cannot be read.
    """
    with Path(path).open("rb") as file:
        return _parse(file)


def parse_people(fields: Iterable[tuple[str, str]]) -> Content:
    """Return a content with nothing but the people, and whether it is automatic."""
    return _people(headers.of_fields(list(fields)))


def parse_head(fields: Iterable[tuple[str, str]]) -> Content:
    """Return what `fields` (name, value) of a message's head say, without any body."""
    return _head(headers.of_fields(list(fields)))


def _people(message: "Message[Any, Any]") -> Content:
    return Content(
        sender=next(iter(headers.people(message, "From")), None),
        to=headers.people(message, "To"),
        cc=headers.people(message, "Cc"),
        bcc=headers.people(message, "Bcc"),
        automatic=is_automatic(message),
        send_id=_send_id(message),
    )


def _head(message: "Message[Any, Any]") -> Content:
    return replace(
        _people(message),
        subject=headers.field(message, "Subject")[: bounds.LONGEST_SUBJECT],
        rfc822_message_id=headers.field(message, "Message-ID")[: bounds.LONGEST_ID] or None,
        in_reply_to=next(iter(headers.ids(message, "In-Reply-To")), None),
        references=tuple(headers.ids(message, "References"))[-bounds.MOST_REFERENCES :],
        date=read_date(headers.field(message, "Date")),
    )


def _send_id(message: "Message[Any, Any]") -> UUID | None:
    text = headers.field(message, SEND_HEADER).strip()
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def _parse(file: BinaryIO) -> Content:
    root = read_tree(file)
    found = parts.find(root)
    leaves = list(parts.leaves(root))
    text = clean("\n\n".join(_texts(found.bodies)), bounds.LONGEST_TEXT).strip()
    return replace(
        _head(root),
        text=text,
        attachments=tuple(
            parts.attachment(node) for node in found.attached[: bounds.MOST_ATTACHMENTS]
        ),
        html=parts.shown(found.rich),
        new_text=new_text(text),
        calendar=_calendars(leaves),
        report=read_report(leaves),
    )


def _texts(bodies: list[Node]) -> list[str]:
    """Return the texts of the bodies until they are as long as what is kept."""
    texts: list[str] = []
    length = 0
    for node in bodies:
        text = parts.readable(node)
        texts.append(text)
        length += len(text)
        if length > bounds.LONGEST_TEXT:
            break
    return texts


def _calendars(leaves: list[Node]) -> tuple[CalendarPart, ...]:
    calendars = [node for node in leaves if node.kind == "text/calendar"]
    return tuple(
        read_calendar(node, parts.text_of(node)) for node in calendars[: bounds.MOST_CALENDARS]
    )
