"""Which messages are copies of one mail, and what an activity says of all of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from libs.common.directory import EntityRef
from libs.common.events.base import Origin
from services.mail.domain.activities import (
    Activity,
    Copy,
    activity_id,
    by_message,
    logged,
    without_content,
)
from services.mail.domain.links import Facts
from services.mail.domain.message import Content, Direction, Person
from services.mail.domain.visibility import Visibility

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINE, THINE = UUID(int=1), UUID(int=2)
MAIL = Content(
    sender=Person("Bob@X.test", "Bob"),
    rfc822_message_id="<1@x.test>",
    date=NOON,
    subject="Hi",
    to=(Person("alice@example.com"),),
)
LEAD, DEAL = EntityRef("lead", "7"), EntityRef("deal", "9")
IN, OUT = Direction.INBOUND, Direction.OUTBOUND


def copy(
    number: int,
    user_id: str = "ada",
    visibility: Visibility = Visibility.TEAM,
    *,
    direction: Direction = IN,
    refs: tuple[EntityRef, ...] = (LEAD,),
    subject: str = "Hi",
    in_full: bool = True,
) -> Copy:
    facts = Facts(
        message_id=UUID(int=number),
        google_id=f"g{number}",
        thread_id="t",
        occurred_at=NOON,
        direction=direction,
        content=replace(MAIL, subject=subject),
        snippet="Hello",
    )
    return Copy(
        facts=facts,
        connection_id=UUID(int=100 + number),
        user_id=user_id,
        visibility=visibility,
        refs=refs,
        in_full=in_full,
    )


def activity(*copies: Copy) -> Activity:
    return Activity(id=UUID(int=7), occurred_at=NOON, copies=by_message(copies))


@pytest.mark.parametrize(
    "same",
    [
        MAIL,
        replace(MAIL, subject="[EXTERNAL] Hi", to=(), cc=(Person("eve@example.com"),)),
        replace(MAIL, sender=Person("bob@x.TEST")),
        replace(MAIL, rfc822_message_id=" 1@x.test "),
        replace(MAIL, date=NOON.astimezone(timezone(timedelta(hours=2)))),
    ],
)
def test_copies_of_one_mail_are_of_one_activity(same: Content) -> None:
    assert activity_id("acme", MINE, MAIL) == activity_id("acme", THINE, same)


@pytest.mark.parametrize(
    "other",
    [
        replace(MAIL, sender=Person("eve@y.test")),
        replace(MAIL, rfc822_message_id="<2@x.test>"),
        replace(MAIL, date=NOON + timedelta(seconds=1)),
        replace(MAIL, date=None),
        # Nothing can be moved from one part of the key into another.
        replace(MAIL, rfc822_message_id='1@x.test", "bob', sender=Person("@x.test")),
    ],
)
def test_what_somebody_else_wrote_under_that_id_is_another_activity(other: Content) -> None:
    assert activity_id("acme", MINE, MAIL) != activity_id("acme", MINE, other)


@pytest.mark.parametrize(
    "nameless",
    [
        replace(MAIL, rfc822_message_id=None),
        replace(MAIL, rfc822_message_id="<>"),
        replace(MAIL, sender=None),
    ],
)
def test_what_has_no_message_id_or_sender_is_an_activity_of_its_own(nameless: Content) -> None:
    assert activity_id("acme", MINE, nameless) == MINE


def test_tenants_have_no_activity_in_common() -> None:
    assert activity_id("acme", MINE, MAIL) != activity_id("umbrella", MINE, MAIL)


def test_the_id_of_a_mail_never_changes() -> None:
    known = UUID("2934ac2f-1cb4-5d32-8106-893228698675")
    assert activity_id("acme", MINE, MAIL) == known


def test_it_is_outbound_and_the_senders_if_a_colleague_sent_it() -> None:
    both = activity(copy(1, "ada"), copy(2, "eve", direction=OUT))
    assert (both.direction, both.created_by) == (OUT, "eve")


def test_of_what_nobody_here_sent_the_first_copy_says_whose_it_is() -> None:
    both = activity(copy(2, "eve"), copy(1, "ada"))
    assert (both.direction, both.created_by) == (IN, "ada")


def test_it_concerns_whom_any_copy_concerns() -> None:
    bcc = copy(1, refs=(LEAD, DEAL), direction=OUT)
    assert activity(bcc, copy(2)).refs == (DEAL, LEAD)


@pytest.mark.parametrize(
    ("copies", "shown"),
    [
        ([copy(1), copy(2)], 1),
        ([copy(1), copy(2, direction=OUT)], 2),
        ([copy(1, visibility=Visibility.PRIVATE, direction=OUT), copy(2)], 2),
        ([copy(1, visibility=Visibility.METADATA), copy(2)], 2),
        ([copy(1, visibility=Visibility.PRIVATE), copy(2, visibility=Visibility.METADATA)], 2),
        # One's own copy in full goes before a colleague's without content.
        (
            [
                copy(1, visibility=Visibility.METADATA, in_full=False),
                copy(2, visibility=Visibility.PRIVATE),
            ],
            2,
        ),
    ],
)
def test_the_most_open_copy_is_shown(copies: list[Copy], shown: int) -> None:
    assert activity(*copies).main.facts.message_id == UUID(int=shown)


def test_an_event_names_the_copies_and_the_most_open_visibility() -> None:
    secret = copy(1, "eve", Visibility.PRIVATE, subject="forged")
    told = logged(activity(copy(2), secret), Origin.LIVE)
    assert (told.google_message_id, told.activity.title) == ("g2", "Hi")
    assert told.activity.visibility == "team"
    assert [(one.user_id, one.visibility) for one in told.activity.copies] == [
        ("eve", "private"),
        ("ada", "team"),
    ]


def test_of_one_that_ended_nothing_is_said_but_where_it_was() -> None:
    ended = logged(activity(without_content(copy(1))), Origin.LIVE, ended=True)
    said = ended.activity
    assert (ended.google_message_id, said.title, said.snippet) == ("g1", "", "")
    assert (said.entities, said.participants, said.copies) == ((), (), ())


def test_an_event_is_bounded() -> None:
    one = copy(1)
    people = tuple(Person(f"{number}@x.test") for number in range(300))
    facts = replace(one.facts, content=Content(to=people), snippet="x" * 900)
    copies = [replace(one, facts=facts), *(copy(number) for number in range(2, 150))]
    told = logged(activity(*copies), Origin.LIVE).activity
    assert (len(told.snippet), len(told.participants), len(told.copies)) == (500, 100, 100)
