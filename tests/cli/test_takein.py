"""The mail of before: put into Google, followed, and accounted for."""

import io
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from rich.console import Console

from cli.demo import mailbag, takein
from cli.demo.account import Account, Filled
from cli.demo.bar import Bar
from cli.demo.errors import StoryError
from cli.demo.google import Person
from cli.demo.mailbag import Item
from cli.demo.takein import State
from tests.emulated import Emulated

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
BOX = {"a": ("INBOX",), "b": ("SENT",), "c": ("SPAM",), "d": ("DRAFT",)}


@pytest.fixture
def bar() -> Bar:
    return Bar(Console(file=io.StringIO()), "taken in")


@pytest.fixture
async def person(emulator: Emulated) -> AsyncIterator[Person]:
    async with aiohttp.ClientSession() as session:
        person = Person(session, emulator.origin, "alice@acme.example")
        await person.move_in("Alice")
        yield person


async def test_the_sample_mailbox_lies_at_google_afterwards(
    person: Person, emulator: Emulated, bar: Bar
) -> None:
    filled = await takein.fill(person, mailbag.samples(NOW), bar=bar, now=NOW)

    box = await emulator.control("GET", "people/alice@acme.example/mailbox")
    assert {one["id"]: set(one["labels"]) for one in box["messages"]} == {
        key: set(names) for key, names in filled.labels.items()
    }
    assert len(filled.no_mail) == 2
    assert not filled.refused


async def test_mail_older_than_can_be_asked_for_arrives_at_the_oldest_day(
    person: Person, bar: Bar
) -> None:
    ancient = Item(b"Subject: x\r\n\r\n", ("INBOX",), 0)

    filled = await takein.fill(person, [ancient], bar=bar, now=NOW)

    assert takein.days_needed(filled.oldest_ms, now=NOW) <= 3650


@pytest.mark.parametrize(("age", "days"), [(0, 2), (28, 30), (400, 402), (9000, 3650)])
def test_enough_days_are_asked_for(age: int, days: int) -> None:
    oldest = int((NOW - timedelta(days=age)).timestamp() * 1000)

    assert takein.days_needed(oldest, now=NOW) == days


def test_mail_without_dates_is_of_today() -> None:
    assert takein.days_needed(None, now=NOW) == 1


def looking_at(*states: State | None) -> takein.Look:
    seen: Iterator[State | None] = iter(states)
    last: list[State | None] = [None]

    async def look() -> State | None:
        last[0] = next(seen, last[0])
        return last[0]

    return look


async def test_it_is_followed_until_it_is_done(bar: Bar) -> None:
    look = looking_at(None, State(1, 2, "running", None), State(2, 2, "done", None))

    await takein.follow(look, bar=bar, stalled_s=10)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (None, "does not take in"),
        (State(3, 9, "held", "quota"), "stands still at 3: quota"),
        (State(3, 9, "failed", "revoked"), "failed: revoked"),
    ],
)
async def test_what_does_not_move_ends_the_story(bar: Bar, state: State | None, words: str) -> None:
    with pytest.raises(StoryError, match=words):
        await takein.follow(looking_at(state), bar=bar, stalled_s=0.01)


@pytest.mark.parametrize(("every_s", "said"), [(0.0, ["  taken in: 5 of 9"]), (60.0, [])])
def test_without_a_terminal_a_line_appears_now_and_then(every_s: float, said: list[str]) -> None:
    text = io.StringIO()
    with Bar(Console(file=text), "taken in", line_every_s=every_s) as bar:
        bar.show(5, 9)

    assert text.getvalue().splitlines() == said


def test_every_message_is_accounted_for() -> None:
    account = Account.of(Filled(BOX), stored={"a", "later"}, parked={"b": "mime", "z": "mime"})

    assert account.balances
    assert account.lines(seconds=1.5) == [
        "      4 loaded into Google",
        "      1 stored",
        "      1 parked (mime: 1)",
        "      2 no mail (spam, drafts)",
        "      0 missing",
        "    1.5 s from consent to the last of them",
    ]


def test_a_missing_message_is_told() -> None:
    account = Account.of(Filled(BOX), stored={"a"}, parked={})

    assert account.missing == 1
    assert not account.balances


def test_what_google_did_not_take_is_told() -> None:
    filled = Filled({"a": ("INBOX",)}, Counter({"refused with 413": 2}))
    account = Account.of(filled, stored={"a"}, parked={})

    assert not account.balances
    assert "      2 not taken by Google (refused with 413: 2)" in account.lines(seconds=0)


async def test_a_balance_that_does_not_change_is_the_last_word() -> None:
    async def look() -> Account:
        return Account.of(Filled(BOX), stored={"a"}, parked={})

    assert (await takein.settle(look, within_s=0.01)).missing == 1
