"""The search language of `q`: the operators that clients use.

Source: https://support.google.com/mail/answer/7190
"""

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from emulator.gmail import mime
from emulator.gmail.mailbox import Mailbox, StoredMessage

Test = Callable[[StoredMessage], bool]

_AGES: Final = {"d": 1, "w": 7, "m": 30, "y": 365}
_STATES: Final = {"unread": "UNREAD", "starred": "STARRED", "important": "IMPORTANT"}
_HEADERS: Final = {"from": ("from",), "to": ("to",), "cc": ("cc",), "bcc": ("bcc",)}
_OPERATOR: Final = re.compile(r"(-?)(?:([a-z_0-9]+):)?(.*)", re.DOTALL)


@dataclass(slots=True)
class Search:
    """A parsed query: every test has to hold."""

    tests: list[Test] = field(default_factory=list)
    places: set[str] = field(default_factory=set)
    anywhere: bool = False

    def matches(self, stored: StoredMessage) -> bool:
        """Return whether the message is selected."""
        return all(test(stored) for test in self.tests)


def parse(text: str, box: Mailbox, *, now_s: float) -> Search:
    """Return the search that `text` describes; unknown operators select nothing."""
    search = Search()
    for word in _words(text):
        match = _OPERATOR.fullmatch(word)
        if match is None:
            continue
        test = _test(search, box, match[2] or "", match[3].strip("()"), now_s)
        if test is not None:
            search.tests.append(_negated(test) if match[1] else test)
    return search


def _words(text: str) -> list[str]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.quotes, lexer.commenters, lexer.escape = '"', "", ""
    try:
        return list(lexer)
    except ValueError:  # an unclosed quotation mark
        return text.split()


def _test(search: Search, box: Mailbox, name: str, value: str, now_s: float) -> Test | None:
    if name in {"in", "label", "is"}:
        return _place(search, box, value.lower(), is_state=name == "is")
    if name in {"after", "newer", "before", "older"}:
        return _date(value, after=name in {"after", "newer"})
    if name in {"newer_than", "older_than"}:
        return _age(value, now_s, newer=name == "newer_than")
    if name == "rfc822msgid":
        wanted = value.strip("<>")
        return lambda s: mime.header(s.parsed(), "message-id").strip("<> ") == wanted
    if name == "has":
        return _has_attachment if value == "attachment" else _nothing
    return _words_in(name, value.casefold())


def _words_in(name: str, wanted: str) -> Test | None:
    if name in _HEADERS:
        names = _HEADERS[name]
        return lambda s: any(wanted in mime.header(s.parsed(), n).casefold() for n in names)
    if name == "subject":
        return lambda s: wanted in mime.header(s.parsed(), "subject").casefold()
    if name:
        return _nothing
    return _plain(wanted) if wanted else None


def _plain(wanted: str) -> Test:
    def test(stored: StoredMessage) -> bool:
        message = stored.parsed()
        heads = (mime.header(message, name) for name in ("subject", "from", "to", "cc"))
        return any(wanted in part.casefold() for part in (*heads, mime.text(message)))

    return test


def _place(search: Search, box: Mailbox, value: str, *, is_state: bool) -> Test:
    if value == "anywhere":
        search.anywhere = True
        return lambda _stored: True
    if value == "read" and is_state:
        return lambda stored: "UNREAD" not in stored.labels
    label = _STATES.get(value) if is_state else _label_id(box, value)
    if label is None:
        return _nothing
    search.places.add(label)
    return lambda stored: label in stored.labels


def _label_id(box: Mailbox, value: str) -> str | None:
    special = {"sent": "SENT", "drafts": "DRAFT", "bin": "TRASH"}
    if value in special:
        return special[value]
    dashed = value.replace(" ", "-")
    for label in box.labels.values():
        if label.name.lower().replace(" ", "-") == dashed:
            return label.id
    return None


def _date(value: str, *, after: bool) -> Test:
    limit_ms = _moment_ms(value)
    if limit_ms is None:
        return _nothing
    if after:
        return lambda stored: stored.internal_date_ms >= limit_ms
    return lambda stored: stored.internal_date_ms < limit_ms


def _moment_ms(value: str) -> int | None:
    if value.isdecimal():
        return int(value) * 1000
    for form in ("%Y/%m/%d", "%Y-%m-%d", "%m/%d/%Y"):
        try:
            day = datetime.strptime(value, form).replace(tzinfo=UTC)
        except ValueError:
            continue
        return int(day.timestamp() * 1000)
    return None


def _age(value: str, now_s: float, *, newer: bool) -> Test:
    number, unit = value[:-1], value[-1:]
    if not number.isdecimal() or unit not in _AGES:
        return _nothing
    span = timedelta(days=int(number) * _AGES[unit])
    limit_ms = int((now_s - span.total_seconds()) * 1000)
    return lambda stored: (stored.internal_date_ms >= limit_ms) is newer


def _has_attachment(stored: StoredMessage) -> bool:
    return any(part.get_filename() for part in stored.parsed().walk())


def _nothing(_stored: StoredMessage) -> bool:
    return False


def _negated(test: Test) -> Test:
    return lambda stored: not test(stored)
