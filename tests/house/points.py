"""Points: the messages between a process and its surroundings, as wires see them go by."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum


class Way(StrEnum):
    """Whether the process sends a message or gets it."""

    SENT = "sent"
    GOT = "got"


@dataclass(frozen=True, slots=True)
class Point:
    """One message: ending the process here keeps it, and what follows, from arriving."""

    wire: str
    way: Way
    label: str
    """What it is, without anybody's data: `COMMIT`, `Basic.Publish`, `GET /gmail/v1/...`."""
    kind: str
    """What sort of thing: `read`, `write`, `commit`, `publish`, `request`, ..."""

    @property
    def sort(self) -> tuple[str, str, str]:
        """Return the class of points it belongs to."""
        return self.wire, self.way.value, self.kind

    def __str__(self) -> str:
        """Return it as a person reads it."""
        return f"{self.wire} {self.way} {self.label}"


@dataclass
class Watch:
    """Sees the messages of one process and, at the one it was told, ends the process."""

    kill: Callable[[], None]
    seen: list[Point] = field(default_factory=list)
    armed: bool = False
    at: int | None = None
    only: Point | None = None
    dead: bool = False
    last_at: float = 0.0
    """When the last message went by, on the monotonic clock."""

    def arm(self, at: int | None, *, only: Point | None = None) -> None:
        """Count from now on, and end the process at its `at`th message (1 is the next).

        Args:
            at: None: at none of them.
            only: count only messages like this one.
        """
        self.seen, self.at, self.only, self.armed, self.dead = [], at, only, True, False

    def disarm(self) -> None:
        """Let everything pass."""
        self.armed, self.dead, self.at, self.only = False, False, None, None

    def passes(self, point: Point) -> bool:
        """Note a message; say whether it may go on."""
        self.last_at = time.monotonic()
        if self.dead:
            return False
        if not self.armed or self.only not in {None, point}:
            return True
        self.seen.append(point)
        if len(self.seen) != self.at:
            return True
        self.dead = True
        self.kill()
        return False

    def is_silent(self, seconds: float) -> bool:
        """Say whether nothing went by for so long."""
        return time.monotonic() - self.last_at > seconds
