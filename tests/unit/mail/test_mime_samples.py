"""Real and mutated mail: whatever comes is read, and what is read can be stored."""

import dataclasses
import io
import os
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.demo.mailbag import SAMPLES as DEMO_SAMPLES
from services.mail.domain import mime
from services.mail.domain.message import Content

# The demo's mailbox; a folder of one's own may be named instead.
FOLDER = Path(os.environ.get("CAUSEWAY_SAMPLE_MAIL", DEMO_SAMPLES))
SAMPLES = sorted(FOLDER.glob("*.eml"))


def assert_storable(content: Content) -> None:
    kept = repr(dataclasses.asdict(content))
    assert "\\x00" not in kept
    assert "\\ud8" not in kept
    kept.encode()


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_a_real_message_says_the_same_from_memory_and_from_its_file(path: Path) -> None:
    content = mime.parse(path.read_bytes())
    assert_storable(content)
    assert mime.parse_file(path) == content
    for one in content.attachments:
        sink = io.BytesIO()
        assert mime.extract(path, one.part, sink) == one.size == len(sink.getvalue())


def a_message() -> bytes:
    message = EmailMessage()
    message["From"] = "Ada <a@x.test>"
    message["To"] = "Team: b@x.test, Zoë <c@x.test>;"
    message["Date"] = "Fri, 21 Nov 1997 09:00:06 -0300"
    message["Subject"] = "Übersicht der Dinge"
    message.set_content("Grüße\n\nOn Monday Ada wrote:\n> hello\n")
    message.add_alternative("<p>Grüße <b>Ada</b></p>", subtype="html")
    message.add_attachment("UID:1\nMETHOD:REQUEST", subtype="calendar")
    message.add_attachment(b"\0\xff" * 40, "application", "pdf", filename="Über.pdf")
    inner = EmailMessage()
    inner["Subject"] = "inner"
    inner.set_content("inner")
    message.add_attachment(inner)
    return message.as_bytes()


MESSAGE = a_message()


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, len(MESSAGE)), st.integers(0, 12), st.binary(max_size=12)),
        max_size=8,
    )
)
def test_a_mutated_message_is_read_and_can_be_stored(
    changes: list[tuple[int, int, bytes]],
) -> None:
    raw = MESSAGE
    for at, length, octets in changes:
        raw = raw[:at] + octets + raw[at + length :]
    assert_storable(mime.parse(raw))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=600))
def test_arbitrary_octets_are_read_and_can_be_stored(octets: bytes) -> None:
    assert_storable(mime.parse(octets))
