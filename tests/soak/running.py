"""Running plans in a house: one that lasts while nothing breaks, and a new one after that."""

import asyncio
import secrets
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.databases import NewDatabase
from tests.house.building import built
from tests.house.house import House
from tests.servers import Servers
from tests.soak import (
    crm_rules,
    mail_rules,
    outgoing_rules,
    processes,
    settling,
    trouble_rules,
)
from tests.soak.stage import Stage
from tests.soak.steps import Step
from tests.soak.trouble_rules import PLENTY, set_quota

RULES = (
    mail_rules.RULES
    | trouble_rules.RULES
    | crm_rules.RULES
    | outgoing_rules.RULES
    | processes.RULES
    | settling.RULES
)
ALWAYS = ("arrive", "burst", "edit", "edits", "watch")


MEND_S, SHRINKING_MEND_S = 60.0, 20.0
"""How long it may take until all is right, and while a plan that failed is made shorter."""


def house_of(
    new_database: NewDatabase, amqp_url: str, *, replicas: int = 1
) -> AbstractAsyncContextManager[House]:
    """Return a house whose settings suit a soak."""
    return built(
        new_database,
        amqp_url,
        replicas=replicas,
        # A person who took access away is found out in seconds, and many of them raise no alarm.
        CAUSEWAY_AUTH_RETRY_AFTER="1",
        CAUSEWAY_AUTH_WORKER_INTERVAL="1",
        CAUSEWAY_AUTH_ALARM_MINIMUM="1000000",
        # What is refused is refused by Google: our own ledger would wait for the next minute.
        CAUSEWAY_GMAIL_UNITS_PER_MINUTE=str(PLENTY),
    )


@dataclass
class Done:
    """What was done."""

    examples: int = 0
    steps: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    killed: Counter[str] = field(default_factory=Counter)
    events: int = 0
    houses: int = 0
    seconds: float = 0.0


class Runs:
    """Runs plans, one after the other.

    Args:
        reports: where the logs of a house are kept in which something was not right.
    """

    def __init__(
        self, servers: Servers, new_database: NewDatabase, *, reports: Path | None = None
    ) -> None:
        self.done = Done()
        self._patience_s = MEND_S
        self._servers = servers
        self._new_database = new_database
        self._reports = reports
        self._house: House | None = None
        self._open = AsyncExitStack()
        self._begun = time.monotonic()

    async def __aenter__(self) -> Self:
        """Return it with a house."""
        await self._build()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, _: TracebackType | None
    ) -> None:
        """End the house."""
        await self._demolish()

    async def run(self, plan: Sequence[Step]) -> None:
        """Do all steps on a new stage, and see that everything becomes right.

        Raises:
            AssertionError: it does not. Nobody lives in that house any more.
        """
        house = self._house or await self._build()
        self.done.examples += 1
        stage = Stage.of(house, self.done.examples)
        stage.patience_s = self._patience_s
        try:
            await self._play(stage, plan)
        except BaseException as exc:
            self._patience_s = SHRINKING_MEND_S
            if self._reports:
                await asyncio.to_thread(self._keep, house, plan, exc)
            await self._demolish()
            raise
        finally:
            self.done.killed += stage.killed
            self.done.events += len(house.published)
            self.done.seconds = time.monotonic() - self._begun
        house.forget()

    def _keep(self, house: House, plan: Sequence[Step], exc: BaseException) -> None:
        """Keep the logs of a house in which something was not right, and what it was."""
        kept = Path(f"{self._reports}/soak-failure-{self.done.examples}")
        shutil.copytree(next(iter(house.programs.values())).log.parent, kept, dirs_exist_ok=True)
        (kept / "failure.txt").write_text(f"{plan}\n{exc!r}\n")

    async def _play(self, stage: Stage, plan: Sequence[Step]) -> None:
        await mail_rules.add_people(stage)
        await crm_rules.connect(stage, Step("connect"))
        for step in plan:
            self.done.steps += 1
            self.done.rules[step.rule] += 1
            await RULES[step.rule](stage, step)
        await settling.settle(stage)

    async def _build(self) -> House:
        vhost = f"soak-{secrets.token_hex(8)}"
        self._servers.rabbit.add_vhost(vhost)
        self._open.callback(self._servers.rabbit.delete_vhost, vhost)
        url = self._servers.rabbit.url(vhost)
        house = await self._open.enter_async_context(house_of(self._new_database, url))
        self._house = house
        self.done.houses += 1
        await house.start()
        await set_quota(Stage.of(house, 0), PLENTY)
        return house

    async def _demolish(self) -> None:
        self._house = None
        await self._open.aclose()
        self._open = AsyncExitStack()
