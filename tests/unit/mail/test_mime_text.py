import time

import pytest

from services.mail.domain import mime
from services.mail.domain.mime.html import sanitise
from services.mail.domain.mime.quotes import new_text
from services.mail.domain.mime.text import unflow

HTML = "Content-Type: text/html; charset=utf-8\n\n"


def test_flowed_lines_are_joined_and_unstuffed() -> None:
    text = "one \ntwo\n>> quoted \n>> more\n from here\n-- \nAda"
    assert unflow(text, delete_space=False) == ("one two\n>> quoted more\nfrom here\n-- \nAda")


def test_del_sp_takes_the_space_before_a_soft_break() -> None:
    raw = b"Content-Type: text/plain; format=flowed; delsp=yes\r\n\r\nauto \r\nbahn\r\n"
    assert mime.parse(raw).text == "autobahn"


def test_tables_and_lists_of_html_are_readable() -> None:
    text = mime.parse(
        (HTML + "<table><tr><td>A</td><td>1</td></tr></table><ul><li>x<li>y</ul>").encode()
    ).text
    assert text == "A  1\n\n* x\n* y"


def test_html_is_shown_without_what_acts() -> None:
    content = mime.parse(
        (
            HTML + '<div onclick="x()">Hi<script>evil()</script><style>p{}</style>'
            '<form action="/"><input></form><a href="javascript:x">a</a>'
            '<a href="https://a.test">b</a><img src="cid:logo"><img src="data:x"></div>'
        ).encode()
    )
    assert content.html == (
        '<div>Hi<a rel="noopener noreferrer">a</a>'
        '<a href="https://a.test" rel="noopener noreferrer">b</a>'
        '<img src="cid:logo"><img></div>'
    )


def test_the_html_alternative_is_shown_and_the_plain_one_is_read() -> None:
    raw = (
        "Content-Type: multipart/alternative; boundary=b\n\n--b\n\nplain\n"
        "--b\nContent-Type: text/html\n\n<p>rich</p>\n--b--\n"
    )
    content = mime.parse(raw.encode())
    assert (content.text, content.html, content.attachments) == ("plain", "<p>rich</p>", ())


def test_plain_mail_has_no_html() -> None:
    assert mime.parse(b"\nx <b>y</b>").html is None


@pytest.mark.parametrize(
    "source",
    [
        "<div>" * 100_000,
        "<ul><li>" * 60_000,
        "".join(f"<b id={n}>" for n in range(140)) + "<p>x" * 100_000,
        "&" * 500_000,
        "<table><tr><td>" * 30_000,
    ],
)
def test_html_of_an_attacker_is_read_in_bounded_time(source: str) -> None:
    started = time.process_time()
    sanitise(source)
    mime.html_to_text(source)
    assert time.process_time() - started < 5


REPLIES = {
    "english": "Yes.\n\nOn Mon, Jan 1, 2024 at 1:00 PM Ada <a@x.test> wrote:\n> Shall we?\n",
    "german": "Yes.\n\nAm Mo., 1. Jan. 2024 um 13:00 Uhr schrieb Ada <a@x.test>:\n> Wollen wir?\n",
    "french": "Yes.\n\nLe lun. 1 janv. 2024 à 13:00, Ada <a@x.test> a écrit :\n> On y va ?\n",
    "portuguese": "Yes.\n\nEm seg., 1 de jan. de 2024 às 13:00, Ada escreveu:\n> Vamos?\n",
    "outlook": "Yes.\n\n-----Original Message-----\nFrom: Ada <a@x.test>\nSubject: x\n\nShall we?",
    "only marks": "Yes.\n\n> Shall we?\n> Or not?",
    "signature": "Yes.\n\n-- \nAda Lovelace\nAcme",
    "bottom": "On Mon, Jan 1, 2024 at 1:00 PM Ada <a@x.test> wrote:\n> Shall we?\n\nYes.",
}


@pytest.mark.parametrize("kind", REPLIES)
def test_what_is_new_is_told_from_what_is_quoted(kind: str) -> None:
    assert new_text(REPLIES[kind]) == "Yes."


def test_a_text_that_is_all_quotation_stays() -> None:
    assert new_text("> a\n> b") == "> a\n> b"


def test_a_long_text_without_quotations_is_all_new() -> None:
    text = "\n".join(f"line {n}" + " and more" * 40 for n in range(500))
    assert new_text(text) == text


@pytest.mark.parametrize(
    "text",
    ["On " * 60_000, ("On " * 60 + "\n") * 1000, "\n" * 200_000, "_" * 200_000, "> " * 90_000],
)
def test_text_of_an_attacker_is_divided_in_bounded_time(text: str) -> None:
    started = time.process_time()
    new_text(text)
    assert time.process_time() - started < 3
