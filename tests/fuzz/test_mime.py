"""Mail is what anybody may send: whatever comes is read, in good time, and is clean."""

import dataclasses
import io
import re
import tempfile
import time
from html.parser import HTMLParser
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from services.mail.domain import mime
from services.mail.domain.message import Content
from services.mail.domain.mime import bounds
from services.mail.domain.mime.html import sanitise
from tests.fuzz import mail_strategies as mail
from tests.fuzz.effort import tries

LONGEST_S = 10.0
"""Of CPU for one message, even here, where coverage is measured."""
SAFE_SCHEMES = {"http", "https", "mailto", "cid"}
ACTIVE = frozenset(
    "script style iframe frame frameset object embed applet form input button select textarea "  # noqa: SIM905
    "base meta link svg math template noscript title html head body audio video source".split()
)
ADDRESSES = frozenset({"href", "src", "cite", "action", "background", "poster", "longdesc"})


class _Inspector(HTMLParser):
    """Reads sanitised HTML as anything but the library that made it does."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ACTIVE:
            self.wrong.append(tag)
        for name, value in attrs:
            if name.startswith("on") or name in {"style", "srcdoc", "srcset", "formaction"}:
                self.wrong.append(name)
            if name in ADDRESSES and not _is_safe(value or ""):
                self.wrong.append(f"{name}={value}")

    def handle_comment(self, data: str) -> None:
        self.wrong.append(f"<!--{data}")

    def handle_decl(self, decl: str) -> None:
        self.wrong.append(f"<!{decl}")


def _is_safe(address: str) -> bool:
    """Read an address as browsers do: https://url.spec.whatwg.org/#concept-basic-url-parser."""
    bare = re.sub(r"[\t\n\r]", "", address).strip("".join(map(chr, range(0x21))))
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", bare)
    return scheme is None or scheme[1].lower() in SAFE_SCHEMES


def assert_safe(html: str) -> None:
    inspector = _Inspector()
    inspector.feed(html)
    inspector.close()
    assert inspector.wrong == [], html


def assert_clean(content: Content) -> None:
    for text in _texts(dataclasses.asdict(content)):
        text.encode()  # no lone surrogate
        assert "\0" not in text


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for one in value.values() for text in _texts(one)]
    if isinstance(value, list | tuple):
        return [text for one in value for text in _texts(one)]
    return []


def assert_bounded(content: Content) -> None:
    assert len(content.text) <= bounds.LONGEST_TEXT
    assert len(content.new_text) <= bounds.LONGEST_TEXT
    assert len(content.html or "") <= bounds.LONGEST_HTML
    assert len(content.subject) <= bounds.LONGEST_SUBJECT
    assert len(content.references) <= bounds.MOST_REFERENCES
    assert len(content.attachments) <= bounds.MOST_ATTACHMENTS
    assert len(content.calendar) <= bounds.MOST_CALENDARS
    for people in (content.to, content.cc, content.bcc):
        assert len(people) <= bounds.MOST_PEOPLE
    for person in content.people():
        assert len(person.address) <= bounds.LONGEST_ADDRESS
        assert len(person.name or "") <= bounds.LONGEST_NAME
    ids = (content.rfc822_message_id, content.in_reply_to, *content.references)
    assert all(len(one or "") <= bounds.LONGEST_ID for one in ids)
    for one in content.attachments:
        assert len(one.filename or "") <= bounds.LONGEST_FILENAME
        assert len(one.content_type) <= bounds.LONGEST_ID
        assert len(one.content_id or "") <= bounds.LONGEST_ID
    for part in content.calendar:
        assert len(part.uids) <= bounds.MOST_UIDS


def read(raw: bytes) -> Content:
    """Return what is read, held against all that must be true of it."""
    started = time.process_time()
    content = mime.parse(raw)
    assert time.process_time() - started < LONGEST_S
    assert_clean(content)
    assert_bounded(content)
    if content.html is not None:
        assert_safe(content.html)
    return content


@tries(80)
@given(mail.messages)
def test_a_message_of_any_shape_is_read_clean_and_bounded(raw: bytes) -> None:
    read(raw)


@tries(80)
@given(mail.torn())
def test_a_torn_message_is_read_clean_and_bounded(raw: bytes) -> None:
    read(raw)


@tries(80)
@given(mail.html, mail.one_of(mail.CHARSETS))
def test_html_of_an_attacker_is_shown_without_what_acts(source: str, charset: bytes) -> None:
    octets = source.encode("utf-8", "surrogatepass")
    read(b'Content-Type: text/html; charset="' + charset + b'"\r\n\r\n' + octets)


@tries(30)
@given(st.one_of(mail.messages, mail.torn()))
def test_a_message_says_the_same_twice_and_from_its_file(raw: bytes) -> None:
    content = mime.parse(raw)

    assert mime.parse(raw) == content
    with tempfile.NamedTemporaryFile() as file:
        file.write(raw)
        file.flush()
        assert mime.parse_file(file.name) == content


@tries(30)
@given(st.one_of(mail.messages, mail.torn()))
def test_every_attachment_has_the_size_of_its_download(raw: bytes) -> None:
    content = mime.parse(raw)

    with tempfile.NamedTemporaryFile() as file:
        file.write(raw)
        file.flush()
        for one in content.attachments[:5]:
            sink = io.BytesIO()
            assert mime.extract(Path(file.name), one.part, sink) == one.size
            assert len(sink.getvalue()) == one.size


@tries(40)
@given(mail.html)
def test_what_was_made_safe_is_safe_when_it_is_made_safe_again(source: str) -> None:
    once = sanitise(source[: bounds.LONGEST_HTML])

    if once is not None:
        again = sanitise(once)
        assert_safe(again or "")


@tries(60)
@given(mail.value)
def test_any_value_of_a_header_is_read(raw: bytes) -> None:
    for name in mail.NAMES[:12]:
        read(name.encode() + b": " + raw + b"\r\n\r\n")
