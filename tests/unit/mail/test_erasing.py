"""What becomes of a message when one of its people is erased."""

import pytest

from libs.common.scrubbing import MARK, Scrubber
from services.mail.domain.erasing import Fate, fate, names_of, without
from services.mail.domain.links import own_addresses
from services.mail.domain.message import Attachment, CalendarPart, Content, Person, Report

ALICE, CAROL, ZQ, EVE = "alice@ours.test", "carol@ours.test", "z.q@x.test", "eve@y.test"
OWN = own_addresses([ALICE])


def mail(sender: str | None, *to: str, cc: tuple[str, ...] = ()) -> Content:
    return Content(
        sender=None if sender is None else Person(sender),
        to=tuple(Person(one) for one in to),
        cc=tuple(Person(one) for one in cc),
    )


@pytest.mark.parametrize(
    ("content", "erased", "became"),
    [
        (mail(ZQ, ALICE), ZQ, Fate.REMOVED),
        (mail(ZQ, ALICE, EVE), ZQ, Fate.REMOVED),  # their own words
        (mail(ALICE, ZQ), ZQ, Fate.REMOVED),
        (mail(ALICE, ZQ.upper(), cc=(CAROL,)), ZQ, Fate.REMOVED),  # nobody else outside
        (mail(ALICE, ZQ, cc=(EVE,)), ZQ, Fate.REDACTED),
        (mail(EVE, ALICE, cc=(ZQ,)), ZQ, Fate.REDACTED),
        (mail(EVE, ALICE), ZQ, None),
        (mail(None, ALICE), ZQ, None),
        (mail(ALICE, CAROL), CAROL, Fate.REMOVED),  # one of ours, with the mailbox's owner
        (mail(ALICE, CAROL, EVE), CAROL, Fate.REDACTED),
        (mail(CAROL, ALICE, EVE), CAROL, Fate.REMOVED),
    ],
)
def test_what_becomes_of_a_message(content: Content, erased: str, became: Fate | None) -> None:
    assert fate(content, mailbox=ALICE, own=OWN, erased=frozenset({erased})) is became


def test_a_message_that_stays_names_the_person_nowhere() -> None:
    content = Content(
        sender=Person(EVE, "Eve"),
        to=(Person(ALICE), Person(ZQ.upper(), "Zoe Quill")),
        cc=(Person(f"a.{ZQ}"),),
        bcc=(Person(EVE, f"Eve via {ZQ}"), Person(f"<{ZQ}>@")),
        subject=f"Zoe Quill <{ZQ}>",
        rfc822_message_id=f"<{ZQ}>",
        in_reply_to=f"<1/{ZQ}>",
        references=(f"<{ZQ}>",),
        text=f"Hello Zoe Quill\n> {ZQ} wrote this",
        new_text="Hello Zoe Quill",
        html=f"<p>{ZQ}</p>",
        attachments=(
            Attachment(
                part="2",
                filename=f"{ZQ}.pdf",
                content_type="application/pdf",
                size=1,
                inline=False,
                content_id=ZQ,
            ),
        ),
        calendar=(CalendarPart(method="REQUEST", uids=(ZQ,)),),
        report=Report(kind="delivery", recipient=ZQ),
    )
    names = names_of(content, frozenset({ZQ}))
    assert names == {"Zoe Quill"}
    remains = without(content, Scrubber([ZQ], names))
    left = remains.content
    assert (left.sender, left.to[0]) == (Person(EVE, "Eve"), Person(ALICE))
    assert left.to[1] == Person(MARK)
    assert (left.text, left.new_text, left.html) == ("Hello [erased]", "Hello [erased]", None)
    assert remains.snippet == "Hello [erased]"
    assert left.cc == (Person(f"a.{ZQ}"),)  # that is another address
    text = repr(remains).replace(f"a.{ZQ}", "").lower()
    assert ZQ not in text
    assert "quill" not in text
