"""Outgoing messages as RFC 5322 has them."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.mail.domain import mime
from services.mail.domain.message import Person
from services.mail.domain.sending.composing import CHUNK, Composed, compose, encoded_size
from services.mail.domain.sending.outgoing import Enclosure, Head

SEND_ID = UUID("01a215a4-8832-713f-85a8-14a93a129520")
WHEN = datetime(2026, 11, 26, 9, 30, tzinfo=UTC)
ALICE = Person("alice@example.com", 'Älice, the "first"')
BOB = Person("bob@example.org", "Bob")


def head(**fields: Any) -> Head:
    return Head(**{"sender": ALICE, "to": (BOB,), "subject": "Grüße", **fields})


def octets(composed: Composed, *contents: bytes) -> bytes:
    async def content(enclosure: Enclosure) -> AsyncIterator[bytes]:
        data = contents[enclosure.place]
        for start in range(0, len(data), CHUNK):
            yield data[start : start + CHUNK]

    async def whole() -> bytes:
        return b"".join([chunk async for chunk in composed.octets(content)])

    return asyncio.run(whole())


def enclosure(place: int, content: bytes, **facts: Any) -> Enclosure:
    given: dict[str, Any] = {"filename": "a.bin", "content_type": "application/pdf", **facts}
    return Enclosure(place=place, size=len(content), sha256=b"", **given)


def read(raw: bytes) -> EmailMessage:
    return BytesParser(policy=policy.default).parsebytes(raw)


def test_a_message_says_what_it_was_given() -> None:
    raw = octets(compose(SEND_ID, head(cc=(BOB,)), "Hällo", "<p>Hällo</p>", date=WHEN))
    found = mime.parse(raw)
    assert (found.sender, found.to, found.cc) == (ALICE, (BOB,), (BOB,))
    assert (found.subject, found.text) == ("Grüße", "Hällo")
    assert found.html == "<p>Hällo</p>"
    assert found.date == WHEN
    assert found.send_id == SEND_ID


def test_lines_end_as_the_wire_wants_them_and_are_ascii() -> None:
    raw = octets(compose(SEND_ID, head(), "Hällo\nyou\r\nthere", None, date=WHEN))
    assert raw.isascii()
    assert b"\n" not in raw.replace(b"\r\n", b"")


def test_long_message_ids_are_written_as_they_are() -> None:
    long = f"<{'a' * 300}@example.org>"
    fields = head(in_reply_to=long, references=("<1@x>", long))
    raw = octets(compose(SEND_ID, fields, "x", None, date=WHEN))
    assert f"In-Reply-To: {long}\r\n".encode() in raw
    assert f"References: <1@x>\r\n {long}\r\n".encode() in raw
    assert mime.parse(raw).references == ("<1@x>", long)


@pytest.mark.parametrize("odd", ["<a b@x>", "<a\r\nBcc: eve@x>", "a@x", "<ä@x>", "<>"])
def test_ids_that_could_be_something_else_are_left_out(odd: str) -> None:
    raw = octets(compose(SEND_ID, head(in_reply_to=odd, references=(odd,)), "x", None, date=WHEN))
    assert b"In-Reply-To" not in raw
    assert b"References" not in raw


def test_of_many_references_the_first_and_the_newest_stay() -> None:
    ids = tuple(f"<{n}@x>" for n in range(100))
    found = mime.parse(octets(compose(SEND_ID, head(references=ids), "x", None, date=WHEN)))
    assert found.references == ("<0@x>", *ids[80:])


@pytest.mark.parametrize("field", ["subject", "sender", "to"])
def test_a_line_break_never_becomes_a_header(field: str) -> None:
    evil = "x\r\nBcc: eve@example.org"
    value: Any = {
        "subject": evil,
        "sender": Person("alice@example.com", evil),
        "to": (Person("bob@example.org", evil),),
    }[field]
    with pytest.raises(ValueError, match=r"(?i)linefeed|header|CR|LF"):
        compose(SEND_ID, head(**{field: value}), "x", None, date=WHEN)


def test_attachments_keep_name_type_and_content() -> None:
    contents = os.urandom(CHUNK * 2 + 17), b""
    parts = (
        enclosure(0, contents[0], filename='Über "1".pdf'),
        enclosure(1, contents[1], filename="e.txt", content_type="text/plain"),
    )
    composed = compose(SEND_ID, head(), "x", "<p>x</p>", parts, date=WHEN)
    raw = octets(composed, *contents)
    assert len(raw) == composed.size
    found = list(read(raw).iter_attachments())
    assert [one.get_filename() for one in found] == ['Über "1".pdf', "e.txt"]
    assert found[0].get_content() == contents[0]
    assert max(map(len, raw.split(b"\r\n"))) <= 100


@given(size=st.integers(0, 400))
def test_the_size_is_known_before_anything_is_encoded(size: int) -> None:
    composed = compose(SEND_ID, head(), "x", None, (enclosure(0, bytes(size)),), date=WHEN)
    assert composed.size == len(octets(composed, bytes(size)))
    assert encoded_size(size) == composed.size - len(composed.beginning) - len(
        composed.enclosed[0][0]
    ) - len(composed.end)
