"""Messages to put into the mailbox at Google: from a path, or the project's sample mailbox.

A Google Takeout export says in two headers of its own where a message lay (X-Gmail-Labels,
X-GM-THRID); the first is understood, both are taken out of the message.
"""

import mailbox
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

from cli.local.process import LocalStackError
from cli.takeout import EXPORT_HEADERS, HEAD_END, POSTMARK, QUOTED_POSTMARK, SYSTEM_LABELS

SAMPLES: Final = Path(__file__).parent / "samples"
NEWEST_SAMPLE_AGE: Final = timedelta(hours=1)

_ARRIVED: Final = ("INBOX", "UNREAD")  # where a message without labels goes


@dataclass(frozen=True, slots=True)
class Item:
    """One message and where it goes; without a date that can be read it arrives now."""

    raw: bytes
    labels: tuple[str, ...]
    internal_date_ms: int | None


def check(path: Path) -> None:
    """Return if `path` is an mbox file or a folder with .eml files.

    Raises:
        LocalStackError: it is none of both, and why, in one line.
    """
    if not path.exists():
        raise LocalStackError(f"{path}: there is no such file or folder")
    if path.is_dir():
        if not any(_letters(path)):
            raise LocalStackError(f"{path}: the folder holds no .eml file")
    elif not _is_mbox(path):
        raise LocalStackError(f"{path}: neither an mbox file nor a folder of .eml files")


def read(path: Path) -> Iterator[Item]:
    """Yield the messages of an mbox file, or of the .eml files of a folder and those in it.

    Raises:
        LocalStackError: `path` is none of both, or a file cannot be read.
    """
    check(path)
    try:
        for raw in _folder(path) if path.is_dir() else _mbox(path):
            yield _item(raw)
    except OSError as exc:
        raise LocalStackError(f"{exc.filename or path}: {exc.strerror}") from exc


def samples(now: datetime) -> list[Item]:
    """Return the sample mailbox, oldest first, moved in time so that it ends shortly before `now`.

    Its messages lie within four weeks: what is taken in of a mailbox by itself.
    """
    items = sorted(read(SAMPLES), key=lambda item: item.internal_date_ms or 0)
    newest = items[-1].internal_date_ms or 0
    shift = _millis(now - NEWEST_SAMPLE_AGE) - newest
    return [replace(one, internal_date_ms=(one.internal_date_ms or 0) + shift) for one in items]


def _letters(folder: Path) -> Iterator[Path]:
    return (one for one in folder.rglob("*") if one.suffix.lower() == ".eml" and one.is_file())


def _folder(folder: Path) -> Iterator[bytes]:
    for file in sorted(_letters(folder)):
        yield file.read_bytes()


def _is_mbox(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(POSTMARK)) == POSTMARK
    except OSError:
        return False


def _mbox(path: Path) -> Iterator[bytes]:
    box = mailbox.mbox(path, create=False)
    try:
        for key in box.iterkeys():
            yield QUOTED_POSTMARK.sub(rb"\1", box.get_bytes(key))
    finally:
        box.close()


def _item(raw: bytes) -> Item:
    match = HEAD_END.search(raw)
    end = match.end() if match else len(raw)
    head = BytesHeaderParser().parsebytes(raw[:end])
    return Item(EXPORT_HEADERS.sub(b"", raw[:end]) + raw[end:], _labels(head), _arrived_ms(head))


def _labels(head: Message) -> tuple[str, ...]:
    """Return Google's own labels; a person's labels do not exist in the new mailbox."""
    if "X-Gmail-Labels" not in head:
        return _ARRIVED
    text = str(head["X-Gmail-Labels"])
    with suppress(UnicodeError, LookupError, ValueError):  # what cannot be read stays as it is
        text = str(make_header(decode_header(text)))
    names = (name.strip(" \r\n\t\"'").lower() for name in text.split(","))
    return tuple(dict.fromkeys(SYSTEM_LABELS[name] for name in names if name in SYSTEM_LABELS))


def _arrived_ms(head: Message) -> int | None:
    """Return the first moment that can be read in Date and Received, in Unix milliseconds."""
    received = (str(value).rpartition(";")[2] for value in head.get_all("Received", []))
    for text in (str(head.get("Date", "")), *received):
        try:
            moment = parsedate_to_datetime(text.strip())
            known = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            if (millis := _millis(known)) >= 0:
                return millis
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
    return None


def _millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
