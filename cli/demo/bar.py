"""How far something is, on a terminal and elsewhere."""

import time
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

LINE_EVERY_S: Final = 10.0


class Bar:
    """A progress bar; where there is no terminal, a line now and then."""

    def __init__(self, console: Console, what: str, *, line_every_s: float = LINE_EVERY_S) -> None:
        self._console, self._what, self._line_every_s = console, what, line_every_s
        columns = (
            TextColumn("  {task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        self._bar = Progress(*columns, console=console, disable=not console.is_terminal)
        self._task = self._bar.add_task(what, total=None)
        self._said_at = 0.0

    def __enter__(self) -> Self:
        """Begin to show it."""
        self._bar.start()
        self._said_at = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the last state standing."""
        self._bar.stop()

    def show(self, done: int, total: int | None, note: str = "") -> None:
        """Show how far it is."""
        self._bar.update(
            self._task,
            completed=done,
            total=total,
            description=f"{self._what} ({note})" if note else self._what,
        )
        now = time.monotonic()
        if not self._console.is_terminal and now - self._said_at >= self._line_every_s:
            self._said_at = now
            known = "" if total is None else f" of {total}"
            self._console.print(f"  {self._what}: {done}{known} {note}".rstrip())
