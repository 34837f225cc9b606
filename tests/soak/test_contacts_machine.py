"""Whatever two sides do to contacts in whatever order, in the end both have the same.

Plans are drawn by Hypothesis as those of `test_machine` are, and run against one contacts service,
with a tenant and a person of their own each.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import pytest

from libs.common import clock
from services.auth.app import migrations as auth_migrations
from services.contacts.app import migrations
from tests.databases import NewDatabase
from tests.emulated import Emulated
from tests.integration.contacts.stand import Stand, standing
from tests.soak.contacts_rules import ALWAYS, RULES
from tests.soak.contacts_settling import CALM, settle
from tests.soak.contacts_stage import ContactsStage
from tests.soak.drawing import Stories, draw
from tests.soak.steps import Step

MINUTES = float(os.environ.get("CAUSEWAY_SOAK_MINUTES", "0"))
SEED = int(os.environ.get("CAUSEWAY_SEED", "0"))
QUICK_S = 15.0
STORIES = Stories(tuple(RULES), ALWAYS, *((20, 10, 40) if MINUTES else (6, 8, 16)))
ONE_S = 180.0
SHRINKING_S = 900.0
PATIENCE_S, SHRINKING_PATIENCE_S = 40.0, 12.0


@pytest.fixture
async def stand(
    new_database: NewDatabase, amqp_url: str, emulator: Emulated
) -> AsyncIterator[Stand]:
    """Everything around a contacts service that soon finds out what became of a change."""
    async with standing(
        contacts_url=await new_database(*migrations()),
        auth_url=await new_database(*auth_migrations()),
        amqp_url=amqp_url,
        google=emulator,
        write_timeout=1.0,
        settle_after=1.2,
        propagation=3.0,
        # Address books are looked at when a story says so.
        shortest_poll=600.0,
        longest_poll=600.0,
    ) as made:
        await emulator.control("PUT", "settings", CALM)
        yield made
    clock.set_offset(0)


class Played:
    """Plays stories, one after the other, in the same service."""

    def __init__(self, stand: Stand) -> None:
        self.number = 0
        self.steps = 0
        self._stand = stand
        self._running = AsyncExitStack()
        self._patience_s = PATIENCE_S

    async def start(self) -> None:
        """Start the service."""
        await self._running.enter_async_context(self._stand.serving())

    async def stop(self) -> None:
        """Stop it."""
        await self._running.aclose()

    async def restart(self) -> None:
        """Stop it and start it again."""
        await self.stop()
        await self.start()

    async def play(self, plan: Sequence[Step]) -> None:
        """Do all steps, and see that everything becomes right."""
        self.number += 1
        stage = ContactsStage(self._stand, self.restart, self.number)
        await self._stand.google.add_person(stage.person, name="Somebody")
        await stage.connect()
        try:
            for step in plan:
                self.steps += 1
                await RULES[step.rule](stage, step)
                stage.done[step.rule] += 1
            await settle(stage, timeout_s=self._patience_s)
        except BaseException:
            self._patience_s = SHRINKING_PATIENCE_S
            await self._clear(stage)
            raise
        await self._clear(stage)

    async def _clear(self, stage: ContactsStage) -> None:
        """Leave nothing that works on: the next story is not to wait for it."""
        await self._stand.google.control("DELETE", "faults")
        await self._stand.google.control("PUT", "settings", CALM)
        await self._stand.fetch("DELETE FROM writes WHERE tenant_id = $1 RETURNING 1", stage.tenant)
        # A run under way would have the next one come soon, were there a signal left.
        await self._stand.fetch(
            "DELETE FROM signals WHERE tenant_id = $1 RETURNING 1", stage.tenant
        )


# The service under test is in this process, and draws its own lots while plans are drawn.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module")
@pytest.mark.timeout(MINUTES * 60 + SHRINKING_S)
async def test_whatever_two_sides_do_both_have_the_same_in_the_end(stand: Stand) -> None:
    loop = asyncio.get_running_loop()
    played = Played(stand)
    await played.start()
    until = time.monotonic() + (MINUTES * 60 or QUICK_S)

    def play(plan: Sequence[Step]) -> None:
        """Run a plan in the loop of the service, from Hypothesis' thread."""
        asyncio.run_coroutine_threadsafe(asyncio.wait_for(played.play(plan), ONE_S), loop).result()

    number = SEED
    try:
        await asyncio.to_thread(draw, number, play, until, STORIES)
        while MINUTES and time.monotonic() < until:
            number += 1
            await asyncio.to_thread(draw, number, play, until, STORIES)
    finally:
        sys.stdout.write(
            f"{played.number} stories (seeds {SEED} to {number}), {played.steps} steps\n"
        )
        await played.stop()
