"""Drafts that two sides edit, and attachments on their way in."""

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from libs.common.errors import InvalidInput, TooLarge
from libs.common.writes import MergePolicy
from services.mail.domain.message import Person
from services.mail.domain.sending.drafts import (
    Fields,
    Outcome,
    Part,
    fields_at_google,
    fields_of,
    reconcile,
)
from services.mail.domain.sending.outgoing import Enclosure, Head, Outgoing, OutgoingState
from services.mail.sync.outward.enclosing import MOST_ENCLOSURES, Enclosing

NOW = datetime(2026, 11, 26, tzinfo=UTC)
BEFORE = NOW - timedelta(minutes=1)
ALICE, BOB = Person("alice@example.com"), Person("bob@example.org", "Bob")
FILE = Enclosure(place=0, filename="a.pdf", content_type="application/pdf", size=3, sha256=b"")


def draft(**facts: Any) -> Outgoing:
    made = Outgoing(
        tenant_id="acme",
        id=UUID(int=1),
        connection_id=UUID(int=2),
        created_by="user:ada",
        state=OutgoingState.DRAFT,
        head=Head(sender=ALICE, to=(BOB,), subject="Offer"),
        text="Hello",
        created_at=NOW,
    )
    return replace(made, agreed=fields_of(made), **facts)


def outcome(ours: Outgoing, policy: MergePolicy = MergePolicy.NEWEST, **theirs: Any) -> Outcome:
    fields: Fields = {**(ours.agreed or {}), **theirs}
    return reconcile(ours, fields, policy=policy, ours_at=NOW, theirs_at=BEFORE)


def test_what_only_we_edited_is_written() -> None:
    found = outcome(draft(text="Hello again"))
    assert (found.must_write, found.conflicts) == (True, frozenset())
    assert found.draft.text == "Hello again"


def test_what_only_they_edited_is_taken_and_not_written() -> None:
    found = outcome(draft(), subject="Better offer", to=[["eve@example.org", None]])
    assert not found.must_write
    assert found.draft.head.subject == "Better offer"
    assert found.draft.head.to == (Person("eve@example.org"),)


def test_different_fields_come_together() -> None:
    found = outcome(draft(text="Hello again"), subject="Better offer")
    assert found.must_write
    assert (found.draft.head.subject, found.draft.text) == ("Better offer", "Hello again")


def test_html_that_comes_from_gmail_is_cleaned_before_it_is_written() -> None:
    found = outcome(draft(text="Hello again"), html="<p onclick=x()>Hi</p>")
    assert found.draft.html == "<p>Hi</p>"


@pytest.mark.parametrize(
    ("policy", "text", "conflicts"),
    [
        (MergePolicy.NEWEST, "ours", set()),
        (MergePolicy.GOOGLE, "theirs", set()),
        (MergePolicy.CRM, "ours", set()),
        (MergePolicy.MANUAL, "theirs", {"text"}),
    ],
)
def test_a_field_that_both_edited_is_decided_by_the_policy(
    policy: MergePolicy, text: str, conflicts: set[str]
) -> None:
    found = outcome(draft(text="ours"), policy, text="theirs")
    assert found.conflicts == conflicts
    assert found.draft.text == text


def test_attachments_changed_in_gmail_are_a_conflict_once_we_have_something_to_write() -> None:
    changed: dict[str, Any] = {"attachments": [["b.pdf", 4]]}
    assert outcome(draft(), **changed).conflicts == set()
    found = outcome(draft(text="Hello again"), MergePolicy.CRM, **changed)
    assert found.conflicts == {"attachments"}
    assert not found.must_write


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def part(kind: str, text: str | None = None, *parts: Part, **facts: Any) -> Part:
    given: dict[str, Any] = {"filename": "", "headers": {}, "size": 0, **facts}
    data = None if text is None else encoded(text)
    return Part(content_type=kind, data=data, parts=parts, **given)


def test_fields_are_read_from_gmails_parts() -> None:
    root = part(
        "multipart/mixed",
        None,
        part(
            "multipart/alternative",
            None,
            part("text/plain", "Grüße\r\n"),
            part("text/html", "<p>Grüße</p>"),
        ),
        part("application/pdf", filename="a.pdf", size=3),
        headers={"to": "Bob <bob@example.org>", "subject": "=?utf-8?b?R3LDvMOfZQ==?="},
    )
    assert fields_at_google(root) == {
        "to": [["bob@example.org", "Bob"]],
        "cc": [],
        "bcc": [],
        "subject": "Grüße",
        "text": "Grüße",
        "html": "<p>Grüße</p>",
        "attachments": [["a.pdf", 3]],
    }


def test_what_we_put_reads_as_what_we_have() -> None:
    ours = draft(enclosures=(FILE,))
    root = part(
        "multipart/mixed",
        None,
        part("text/plain", "Hello\r\n"),
        part("application/pdf", filename="a.pdf", size=3),
        headers={"to": "Bob <bob@example.org>", "subject": "Offer"},
    )
    assert fields_at_google(root) == fields_of(ours)


async def _chunks(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 100_000):
        yield content[start : start + 100_000]


def enclosed(name: str | None, kind: str = "text/plain", content: bytes = b"x") -> Enclosure:
    with Enclosing() as enclosing:
        asyncio.run(enclosing.add(name, kind, _chunks(content)))
        (found,) = enclosing.enclosed
        assert b"".join(iter(found.file.read_next, b"")) == content
        return found.enclosure


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("offer.pdf", "offer.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\offer.pdf", "offer.pdf"),
        ("a\r\nContent-Type: x", "aContent-Type: x"),
        ("", "attachment"),
        (None, "attachment"),
        ("...", "attachment"),
        ("n" * 300 + ".pdf", "n" * 251 + ".pdf"),
    ],
)
def test_a_file_name_is_a_name_and_nothing_else(given: str | None, kept: str) -> None:
    assert enclosed(given).filename == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("application/pdf", "application/pdf"),
        ("Text/Plain; charset=utf-8", "text/plain"),
        ("message/rfc822", "application/octet-stream"),
        ("multipart/mixed", "application/octet-stream"),
        ("nonsense", "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
def test_types_that_cannot_be_encoded_are_sent_as_octets(given: str, kept: str) -> None:
    assert enclosed("a", given).content_type == kept


def test_a_large_attachment_goes_by_way_of_a_file_and_stays_as_it_was() -> None:
    content = bytes(range(256)) * 4000
    found = enclosed("a.bin", content=content)
    assert found.size == len(content)


def test_attachments_that_are_too_many_or_too_large_are_refused() -> None:
    async def add_many(enclosing: Enclosing) -> None:
        for _ in range(MOST_ENCLOSURES + 1):
            await enclosing.add("a", "text/plain", _chunks(b"x"))

    async def add_much(enclosing: Enclosing) -> None:
        for _ in range(4):
            await enclosing.add("a", "text/plain", _chunks(bytes(10_000_000)))

    for add, error in ((add_many, InvalidInput), (add_much, TooLarge)):
        with Enclosing() as enclosing, pytest.raises(error):
            asyncio.run(add(enclosing))
