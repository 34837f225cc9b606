import base64
import io
from email.message import EmailMessage
from pathlib import Path

import pytest

from libs.common.errors import NotFound
from services.mail.domain import mime
from services.mail.domain.message import CalendarPart, Content, Person, Report


def part(head: str, body: str = "x") -> str:
    return f"--b\n{head}\n\n{body}\n"


def multi(kind: str, *parts: str) -> bytes:
    return (f"Content-Type: multipart/{kind}; boundary=b\n\n{''.join(parts)}--b--\n").encode()


def extracted(tmp_path: Path, raw: bytes, path: str) -> bytes:
    (tmp_path / "raw").write_bytes(raw)
    sink = io.BytesIO()
    size = mime.extract(tmp_path / "raw", path, sink)
    assert size == len(sink.getvalue())
    return sink.getvalue()


def names(content: Content) -> list[str | None]:
    return [one.filename for one in content.attachments]


INVITATION = (
    "BEGIN:VCALENDAR\nMETHOD:request\nBEGIN:VEVENT\nUID:abc\n def@x\nSUMMARY:secret\n"
    "END:VEVENT\nBEGIN:VEVENT\nUID;X=1:two\nEND:VEVENT\nBEGIN:VEVENT\nUID:two\nEND:VEVENT"
)


def test_a_calendar_part_gives_its_method_and_uids() -> None:
    raw = multi("mixed", part("Content-Type: text/calendar; method=X", INVITATION))
    assert mime.parse(raw).calendar == (CalendarPart(method="REQUEST", uids=("abcdef@x", "two")),)


def test_a_calendar_alternative_is_attached_too() -> None:
    raw = multi("alternative", part("", "hi"), part("Content-Type: text/calendar", INVITATION))
    content = mime.parse(raw)
    assert content.text == "hi"
    assert [one.content_type for one in content.attachments] == ["text/calendar"]


DELIVERY = (
    "Reporting-MTA: dns; mx.test\n\nFinal-Recipient: rfc822; ok@x.test\nAction: delivered\n"
    "Status: 2.0.0\n\nFinal-Recipient: rfc822; gone@x.test\nAction: failed (no box)\nStatus: 5.1.1"
)
DISPOSITION = (
    "Final-Recipient: rfc822;a@x.test\n"
    "Disposition: manual-action/MDN-sent-manually; displayed/error"
)
FEEDBACK = "Feedback-Type: abuse\nVersion: 1\nOriginal-Rcpt-To: <a@x.test>"
BOUNCE = Report(kind="delivery", status="5.1.1", action="failed", recipient="gone@x.test")


@pytest.mark.parametrize(
    ("kind", "body", "report"),
    [
        ("delivery-status", DELIVERY, BOUNCE),
        ("global-delivery-status", DELIVERY, BOUNCE),
        (
            "disposition-notification",
            DISPOSITION,
            Report(kind="disposition", action="displayed", recipient="a@x.test"),
        ),
        (
            "feedback-report",
            FEEDBACK,
            Report(kind="feedback", action="abuse", recipient="a@x.test"),
        ),
        ("delivery-status", "nonsense", Report(kind="delivery")),
    ],
)
def test_a_report_says_what_became_of_a_message(kind: str, body: str, report: Report) -> None:
    raw = multi("report", part("", "sorry"), part(f"Content-Type: message/{kind}", body))
    assert mime.parse(raw).report == report


def test_a_report_may_be_encoded() -> None:
    head = "Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64"
    raw = multi("report", part(head, base64.encodebytes(DELIVERY.encode()).decode()))
    assert mime.parse(raw).report == BOUNCE


def test_an_embedded_message_is_named_by_its_subject(tmp_path: Path) -> None:
    inner = "Subject: =?utf-8?q?=C3=9Cber/Re=3A?= it\nContent-Type: multipart/mixed; boundary=i\n\n"
    inner += "--i\n\ninner text\n--i\nContent-Disposition: attachment; filename=y\n\ny\n--i--"
    raw = multi("mixed", part("", "outer"), part("Content-Type: message/rfc822", inner))
    content = mime.parse(raw)
    assert content.text == "outer"
    assert names(content) == ["Über Re it.eml"]
    assert content.attachments[0].part == "2"
    assert extracted(tmp_path, raw, "2") == inner.encode()


def test_what_is_signed_is_read_and_the_signature_attached() -> None:
    signature = part("Content-Type: application/pkcs7-signature; name=smime.p7s")
    content = mime.parse(multi("signed", part("", "signed text"), signature))
    assert content.text == "signed text"
    assert names(content) == ["smime.p7s"]


def test_what_is_encrypted_is_only_attached() -> None:
    content = mime.parse(
        multi(
            "encrypted",
            part("Content-Type: application/pgp-encrypted", "Version: 1"),
            part("Content-Type: application/octet-stream; name=encrypted.asc", "-----BEGIN"),
        )
    )
    assert content.text == ""
    assert names(content) == [None, "encrypted.asc"]
    assert mime.parse(b"Content-Type: application/pkcs7-mime; name=smime.p7m\n\nx").text == ""


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('filename*0="one "; filename*1=two.txt', "one two.txt"),
        ("filename*0*=utf-8''%C3%9Cb; filename*1*=er; filename*2=.pdf", "Über.pdf"),
        ("filename*=iso-8859-1'de'%DCber.pdf", "Über.pdf"),
        ("filename*=nonsense''%C3%9Cber.pdf", "Über.pdf"),
        ('filename="=?utf-8?q?=C3=9Cber?= =?utf-8?q?sicht?="', "Übersicht"),
        ('filename="Über.pdf"', "Über.pdf"),
        ('filename="..\\\\..\\\\etc/passwd"', "passwd"),
        ("filename*0*=utf-8''a; filename*2=b", "ab"),
    ],
)
def test_file_names_are_read_however_they_are_written(header: str, name: str) -> None:
    raw = multi("mixed", part(f"Content-Disposition: attachment; {header}"))
    assert names(mime.parse(raw)) == [name]


def test_groups_and_comments_of_addresses_are_resolved() -> None:
    raw = b"To: Team: Ada <a@x.test>, b@x.test;, (the boss) c@x.test (Charles)\n\nx"
    assert [one.address for one in mime.parse(raw).to] == ["a@x.test", "b@x.test", "c@x.test"]


def test_a_thousand_of_many_recipients_are_kept() -> None:
    raw = "To: " + ",\n ".join(f"Person {n} <person{n}@x.test>" for n in range(10_000)) + "\n\nx"
    people = mime.parse(raw.encode()).to
    assert len(people) == 1_000
    assert people[-1] == Person("person999@x.test", "Person 999")


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_any_line_end_does(end: bytes, tmp_path: Path) -> None:
    raw = multi("mixed", part("", "hello\nthere"), part("Content-Type: image/png", "p\nq"))
    raw = (b"Subject: x\n" + raw).replace(b"\n", end)
    content = mime.parse(raw)
    assert (content.subject, content.text) == ("x", "hello\nthere")
    assert extracted(tmp_path, raw, "2") == b"p" + end + b"q"


def test_mixed_line_ends_do_too() -> None:
    raw = b"Subject: x\rTo: a@x.test\r\n\nhello\r\nthere\ryou"
    content = mime.parse(raw)
    assert (content.subject, content.text) == ("x", "hello\nthere\nyou")


def test_the_line_of_a_mailbox_file_is_no_header() -> None:
    raw = b"From ada@x.test Fri Nov 21 12:00:06 1997\nSubject: x\n\nhello"
    assert (mime.parse(raw).subject, mime.parse(raw).text) == ("x", "hello")


def test_uuencoded_text_is_left_as_it_is() -> None:
    raw = b"Content-Transfer-Encoding: x-uuencode\n\nbegin 644 x\n#86)C\n`\nend"
    assert mime.parse(raw).text == "begin 644 x\n#86)C\n`\nend"


def test_a_multipart_without_parts_is_read_as_text() -> None:
    assert mime.parse(b"Content-Type: multipart/mixed; boundary=b\n\nhello").text == "hello"


@pytest.mark.parametrize("octets", [b"", b"a", bytes(range(256)) * 700, b"line \n" * 40_000])
@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_an_attachment_has_the_size_of_its_download(
    octets: bytes, encoding: str, tmp_path: Path
) -> None:
    message = EmailMessage()
    message.set_content("hello")
    message.add_attachment(octets, "application", "x", cte=encoding, filename="x")
    raw = message.as_bytes()
    content = mime.parse(raw)
    assert content.attachments[0].size == len(octets)
    assert extracted(tmp_path, raw, "2") == octets
    assert mime.parse_file(tmp_path / "raw") == content


@pytest.mark.parametrize("path", ["3", "2.1", "", "0", "1.1"])
def test_a_part_that_is_not_there_is_not_found(path: str, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        extracted(tmp_path, multi("mixed", part(""), part("")), path)


def test_an_empty_part_is_there(tmp_path: Path) -> None:
    assert (
        extracted(tmp_path, b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n--b--", "1")
        == b""
    )


def test_a_multipart_without_parts_inside_another_is_downloaded_as_it_is(tmp_path: Path) -> None:
    raw = multi("mixed", part("", "hello"), part("Content-Type: multipart/mixed; boundary=x", "ab"))
    (attached,) = mime.parse(raw).attachments

    assert extracted(tmp_path, raw, attached.part) == b"ab"
    assert attached.size == 2


def test_parts_deeper_than_the_limit_stay_one_attachment() -> None:
    raw = b"".join(
        f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n".encode() for n in range(3000)
    )
    assert len(mime.parse(raw).attachments) == 1


def test_comments_within_comments_name_nobody() -> None:
    assert mime.parse(b"To: " + b"(" * 50_000 + b"\n\nx").to == ()
