import dataclasses
import time
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.mail.domain import mime
from services.mail.domain.message import Person
from services.mail.domain.mime.html import strip_tags


def lines(*text: str) -> bytes:
    return "\r\n".join(text).encode("utf-8", "surrogateescape")


def test_a_plain_message_gives_people_subject_and_text() -> None:
    content = mime.parse(
        lines(
            "From: Ada Lovelace <ada@acme.test>",
            'To: "Babbage, Charles" <charles@engine.test>, plain@engine.test',
            "Cc: undisclosed-recipients:;",
            "Subject: Notes",
            "Message-ID: <1@acme.test>",
            "In-Reply-To: <0@engine.test>",
            "References: <a@engine.test>",
            "\t<0@engine.test>",
            "",
            "Hello",
        )
    )
    assert content.sender == Person("ada@acme.test", "Ada Lovelace")
    assert content.to == (
        Person("charles@engine.test", "Babbage, Charles"),
        Person("plain@engine.test"),
    )
    assert content.cc == ()
    assert (content.subject, content.text) == ("Notes", "Hello")
    assert content.rfc822_message_id == "<1@acme.test>"
    assert content.in_reply_to == "<0@engine.test>"
    assert content.references == ("<a@engine.test>", "<0@engine.test>")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("=?utf-8?q?J=C3=BCrgen?=", "Jürgen"),
        ("=?ISO-8859-1?Q?Andr=E9?= Test", "André Test"),
        ("=?utf-8?B?w4TDhA==?= =?utf-8?B?w4Q=?=", "ÄÄÄ"),
        ("=?utf-8?B?4oI=?= =?utf-8?B?rA==?=", "€"),
        ("=?utf-8*de?q?Stra=C3=9Fe?=", "Straße"),
        ("=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"),
        ("=?nonsense?q?caf=E9?=", "café"),
        ("=?utf-8?B?bad base64?=", "=?utf-8?B?bad base64?="),
        ("=?utf-8?q?half", "=?utf-8?q?half"),
        ("=?base64?q?x?=", "x"),
        ("plain", "plain"),
    ],
)
def test_encoded_words_are_read(written: str, read: str) -> None:
    assert mime.decode_words(written) == read


@pytest.mark.parametrize(
    ("octets", "read"), [(b"caf\xc3\xa9", "café"), (b"caf\xe9", "café"), (b"\x93hi\x94", "“hi”")]
)
def test_raw_octets_in_a_header_are_guessed(octets: bytes, read: str) -> None:
    assert mime.parse(b"Subject: " + octets + b"\n\nx").subject == read


@pytest.mark.parametrize(
    ("charset", "octets", "read"),
    [
        ("utf-8", "é".encode(), "é"),
        ("us-ascii", "é".encode(), "é"),
        ("utf-8", b"caf\xe9", "café"),
        ("no-such-charset", "é".encode(), "é"),
        ("hex", b"zz", "zz"),
        ("iso-2022-jp", "日本".encode("iso-2022-jp"), "日本"),
    ],
)
def test_a_charset_that_lies_is_guessed(charset: str, octets: bytes, read: str) -> None:
    raw = f"Content-Type: text/plain; charset={charset}\n\n".encode() + octets
    assert mime.parse(raw).text == read


def test_nul_and_surrogates_never_leave_the_parser() -> None:
    raw = b"Subject: a\x00b\nContent-Type: text/plain; charset=utf-8\n\nx\x00y\xed\xa0\x80"
    content = mime.parse(raw)
    text = content.subject + content.text
    assert "\0" not in text
    text.encode()


def test_nested_multiparts_give_one_text_and_all_attachments() -> None:
    message = EmailMessage()
    message["Subject"] = "nested"
    message.set_content("plain part")
    message.add_alternative("<p>html part</p>", subtype="html")
    # typeshed leaves open what a payload holds; here it is parts
    html = message.get_payload()[1]  # type: ignore[index]
    html.add_related(b"png", "image", "png", cid="<logo@x>")  # type: ignore[union-attr]
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="Übersicht.pdf")
    message.add_attachment("notes", filename="notes.txt")
    content = mime.parse(message.as_bytes())
    assert content.text == "plain part"
    assert [
        (one.part, one.filename, one.content_type, one.size) for one in content.attachments
    ] == [
        ("1.2.2", None, "image/png", 3),
        ("2", "Übersicht.pdf", "application/pdf", 4),
        ("3", "notes.txt", "text/plain", 6),
    ]
    assert content.attachments[0].inline
    assert content.attachments[0].content_id == "logo@x"


def test_html_alone_becomes_readable_text() -> None:
    raw = (
        b"Content-Type: text/html; charset=utf-8\n\n<html><head><title>t</title>"
        b"<style>p{}</style></head><body><p>Dear&nbsp;Ada,</p><p>a &lt; b<br>c</p>"
        b"<script>evil()</script></body></html>"
    )
    assert mime.parse(raw).text == "Dear Ada,\n\na < b\nc"


def test_a_forwarded_message_is_an_attachment_not_text() -> None:
    outer, inner = EmailMessage(), EmailMessage()
    inner["Subject"] = "inner"
    inner.set_content("inner text")
    outer.set_content("outer text")
    outer.add_attachment(inner)
    content = mime.parse(outer.as_bytes())
    assert content.text == "outer text"
    assert [one.content_type for one in content.attachments] == ["message/rfc822"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\xff\xfe",
        b"no header at all",
        b"Content-Type: multipart/mixed\n\nno boundary",
        b"Content-Type: multipart/mixed; boundary=x\n\n--x\nnever closed",
        b"Content-Type: multipart/alternative; boundary=x\n\n--x--",
        b"Content-Type: text/plain; charset*=utf-8''%ff\n\nx",
        b"Content-Type: ;;;\nContent-Transfer-Encoding: base64\n\n!!!!",
        b"From: <<>>,,;:@\nTo: =?utf-8?q??=\n\n",
        b"Content-Disposition: attachment; filename*0*=utf-8''a; filename*2=b\n\nx",
        b"Content-Type: application/x; name==?utf-8?b?w4Q?=\n\nx",
    ],
)
def test_broken_mail_is_read_as_far_as_it_goes(raw: bytes) -> None:
    mime.parse(raw)


def test_long_values_are_cut() -> None:
    people = ", ".join(f"p{n}@x.test" for n in range(3000))
    raw = f"Subject: {'s' * 9000}\nTo: {people}\n\n{'t' * 900_000}".encode()
    content = mime.parse(raw)
    assert len(content.subject) == mime.LONGEST_SUBJECT
    assert len(content.to) == mime.MOST_PEOPLE
    assert len(content.text) == mime.LONGEST_TEXT


def test_headers_alone_name_the_people() -> None:
    content = mime.parse_people([("From", "Jürgen <j@x.test>"), ("To", "a@x.test,\r\n b@x.test")])
    assert content.people() == (
        Person("j@x.test", "Jürgen"),
        Person("a@x.test"),
        Person("b@x.test"),
    )


HTML = b"Content-Type: text/html\n\n"
EVIL = {
    "unclosed tags": HTML + b"<a " * 150_000,
    "unclosed declarations": HTML + b"<!" * 200_000,
    "unclosed comments": HTML + b"<!--" * 100_000,
    "unclosed scripts": HTML + b"<script>" * 50_000,
    "a reference without an end": HTML + b"&#" + b"1" * 400_000 + b";",
    "words that never end": b"Subject: " + b"=?" * 50_000 + b"\n\nx",
    "spaces between words": b"Subject: ?=" + b" " * 90_000 + b"\n\nx",
    "brackets": b"References: " + b"<" * 90_000 + b"\n\nx",
    "quotes": b"To: " + b'"' * 90_000 + b"\n\nx",
    "parts": b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 30_000,
}


@pytest.mark.parametrize("kind", EVIL)
def test_evil_mail_is_read_in_bounded_time(kind: str) -> None:
    started = time.process_time()
    mime.parse(EVIL[kind])
    assert time.process_time() - started < 5


def test_what_is_hidden_and_what_only_looks_like_a_tag() -> None:
    text = strip_tags(
        "<HEAD>x</Head>a < b <b>bold</b><ScRiPt>if (a<b) </script>"
        "<!-- <p>no</p> --> &amp;<style>unclosed"
    )
    assert text == "a < b bold &unclosed"


@given(st.binary(max_size=400), st.sampled_from(["plain", "html", "calendar"]))
def test_whatever_comes_the_result_can_be_stored(octets: bytes, kind: str) -> None:
    head = f"Content-Type: text/{kind}; charset=utf-8\r\nSubject: ".encode()
    content = mime.parse(head + octets + b"\r\nFrom: " + octets + b"\r\n\r\n" + octets)
    kept = repr(dataclasses.asdict(content))
    assert "\\x00" not in kept
    assert "\\ud8" not in kept
    kept.encode()
