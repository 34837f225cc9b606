"""Whatever happens in whatever order, in the end all is as at Google, and was told once.

Plans are drawn by Hypothesis and run against the whole product as real processes. `make test`
runs a few of a fixed seed (`CAUSEWAY_SEED`); `make soak MINUTES=10` runs others until the time
is over, and says with which seed a plan that fails is found again.
"""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest

from tests.databases import NewDatabase
from tests.servers import Servers
from tests.soak.drawing import Stories, draw
from tests.soak.running import ALWAYS, RULES, Done, Runs
from tests.soak.steps import Step

MINUTES = float(os.environ.get("CAUSEWAY_SOAK_MINUTES", "0"))
SEED = int(os.environ.get("CAUSEWAY_SEED", "0"))
REPORTS = Path(os.environ["CAUSEWAY_REPORTS"]) if os.environ.get("CAUSEWAY_REPORTS") else None
QUICK_S = 15.0
"""After that nothing new is begun in `make test`."""
# The first that Hypothesis draws is the simplest: nothing happens.
STORIES = Stories(tuple(RULES), ALWAYS, *((5, 10, 40) if MINUTES else (4, 8, 15)))
ONE_S = 240.0
SHRINKING_S = 1500.0
"""Hypothesis shrinks for five minutes, and then runs what it found again."""


@pytest.mark.timeout(MINUTES * 60 + SHRINKING_S)
async def test_whatever_happens_all_is_right_in_the_end(
    servers: Servers, new_database: NewDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    loop = asyncio.get_running_loop()
    async with Runs(servers, new_database, reports=REPORTS) as runs:
        until = time.monotonic() + (MINUTES * 60 or QUICK_S)

        def play(plan: Sequence[Step]) -> None:
            """Run a plan in the loop of the house, from Hypothesis' thread."""
            asyncio.run_coroutine_threadsafe(asyncio.wait_for(runs.run(plan), ONE_S), loop).result()

        number = SEED
        try:
            await asyncio.to_thread(draw, number, play, until, STORIES)
            while MINUTES and time.monotonic() < until:
                number += 1
                await asyncio.to_thread(draw, number, play, until, STORIES)
        finally:
            with capsys.disabled() if MINUTES else contextlib.nullcontext():
                report(runs.done, seeds=(SEED, number))


def report(done: Done, *, seeds: tuple[int, int]) -> None:
    """Say what was done, and write it down if that is wanted."""
    rules = ", ".join(f"{name} {count}" for name, count in done.rules.most_common())
    killed = ", ".join(f"{name} {count}" for name, count in done.killed.most_common())
    sys.stdout.write(
        f"\n{done.examples} examples (seeds {seeds[0]} to {seeds[1]}), {done.steps} steps, "
        f"{done.events} events, {done.seconds:.0f} s, {done.houses} houses\n"
        f"rules: {rules}\nkilled: {killed or 'nobody'}\n"
    )
    if REPORTS:
        REPORTS.mkdir(parents=True, exist_ok=True)
        (REPORTS / "soak.json").write_bytes(orjson.dumps({"seeds": seeds, **vars(done)}))
