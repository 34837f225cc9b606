"""A server fails under a living house; afterwards everything is right again without a hand."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from cli.local.process import log_tail
from libs.common.db import FAILURES
from tests.faults.paths import ALICE, one_mailbox
from tests.house.house import House
from tests.house.truth import differences
from tests.integration.mail.stand import SUBSCRIPTION
from tests.support import eventually

rare = pytest.mark.skipif(
    os.environ.get("CAUSEWAY_FAULTS") != "all", reason="one for `make faults`"
)
"""Marks what `make test` leaves out: the suite has to stay short."""
REPORTS = os.environ.get("CAUSEWAY_REPORTS")


async def lively(house: House) -> str:
    """Start everything, with a mailbox in which mail flows; return its connection's id."""
    await one_mailbox(house)
    (connection_id,) = house.mailboxes
    return connection_id


async def push(house: House) -> int:
    """Have Google call once more; return what it is answered (0: nothing in 30 seconds)."""
    data = {"emailAddress": ALICE, "historyId": 1}
    sent = await house.google.control(
        "POST", "pushes", {"subscription": SUBSCRIPTION, "data": data}
    )
    return int(sent["status"])


async def right(house: House) -> bool:
    """Assert that nothing is to be done, nothing is wrong, and no process has ended."""
    # One that was started again would not count as alive: `Program.process` is the first.
    assert not (ended := [one.name for one in house.programs.values() if not one.alive()]), ended
    try:
        assert not any((busy := await house.busy()).values()), busy
        assert not (wrong := await differences(house)), wrong
        for connection_id in house.mailboxes:
            assert await house.in_step(connection_id), "a mailbox is not in step"
    except FAILURES as exc:
        raise AssertionError(type(exc).__name__) from exc
    return True


@dataclass
class Recovery:
    """How long everything took to be right, counted from when the server was well again."""

    name: str
    within_s: float
    begun: float = 0.0

    def begin(self) -> None:
        """Count from now on."""
        self.begun = time.monotonic()

    async def until_right(self, house: House) -> None:
        """Wait until everything is right, and write down how long that took."""
        try:
            await eventually(lambda: right(house), timeout_s=self.within_s, what=self.name)
        except AssertionError as exc:
            for program in house.programs.values():
                exc.add_note(f"{program.name}:\n{log_tail(program.log, lines=8)}")
            raise
        seconds = round(time.monotonic() - self.begun, 1)
        if REPORTS:
            write(Path(REPORTS), self.name, seconds)


def write(folder: Path, name: str, seconds: float) -> None:
    """Leave a recovery time for `docs/explanation/guarantees.md`."""
    folder.mkdir(parents=True, exist_ok=True)
    report = {"name": name, "recovery_s": seconds}
    (folder / f"recovery-{name}.json").write_bytes(orjson.dumps(report))
