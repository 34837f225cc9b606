"""What somebody wants sent, made into a message."""

from datetime import UTC, datetime
from typing import Any

import pytest

from libs.common.errors import InvalidInput
from services.mail.domain.message import Content, Person
from services.mail.domain.sending.html import sendable, why_unsendable
from services.mail.domain.sending.letter import Letter, Original, Rules, Written, write
from services.mail.domain.sending.outgoing import is_same_subject

ALICE = Person("alice@example.com", "Alice")
BOB = Person("bob@example.org", "Bob")
EVE = Person("eve@example.org")
RULES = Rules(own=ALICE, aliases=(Person("sales@example.com", "Sales"),))
WHEN = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)


def original(*, sent_by_us: bool = False, **content: Any) -> Original:
    given: dict[str, Any] = {
        "sender": BOB,
        "to": (ALICE,),
        "subject": "Question",
        "text": "How much?",
        "rfc822_message_id": "<2@example.org>",
        "references": ("<1@example.org>",),
        **content,
    }
    return Original(content=Content(**given), occurred_at=WHEN, sent_by_us=sent_by_us)


def written(*, rules: Rules = RULES, complete: bool = True, **letter: Any) -> Written:
    given: dict[str, Any] = {"to": (BOB,), "text": "Hello", **letter}
    return write(Letter(**given), rules, complete=complete)


def refused(**letter: Any) -> str:
    with pytest.raises(InvalidInput) as caught:
        written(**letter)
    errors: Any = caught.value.data["errors"]
    return str(errors[0]["field"])


def test_an_answer_goes_to_whoever_wrote_and_stays_in_the_thread() -> None:
    head = written(to=(), answers=original()).head
    assert head.to == (BOB,)
    assert head.subject == "Re: Question"
    assert head.in_reply_to == "<2@example.org>"
    assert head.references == ("<1@example.org>", "<2@example.org>")


def test_an_answer_to_ones_own_message_goes_to_whom_that_went() -> None:
    assert written(to=(), answers=original(sent_by_us=True, to=(EVE,))).head.to == (EVE,)


def test_an_answer_to_somebody_else_still_answers() -> None:
    head = written(to=(EVE,), answers=original()).head
    assert (head.to, head.in_reply_to) == ((EVE,), "<2@example.org>")


@pytest.mark.parametrize("subject", ["Question", "RE: question", "Aw: Re: Question", None])
def test_an_answer_keeps_its_subject(subject: str | None) -> None:
    assert written(answers=original(), subject=subject).head.subject == "Re: Question"


def test_an_answer_with_another_subject_is_refused() -> None:
    assert refused(answers=original(), subject="Another") == "subject"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Re: Fwd: Offer", "Offer", True),
        ("Re[2]: Offer", "offer ", True),
        ("Offer 2", "Offer", False),
        ("Regarding", "garding", False),
    ],
)
def test_subjects_are_compared_without_what_mailers_put_before(
    one: str, other: str, *, same: bool
) -> None:
    assert is_same_subject(one, other) is same


def test_everybody_gets_a_message_once() -> None:
    head = written(to=(BOB, EVE), cc=(Person("BOB@example.org"),), bcc=(EVE,)).head
    assert (head.to, head.cc, head.bcc) == ((BOB, EVE), (), ())


def test_a_hundred_people_are_the_most() -> None:
    many = tuple(Person(f"u{n}@example.org") for n in range(60))
    others = tuple(Person(f"v{n}@example.org") for n in range(41))
    assert len(written(to=many, bcc=others[:40]).head.recipients()) == 100
    assert refused(to=many, bcc=others) == "to"


def test_a_draft_may_lack_recipients_and_a_message_may_not() -> None:
    assert written(to=(), complete=False).head.recipients() == ()
    assert refused(to=()) == "to"


def test_whoever_is_blocked_gets_nothing() -> None:
    rules = Rules(own=ALICE, is_blocked=lambda address: address == "eve@example.org")
    assert refused(rules=rules, cc=(Person("Eve@Example.org"),)) == "cc"


def test_the_sender_is_one_of_the_mailboxs_addresses() -> None:
    assert written().head.sender == ALICE
    assert written(sender="SALES@example.com").head.sender.name == "Sales"
    assert refused(sender="boss@example.com") == "from"


def test_what_is_passed_on_stands_below_with_its_head() -> None:
    found = written(text="For you", passes_on=original())
    assert found.head.subject == "Fwd: Question"
    assert found.head.in_reply_to is None
    assert found.html is None
    assert found.text is not None
    assert found.text.startswith("For you\n\n---------- Forwarded message")
    assert "From: Bob <bob@example.org>" in found.text
    assert found.text.endswith("How much?")


def test_html_that_is_passed_on_stays_html() -> None:
    found = written(text="For <you>", passes_on=original(html="<b>How much?</b>"))
    assert found.html is not None
    assert found.html.startswith("For &lt;you&gt;")
    assert "<b>How much?</b>" in found.html


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script>",
        "<p onclick='x()'>a</p>",
        "<svg/onload=alert(1)>",
        "<a href='java\nscript:alert(1)'>a</a>",
        "<a href=' JAVASCRIPT:alert(1)'>a</a>",
        "<img src='data:text/html,x'>",
        "<iframe src='https://example.org'></iframe>",
        "<form><input></form>",
        "<math><mi//xlink:href='data:x,<script>alert(4)</script>'>",
        "<b>" * 200,
    ],
)
def test_html_that_would_run_something_is_refused(html: str) -> None:
    assert refused(html=html) == "html"


@pytest.mark.parametrize(
    "html",
    [
        "<p style='color: red'>a</p>",
        "<html><head><meta charset=utf-8><style>p {}</style></head><body><p>a</p></body></html>",
        "<a href='https://example.org/?a:b'>a</a><a href='mailto:bob@example.org'>b</a>",
        "<table width='3' bgcolor='red'><tr><td align='left'>a</td></tr></table>",
        "<a title='&lt;script&gt;'>a</a>",
        "1 < 2 and <3",
    ],
)
def test_html_as_mail_has_it_is_sent(html: str) -> None:
    assert why_unsendable(html) is None
    assert sendable(html)


def test_styles_stay_in_what_is_sent() -> None:
    assert "color: red" in sendable("<p style='color: red'>a</p>")
