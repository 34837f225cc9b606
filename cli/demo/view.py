"""The story on the terminal: its steps, and a table that grows by a row per event."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.text import Text

from cli.demo.bar import Bar
from cli.demo.listener import Arrival

MILLISECONDS = 1000
TYPE_WIDTH, SUBJECT_WIDTH, LATENCY_WIDTH = 31, 47, 8
LATE_CHANGE_S = 1.0  # an event may overtake the answer that says when its change was made

ChangedAt = Callable[[Arrival], float | None]
"""When the change behind an event was made; None while that is not known."""


class View:
    """Prints steps and rows; works the same on a terminal, in a pipe and in a log."""

    def __init__(self, console: Console, changed_at: ChangedAt) -> None:
        self._console = console
        self._changed_at = changed_at
        self._waiting: asyncio.Queue[Arrival] = asyncio.Queue()
        self._headed = False
        self._muted = False

    def step(self, text: str) -> None:
        """Print what happens next."""
        self._console.print(Text.assemble(("» ", "bold cyan"), text), soft_wrap=True)

    def done(self, text: str) -> None:
        """Print that a step was seen to happen."""
        self._console.print(Text.assemble(("✓ ", "bold green"), text), soft_wrap=True)

    def failed(self, text: str) -> None:
        """Print that a step did not happen."""
        self._console.print(Text.assemble(("✗ ", "bold red"), text), soft_wrap=True)

    def say(self, text: str) -> None:
        """Print a line that belongs to the step before."""
        self._console.print(Text(f"  {text}"), soft_wrap=True)

    def bar(self, what: str) -> Bar:
        """Return a progress bar for `what` is done."""
        return Bar(self._console, what)

    @contextmanager
    def muted(self) -> Iterator[None]:
        """Print no rows within the block: of thousands nobody reads one."""
        self._muted = True
        try:
            yield
        finally:
            self._muted = False

    def take(self, arrival: Arrival) -> None:
        """Print the event's row soon."""
        if not self._muted:
            self._waiting.put_nowait(arrival)

    async def drain(self) -> None:
        """Return once every event taken so far has its row."""
        await self._waiting.join()

    async def run(self) -> None:
        """Print rows until cancelled."""
        while True:
            arrival = await self._waiting.get()
            try:
                self._row(arrival, await self._latency(arrival))
            finally:
                self._waiting.task_done()

    async def _latency(self, arrival: Arrival) -> int:
        deadline = asyncio.get_running_loop().time() + LATE_CHANGE_S
        while (moment := self._changed_at(arrival)) is None:
            if asyncio.get_running_loop().time() > deadline:
                moment = arrival.envelope.time.timestamp()  # not of our making: Google's word
                break
            await asyncio.sleep(0.01)
        return max(0, round((arrival.at - moment) * MILLISECONDS))

    def _row(self, arrival: Arrival, latency: int) -> None:
        if not self._headed:
            self._headed = True
            self._line("event", "subject", "ms", "about", style="bold")
        event = arrival.envelope
        self._line(event.type, event.subject, str(latency), _about(event.data))

    def _line(self, kind: str, subject: str, latency: str, about: str, *, style: str = "") -> None:
        line = (
            f"  {kind:<{TYPE_WIDTH}} {subject:<{SUBJECT_WIDTH}} {latency:>{LATENCY_WIDTH}}  {about}"
        )
        self._console.print(Text(line, style=style), soft_wrap=True)


def _about(data: dict[str, Any]) -> str:
    added = [f"+{label}" for label in data.get("labels_added", ())]
    removed = [f"-{label}" for label in data.get("labels_removed", ())]
    return str(
        data.get("subject")
        or data.get("name")
        or data.get("title")
        or data.get("cause")
        or " ".join([*added, *removed])
    )
