"""A message that the CRM sends goes out once, whatever is slow, away or twice meanwhile."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.databases import NewDatabase
from tests.faults.outgoing_paths import is_logged_once, letter, mailbox_and_deal
from tests.faults.paths import ALICE
from tests.faults.recovering import rare, right
from tests.house.building import built
from tests.house.house import House
from tests.house.letters import submit
from tests.house.outgoing import left_at_google
from tests.support import eventually

pytestmark = pytest.mark.timeout(240)

DRAFTS = {"path_prefix": "/upload/gmail/v1/users/me/drafts", "method": "POST"}
SEND = {"path_prefix": "/gmail/v1/users/me/drafts/send", "method": "POST"}
LATE_S = 2.2
"""Longer than Google is waited for, and not as long as it may still act."""
SENDS = 6


async def sent(house: House, number: int = 1) -> str:
    """Have a message sent; return its id."""
    status, said = await submit(house, letter(house, f"{number}"), key=f"key-{number}")
    assert status == 202, said
    return str(said["id"])


async def faults(house: House, *rules: dict[str, Any]) -> None:
    """Let Google misbehave."""
    await house.google.control("PUT", "faults", {"rules": list(rules)})


async def all_right(house: House, *sends: str) -> None:
    """Wait until all of them are sent and logged, once each, and nothing else is to be done."""

    async def are_logged() -> bool:
        return all([await is_logged_once(house, one) for one in sends])

    await eventually(are_logged, timeout_s=90)
    await eventually(lambda: right(house), timeout_s=30)


@pytest.mark.parametrize(
    ("where", "how"),
    [
        pytest.param(DRAFTS, {"late_s": LATE_S, "times": 2}, id="draft-late", marks=rare),
        pytest.param(DRAFTS, {"delay_s": LATE_S, "times": 2}, id="draft-slow"),
        pytest.param(DRAFTS, {"status": 503, "times": 3}, id="draft-fails", marks=rare),
        pytest.param(SEND, {"late_s": LATE_S, "times": 2}, id="send-late", marks=rare),
        pytest.param(SEND, {"delay_s": LATE_S, "times": 2}, id="send-slow"),
        pytest.param(SEND, {"status": 503, "times": 3}, id="send-fails", marks=rare),
    ],
)
async def test_a_google_that_is_slow_or_fails_has_a_message_sent_once(
    where: dict[str, Any], how: dict[str, Any], new_database: NewDatabase, amqp_url: str
) -> None:
    async with built(new_database, amqp_url) as house:
        await mailbox_and_deal(house)
        await faults(house, {**where, **how})
        await all_right(house, await sent(house))


async def test_a_message_whose_draft_nobody_could_note_is_sent_once(
    new_database: NewDatabase, amqp_url: str
) -> None:
    async with built(new_database, amqp_url, wired=("worker",)) as house:
        await mailbox_and_deal(house)
        await faults(house, {**DRAFTS, "late_s": 1.0, "times": 1})
        one = await sent(house)
        await eventually(lambda: is_at_google(house, one))
        async with no_database(house):
            await faults(house)
            await eventually(lambda: has_given_up(house), timeout_s=30)
        await house.leases_pass()
        await all_right(house, one)


async def is_at_google(house: House, send_id: str) -> bool:
    """Say whether a draft was put."""
    return send_id in await left_at_google(house, ALICE)


async def has_given_up(house: House) -> bool:
    """Say whether the worker has found out that the database is away."""
    log = house.programs["worker"].log.read_text()
    return "database" in log or "feeds_not_claimed" in log


@asynccontextmanager
async def no_database(house: House) -> AsyncIterator[None]:
    """Keep the worker from its database."""
    wire = house.wires["worker", "postgres"]
    wire.refuses = True
    wire.cut()
    yield
    wire.refuses = False


async def test_two_workers_send_every_message_once(
    new_database: NewDatabase, amqp_url: str
) -> None:
    async with built(new_database, amqp_url, replicas=2) as house:
        await mailbox_and_deal(house)
        await faults(
            house,
            {**DRAFTS, "lose_answer": True, "times": 1, "after": 1},
            {**SEND, "lose_answer": True, "times": 1, "after": 1},
            {**SEND, "drop": True, "times": 1, "after": 1},
        )
        sends = [await sent(house, number) for number in range(SENDS)]
        house.programs["worker"].kill()
        await house.programs["worker"].gone()
        await house.programs["worker"].start()
        await house.leases_pass()
        await all_right(house, *sends)
