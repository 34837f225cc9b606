"""A process that is killed between any two effects loses nothing and tells nothing twice.

`make test` kills at one point of every class (CAUSEWAY_SEED says at which), `make crash` at all.
"""

import os
from pathlib import Path as File

import orjson
import pytest

from tests.databases import NewDatabase
from tests.faults.crashing import Crashes, break_everywhere, break_sample, survey
from tests.faults.every_path import PATHS
from tests.faults.paths import Path
from tests.faults.report import commit
from tests.house.building import built

EVERYWHERE = os.environ.get("CAUSEWAY_CRASH_POINTS") == "all"
SEED = int(os.environ.get("CAUSEWAY_SEED", "0"))
REPORTS = os.environ.get("CAUSEWAY_REPORTS")


@pytest.mark.timeout(3600 if EVERYWHERE else 300)
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name.replace(" ", "-"))
async def test_a_killed_process_loses_and_doubles_nothing(
    path: Path, new_database: NewDatabase, amqp_url: str
) -> None:
    crashes = Crashes(path.name, path.program, commit=commit())
    async with built(
        new_database,
        amqp_url,
        wired=(path.program,),
        calendars=path.calendars,
        contacts=path.contacts,
        environment=path.environment,
    ) as house:
        await path.stage(house)
        crashes.found = await survey(house, path)
        points = (
            break_everywhere(house, path)
            if EVERYWHERE
            else break_sample(house, path, crashes.found, seed=SEED)
        )
        async for broken in points:
            crashes.broken.append(broken)
    assert crashes.broken
    if REPORTS:
        write(crashes, File(REPORTS))


def write(crashes: Crashes, folder: File) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{crashes.path}.json").write_bytes(orjson.dumps(crashes))
