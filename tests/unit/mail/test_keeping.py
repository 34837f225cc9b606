"""How much of a message is kept."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.mail.domain.history import Change, Step
from services.mail.domain.keeping import (
    LabelRule,
    Reason,
    Rules,
    label_rule,
    must_look,
    oldest_kept,
    reduced,
    renames,
)
from services.mail.domain.label import Label
from services.mail.domain.links import own_addresses
from services.mail.domain.message import Attachment, Content, Fetched, Keep, Known, Person, Policy
from services.mail.domain.preferences import DEFAULT, Body, Preferences, Suggest, preferences_of

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
BOB, ALICE, EVE = "bob@x.test", "alice@example.com", "eve@below.blocked.test"
OWN = own_addresses([ALICE])
INBOX = frozenset({"INBOX"})


def rules(policy: Policy = Policy.ALL, **more: Any) -> Rules:
    labels = more.pop("labels", LabelRule())
    oldest = more.pop("oldest", None)
    return Rules(
        policy=policy, preferences=Preferences(**more), labels=labels, own=OWN, oldest=oldest
    )


@pytest.mark.parametrize(
    ("given", "message", "keep", "reason"),
    [
        (rules(), {}, Keep.WHOLE, None),
        (rules(Policy.KNOWN), {}, Keep.TRACE, Reason.POLICY),
        (rules(Policy.KNOWN), {"known": True}, Keep.WHOLE, None),
        (rules(Policy.NONE), {"known": True}, Keep.TRACE, Reason.POLICY),
        (rules(body=Body.SNIPPET), {}, Keep.SNIPPET, Reason.BODY),
        (rules(Policy.KNOWN, body=Body.METADATA), {"known": True}, Keep.METADATA, Reason.BODY),
        (rules(Policy.KNOWN, body=Body.METADATA), {}, Keep.TRACE, Reason.POLICY),
        (rules(blocklist=(BOB,)), {}, Keep.NOTHING, Reason.BLOCKLIST),
        (rules(blocklist=("@x.test",)), {"known": True}, Keep.NOTHING, Reason.BLOCKLIST),
        (rules(blocklist=("@blocked.test",)), {"people": [EVE]}, Keep.NOTHING, Reason.BLOCKLIST),
        (rules(blocklist=("@locked.test",)), {"people": [EVE]}, Keep.WHOLE, None),
        (rules(blocklist=("@example.com",)), {}, Keep.WHOLE, None),
        (rules(Policy.NONE, blocklist=(BOB,)), {}, Keep.NOTHING, Reason.BLOCKLIST),
        (rules(labels=LabelRule(only=frozenset({"L"}))), {}, Keep.NOTHING, Reason.LABELS),
        (rules(labels=LabelRule(only=INBOX)), {}, Keep.WHOLE, None),
        (rules(labels=LabelRule(without=INBOX)), {}, Keep.NOTHING, Reason.LABELS),
        (rules(labels=LabelRule(only=INBOX, without=INBOX)), {}, Keep.NOTHING, Reason.LABELS),
        (rules(oldest=NOON + timedelta(seconds=1)), {}, Keep.NOTHING, Reason.RETENTION),
        (rules(oldest=NOON), {}, Keep.WHOLE, None),
        (rules(Policy.NONE), {"sent_by_us": True}, Keep.WHOLE, None),
        (rules(blocklist=(BOB,)), {"sent_by_us": True}, Keep.WHOLE, None),
        (rules(body=Body.METADATA), {"sent_by_us": True}, Keep.WHOLE, None),
        (
            rules(oldest=NOON + timedelta(seconds=1)),
            {"sent_by_us": True},
            Keep.NOTHING,
            Reason.RETENTION,
        ),
    ],
)
def test_settings_decide_how_much_is_kept(
    given: Rules, message: dict[str, Any], keep: Keep, reason: Reason | None
) -> None:
    facts: dict[str, Any] = {
        "people": [BOB, ALICE],
        "labels": INBOX,
        "date": NOON,
        "known": False,
        **message,
    }
    assert given.decide(**facts) == (keep, reason)


@pytest.mark.parametrize(
    ("given", "known", "whole"),
    [
        (rules(), False, True),
        (rules(oldest=NOON), False, True),
        (rules(Policy.KNOWN), False, False),
        (rules(Policy.KNOWN), True, True),
        (rules(Policy.NONE), True, False),
        (rules(blocklist=(BOB,)), True, False),
        (rules(body=Body.SNIPPET), True, False),
        (rules(except_labels=("L",)), True, False),
        (rules(suggest_contacts=Suggest.SENT), False, True),
    ],
)
def test_a_message_is_fetched_whole_at_once_if_nothing_of_it_decides(
    given: Rules, *, known: bool, whole: bool
) -> None:
    assert given.takes_whole(known=known) is whole


@pytest.mark.parametrize(
    ("given", "levels"),
    [
        (rules(), {Keep.NOTHING, Keep.TRACE, Keep.METADATA, Keep.SNIPPET}),
        (rules(Policy.KNOWN), {Keep.NOTHING, Keep.METADATA, Keep.SNIPPET}),
        (rules(Policy.KNOWN, body=Body.METADATA), {Keep.NOTHING}),
        (rules(body=Body.SNIPPET), {Keep.NOTHING, Keep.TRACE, Keep.METADATA}),
        (rules(Policy.NONE), set()),
    ],
)
def test_what_is_looked_at_again_is_what_more_may_be_kept_of(
    given: Rules, levels: set[Keep]
) -> None:
    assert given.raisable == levels


LABELS = (
    Label(google_id="Label_1", name="Clients", type="user"),
    Label(google_id="Label_2", name="Private", type="user"),
    Label(google_id="INBOX", name="INBOX", type="system"),
)


def test_labels_are_named_by_name_whatever_the_case_or_by_id() -> None:
    rule = label_rule(Preferences(only_labels=("clients", "INBOX")), LABELS)
    assert rule.admits(frozenset({"Label_1"}))
    assert rule.admits(INBOX)
    assert not rule.admits(frozenset({"Label_2"}))


def test_a_label_there_is_not_stands_for_nothing() -> None:
    assert not label_rule(Preferences(only_labels=("Nowhere",)), LABELS).admits(INBOX)
    assert label_rule(Preferences(except_labels=("Nowhere",)), LABELS).admits(INBOX)


def test_a_label_that_takes_a_name_of_the_filter_is_a_rename_and_a_new_one_is_not() -> None:
    mine = Preferences(except_labels=("Private",))
    renamed = (replace(LABELS[0], name="private"), *LABELS[1:])
    new = (*LABELS, Label(google_id="Label_3", name="private", type="user"))
    assert renames(mine, LABELS, renamed)
    assert renames(mine, LABELS, (replace(LABELS[1], name="Public"),))
    assert not renames(mine, LABELS, new)
    assert not renames(DEFAULT, LABELS, renamed)


def known(**more: Any) -> Known:
    given: dict[str, Any] = {
        "id": None,
        "google_id": "g",
        "thread_id": "t",
        "labels": frozenset(),
        "label_history_id": 1,
        "sequence": 0,
        "internal_date": NOON,
        "traced": True,
        "deleted": False,
        **more,
    }
    return Known(**given)


@pytest.mark.parametrize(
    ("change", "held", "looks"),
    [
        (Change("g", arrived=True), None, True),
        (Change("g", arrived=True), known(), False),
        (Change("g", steps=[Step(2, removed=frozenset({"P"}))]), known(), True),
        (Change("g", steps=[Step(2, added=frozenset({"STARRED"}))]), known(), False),
        (Change("g", steps=[Step(2, removed=frozenset({"P"}))]), known(traced=False), False),
        (Change("g", deleted=True, steps=[Step(2, removed=frozenset({"P"}))]), known(), False),
    ],
)
def test_a_trace_is_looked_at_again_when_a_label_moves_that_decides(
    change: Change, held: Known | None, *, looks: bool
) -> None:
    assert must_look(change, held, LabelRule(without=frozenset({"P"}))) is looks


FULL = Fetched(
    google_id="g",
    thread_id="t",
    history_id=1,
    labels=INBOX,
    internal_date=NOON,
    snippet="snippet",
    size=3,
    content=Content(
        sender=Person(BOB),
        to=(Person(ALICE),),
        subject="subject",
        rfc822_message_id="<1@x>",
        text="text",
        new_text="text",
        html="<p>text</p>",
        attachments=(Attachment(part="2", filename="f", content_type="a/b", size=1, inline=False),),
    ),
)


@pytest.mark.parametrize(
    ("keep", "people", "subject", "snippet", "text"),
    [
        (Keep.WHOLE, 2, "subject", "snippet", "text"),
        (Keep.SNIPPET, 2, "subject", "snippet", ""),
        (Keep.METADATA, 2, "", "", ""),
        (Keep.TRACE, 2, "", "", ""),
        (Keep.NOTHING, 0, "", "", ""),
    ],
)
def test_less_of_a_message_has_nothing_beyond_it(
    keep: Keep, people: int, subject: str, snippet: str, text: str
) -> None:
    less = reduced(FULL, keep)
    content = less.content
    assert (len(content.people()), content.subject, less.snippet) == (people, subject, snippet)
    assert (content.text, content.new_text) == (text, text)
    assert bool(content.html) == bool(content.attachments) == (keep is Keep.WHOLE)
    assert less.kept is keep


def test_no_more_is_kept_than_was_fetched() -> None:
    assert reduced(reduced(FULL, Keep.TRACE), Keep.WHOLE).kept is Keep.TRACE


def test_that_nobody_wrote_a_message_is_known_of_a_trace_too() -> None:
    automatic = replace(FULL, content=replace(FULL.content, automatic=True))
    assert reduced(automatic, Keep.TRACE).content.automatic


def test_mail_grows_too_old() -> None:
    assert oldest_kept(Preferences(retention_days=2), NOON) == NOON - timedelta(days=2)
    assert oldest_kept(DEFAULT, NOON) is None


def test_preferences_come_back_as_they_were_stored() -> None:
    given = Preferences(
        suggest_contacts=Suggest.SENT,
        blocklist=(BOB,),
        own_domains=("x.test",),
        except_labels=("P",),
        body=Body.SNIPPET,
        retention_days=7,
    )
    assert preferences_of(given.stored()) == given
    assert DEFAULT.stored() == {}
    assert preferences_of({"of_the_next_release": 1}) == DEFAULT
