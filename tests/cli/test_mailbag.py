"""The demo's mail: the sample mailbox, mbox files and folders."""

import mailbox
from datetime import UTC, datetime, timedelta
from email import policy
from email.parser import BytesParser
from pathlib import Path

import pytest

from cli.demo import mailbag
from cli.local.process import LocalStackError
from tests.cli.stacks import own_stack

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
LETTER = (
    b"From: a@x.example\r\nDate: Mon, 02 Mar 2020 09:00:00 +0100\r\nSubject: One\r\n\r\nHello\r\n"
)
SAMPLES = sorted(mailbag.SAMPLES.glob("*.eml"))


def test_there_are_samples() -> None:
    assert len(SAMPLES) >= 30


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_every_sample_parses(path: Path) -> None:
    raw = path.read_bytes()
    message = BytesParser(policy=policy.default).parsebytes(raw)

    assert raw.count(b"\n") == raw.count(b"\r\n")
    assert all(message[name] for name in ("From", "To", "Subject", "Message-ID"))
    assert message["Date"].datetime.tzinfo
    for part in message.walk():
        assert part.defects == []
        if part.get_content_maintype() == "text":
            assert "\ufffd" not in part.get_content()


def test_the_samples_hold_what_mail_is_like() -> None:
    raw = b"".join(path.read_bytes().lower() for path in SAMPLES)

    for mark in (
        b"iso-8859-1",
        b"windows-1252",
        b"base64",
        b"quoted-printable",
        b"format=flowed",
        b"filename*0*=",
        b"message/rfc822",
        b"multipart/report",
        b"text/calendar",
        b"application/pdf",
        b"=?utf-8?",
        b"sales team:",
        b"list-unsubscribe",
    ):
        assert mark in raw, mark


def test_the_sample_mailbox_lies_within_what_is_taken_in_by_itself() -> None:
    dates = [item.internal_date_ms for item in mailbag.samples(NOW)]
    earliest = (NOW - timedelta(days=29)).timestamp() * 1000

    assert all(date is not None and earliest < date < NOW.timestamp() * 1000 for date in dates)
    assert len(set(dates)) == len(SAMPLES)


def test_a_folder_is_read_with_the_folders_in_it(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "one.EML").write_bytes(LETTER)
    (tmp_path / "notes.txt").write_text("no mail")

    (item,) = mailbag.read(tmp_path)

    assert item == mailbag.Item(LETTER, ("INBOX", "UNREAD"), 1_583_136_000_000)


def test_an_mbox_is_read_and_its_quoting_undone(tmp_path: Path) -> None:
    box = mailbox.mbox(tmp_path / "mail.mbox")
    box.add(LETTER + b"From here on\r\n")
    box.add(LETTER)
    box.close()

    first, second = mailbag.read(tmp_path / "mail.mbox")

    assert b"\nFrom here on" in first.raw
    assert second.internal_date_ms == 1_583_136_000_000


def test_an_exports_labels_say_where_a_message_goes_and_are_taken_out(tmp_path: Path) -> None:
    labelled = b"X-GM-THRID: 17\r\nX-Gmail-Labels: Sent,Starred,My clients\r\n" + LETTER
    (tmp_path / "one.eml").write_bytes(labelled)

    (item,) = mailbag.read(tmp_path)

    assert item.labels == ("SENT", "STARRED")
    assert item.raw == LETTER


@pytest.mark.parametrize("date", ["yesterday", "Mon, 02 Mar 1907 09:00:00 +0000", ""])
def test_a_date_that_says_nothing_is_none(tmp_path: Path, date: str) -> None:
    (tmp_path / "one.eml").write_bytes(b"Date: " + date.encode() + b"\r\nSubject: x\r\n\r\n")

    assert [item.internal_date_ms for item in mailbag.read(tmp_path)] == [None]


@pytest.mark.parametrize("kind", ["nothing", "empty folder", "text file"])
def test_what_is_no_mail_is_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "there"
    if kind == "empty folder":
        path.mkdir()
    elif kind == "text file":
        path.write_text("hello")

    with pytest.raises(LocalStackError, match=r"^[^\n]+$"):
        mailbag.check(path)


def test_a_demo_with_a_wrong_path_says_so_and_starts_nothing(tmp_path: Path) -> None:
    with own_stack() as stack:
        answer = stack.run("demo", "--mail", str(tmp_path / "none"))

        assert answer.returncode == 1
        assert answer.stderr == f"causeway: {tmp_path}/none: there is no such file or folder\n"
        assert stack.processes() == []
