"""Several of every process share the work: none of it is lost, and none is done twice."""

import asyncio
from collections import Counter

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.databases import NewDatabase
from tests.house.house import House
from tests.soak import crm_rules, mail_rules, processes
from tests.soak.running import house_of
from tests.soak.settling import settle
from tests.soak.stage import Stage
from tests.soak.steps import Step
from tests.soak.trouble_rules import PLENTY, set_quota
from tests.support import eventually

PEOPLE = 8
SHARED = 2
"""Of them, connected by both tenants."""
LETTERS = 4
MOST_DOUBLED = 1.1
"""Fetches at Google, of those that are needed: nobody was killed."""
ROUNDS = 6
KILLED = ("worker", "relay", "consumer", "web", "auth")
GET = "gmail.users.messages.get"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("replicas", [2, 4])
async def test_replicas_share_the_work_and_double_none_of_it(
    replicas: int, new_database: NewDatabase, amqp_url: str
) -> None:
    async with house_of(new_database, amqp_url, replicas=replicas) as house:
        stage = await _staged(house)
        await _happen(stage)
        await settle(stage)
        await _fetched_once(stage)
        await eventually(lambda: _one_relay_leads(house, replicas), timeout_s=10)
        await _until_all_have_worked(stage, replicas)

        names = [role if one % 2 else f"{role}-2" for one, role in enumerate(KILLED)]
        await asyncio.gather(_happen(stage), *(_kill(stage, name) for name in names))
        await _happen(stage)
        await settle(stage)
        await eventually(lambda: _one_relay_leads(house, replicas), timeout_s=10)


async def _staged(house: House) -> Stage:
    """Return a stage on which everybody is connected, all at once."""
    await house.start()
    stage = Stage.of(house, 1, people=PEOPLE)
    await mail_rules.add_people(stage)
    await set_quota(stage, PLENTY)
    seats = [Step("connect", who, who) for who in range(PEOPLE)]
    seats += [Step("connect", who, who + 1) for who in range(SHARED)]
    await asyncio.gather(*(crm_rules.connect(stage, seat) for seat in seats))
    await eventually(lambda: _in_step(stage), timeout_s=60)
    return stage


async def _in_step(stage: Stage) -> bool:
    return all([await stage.house.in_step(one.connection_id) for one in stage.mailboxes])


async def _happen(stage: Stage) -> None:
    """Mail arrives everywhere and is edited, and the CRM tells of entities, at once."""

    async def one(who: int) -> None:
        person = stage.person(who)
        for number in range(LETTERS // 2):
            await mail_rules.deliver(stage, person, Step("burst", who, who + number, who), count=2)
            await mail_rules.edit(stage, Step("edit", who, number, 2 * (who + number)))

    told = [Step("entity", who, who // 2, who) for who in range(4)]
    await asyncio.gather(
        *(one(who) for who in range(PEOPLE)), *(crm_rules.entity(stage, step) for step in told)
    )


async def _kill(stage: Stage, name: str) -> None:
    await processes.kill(stage, Step("kill", which=sorted(stage.house.programs).index(name)))


async def _fetched_once(stage: Stage) -> None:
    """Google was asked for a message once by every connection, or hardly more often."""
    usage = (await stage.house.google.control("GET", "usage"))["people"]
    fetched = sum(one["methods"].get(GET, {"calls": 0})["calls"] for one in usage.values())
    needed = sum(len(one.person.letters) for one in stage.mailboxes)
    assert needed <= fetched <= needed * MOST_DOUBLED, (needed, fetched)


async def _until_all_have_worked(stage: Stage, replicas: int) -> None:
    """Every worker ran feeds, every web replica took pushes and calls, every auth replica calls.

    Who takes what is a matter of chance: whoever had nothing gets more chances.
    """
    for _ in range(ROUNDS):
        idle = await _idle(stage.house, replicas)
        if not idle:
            return
        await _happen(stage)
        await settle(stage)
    assert not idle, idle


async def _idle(house: House, replicas: int) -> list[str]:
    found = []
    for role, counter in (
        ("worker", "causeway_feed_runs_total"),
        ("web", "causeway_mail_pushes_total"),
        ("auth", "causeway_http_requests_total"),
    ):
        found += [
            f"{name} has no {counter}"
            for name in _replicas(role, replicas)
            if not (await _metrics(house, name))[counter]
        ]
    return found


async def _one_relay_leads(house: House, replicas: int) -> bool:
    for role in ("relay", "auth-worker"):
        active = [
            (await _metrics(house, name))["causeway_relay_active"]
            for name in _replicas(role, replicas)
        ]
        assert sum(active) == 1, (role, active)
    return True


def _replicas(role: str, replicas: int) -> list[str]:
    return [role, *(f"{role}-{number}" for number in range(2, replicas + 1))]


async def _metrics(house: House, name: str) -> Counter[str]:
    """Return a process's metrics by name, over all their labels."""
    async with house.session.get(f"{house.programs[name].origin}/metrics") as answer:
        text = await answer.text()
    found = Counter[str]()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] += sample.value  # type: ignore[assignment] # a float
    return found
