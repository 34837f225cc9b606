"""The search language of `q`: what each operator selects.

Source: https://support.google.com/mail/answer/7190
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Final

from emulator.gmail import mime
from emulator.gmail.labels import CATEGORIES
from emulator.gmail.mailbox import Mailbox, StoredMessage

Test = Callable[[StoredMessage], bool]

_DAY_S: Final = 86_400
# Dates of a search begin at midnight in California, whatever the person's own zone is:
# https://developers.google.com/workspace/gmail/api/guides/filtering
_PST: Final = timezone(timedelta(hours=-8))
_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_SIZE: Final = re.compile(r"([0-9]{1,12})([km]?)b?")
_FACTORS: Final = {"": 1, "k": 1024, "m": 1024 * 1024}
_AGES: Final = {"d": 1, "w": 7, "m": 30, "y": 365}
_STATES: Final = {"unread": "UNREAD", "starred": "STARRED", "important": "IMPORTANT"}
_SPECIAL: Final = {"sent": "SENT", "drafts": "DRAFT", "bin": "TRASH", "chats": "CHAT"}
_PEOPLE: Final = {
    "from": ("from",),
    "to": ("to",),
    "cc": ("cc",),
    "bcc": ("bcc",),
    "deliveredto": ("delivered-to",),
}
_HEADERS: Final = {"subject": "subject", "list": "list-id"}


@dataclass(frozen=True, slots=True)
class Term:
    """One term: its test, and the label or the everywhere that it asks to be searched."""

    test: Test
    place: str | None = None
    anywhere: bool = False


def term(name: str, value: str, box: Mailbox, *, now_s: float) -> Term:
    """Return what `name:value` selects; an empty name means the words themselves."""
    if name in {"in", "label", "is", "category"}:
        return _place(name, value.lower(), box)
    if name in {"after", "newer", "newer_than", "before", "older", "older_than"}:
        return Term(_time(name, value.lower(), now_s))
    if name in {"larger", "smaller", "size"}:
        return Term(_size(value.lower(), larger=name != "smaller"))
    if name == "has":
        return Term(_HAS.get(value.lower(), _nothing))
    if name == "rfc822msgid":
        wanted = value.strip("<>")
        return Term(lambda s: s.message_id.strip("<> ") == wanted)
    return Term(_text(name, value.casefold(), box))


def _text(name: str, wanted: str, box: Mailbox) -> Test:
    if name in _PEOPLE:
        heads, person = _PEOPLE[name], box.email if wanted == "me" else wanted
        return lambda s: any(person in mime.header(s.parsed(), n).casefold() for n in heads)
    if name in _HEADERS:
        return lambda s: wanted in mime.header(s.parsed(), _HEADERS[name]).casefold()
    if name == "filename":
        return lambda s: any(wanted in file.casefold() for file in _filenames(s))
    return _nothing if name else _words(wanted)


def _words(wanted: str) -> Test:
    def test(stored: StoredMessage) -> bool:
        message = stored.parsed()
        heads = (mime.header(message, name) for name in ("subject", "from", "to", "cc"))
        return any(wanted in part.casefold() for part in (*heads, mime.text(message)))

    return test


def _place(name: str, value: str, box: Mailbox) -> Term:
    if name == "in" and value == "anywhere":
        return Term(lambda _stored: True, anywhere=True)
    if name == "is" and value == "read":
        return Term(lambda stored: "UNREAD" not in stored.labels)
    if name == "category" and value == "primary":  # what no other category has claimed
        others = set(CATEGORIES) - {"CATEGORY_PERSONAL"}
        return Term(lambda stored: not others & set(stored.labels))
    label = _label(name, value, box)
    if label is None:
        return Term(_nothing)
    return Term(lambda stored: label in stored.labels, place=label)


def _label(name: str, value: str, box: Mailbox) -> str | None:
    if name == "is":
        return _STATES.get(value)
    if name == "category":
        return next((c for c in CATEGORIES if c == f"CATEGORY_{value.upper()}"), None)
    if value in _SPECIAL:
        return _SPECIAL[value]
    dashed = _dashed(value)
    named = (label.id for label in box.labels.values() if _dashed(label.name) == dashed)
    return next(named, None)


def _dashed(name: str) -> str:
    """Return a label's name as Gmail writes it in searches."""
    return name.lower().replace(" ", "-").replace("/", "-")


def _time(name: str, value: str, now_s: float) -> Test:
    limit_ms = _age_ms(value, now_s) if name.endswith("_than") else _moment_ms(value)
    if limit_ms is None:
        return _nothing
    later = name in {"after", "newer", "newer_than"}
    return lambda stored: (stored.internal_date_ms >= limit_ms) is later


def _moment_ms(value: str) -> int | None:
    if _NUMBER.fullmatch(value):
        return int(value) * 1000
    for form in ("%Y/%m/%d", "%Y-%m-%d", "%m/%d/%Y"):
        try:
            day = datetime.strptime(value, form).replace(tzinfo=_PST)
        except ValueError:
            continue
        return int(day.timestamp() * 1000)
    return None


def _age_ms(value: str, now_s: float) -> int | None:
    number, unit = value[:-1], value[-1:]
    if not _NUMBER.fullmatch(number) or unit not in _AGES:
        return None
    return int((now_s - int(number) * _AGES[unit] * _DAY_S) * 1000)


def _size(value: str, *, larger: bool) -> Test:
    match = _SIZE.fullmatch(value)
    if match is None:
        return _nothing
    limit = int(match[1]) * _FACTORS[match[2]]
    return lambda stored: len(stored.raw) > limit if larger else len(stored.raw) < limit


def _filenames(stored: StoredMessage) -> list[str]:
    return [name for part in stored.parsed().walk() if (name := part.get_filename())]


def _nothing(_stored: StoredMessage) -> bool:
    return False


def _has_own_label(stored: StoredMessage) -> bool:
    return any(label.startswith("Label_") for label in stored.labels)


_HAS: Final[dict[str, Test]] = {
    "attachment": lambda stored: bool(_filenames(stored)),
    "userlabels": _has_own_label,
    "nouserlabels": lambda stored: not _has_own_label(stored),
}
