"""The running parts of the stack, as their supervisor sees them."""

import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cli.local.process import LocalStackError, ProcessId, log_tail
from cli.local.state import Part

FIRST_DELAY_S, LONGEST_DELAY_S = 1.0, 30.0
STEADY_S = 60.0  # after which a crash counts as the first again


class Server(Protocol):
    """What the supervisor asks of anything it runs."""

    process: subprocess.Popen[bytes] | None

    @property
    def log(self) -> Path:
        """Where its output goes."""

    def start(self) -> None:
        """Start it; LocalStackError if that cannot be."""

    def running(self) -> bool:
        """Tell whether its process lives."""

    def stop(self) -> None:
        """End it, and return when it has ended."""


@dataclass
class Member:
    """One part and the history of its crashes."""

    name: str
    role: str
    url: str
    server: Server | None  # None: an existing server we were pointed at
    delay_s: float = FIRST_DELAY_S
    started_at: float = field(default_factory=time.monotonic)
    restart_at: float | None = None

    def part(self) -> Part:
        """Return what the state file says about it."""
        child = self.server.process if self.server else None
        return named_process(child, name=self.name, role=self.role, url=self.url)

    def crashed(self) -> bool:
        """Tell whether it should run and does not."""
        return self.server is not None and not self.server.running()

    def revive(self) -> bool:
        """Restart it some time after a crash, later each time; True if anything changed."""
        if self.server is None or not self.crashed():
            return False
        now = time.monotonic()
        if self.restart_at is None:
            if now - self.started_at > STEADY_S:
                self.delay_s = FIRST_DELAY_S
            self.restart_at = now + self.delay_s
            self.delay_s = min(self.delay_s * 2, LONGEST_DELAY_S)
            return True
        if now < self.restart_at:
            return False
        self.restart_at, self.started_at = None, now
        try:
            self.server.start()
        except LocalStackError as exc:  # it counts as a crash: tried again, later
            sys.stderr.write(f"{exc}\n")
        return True

    def fault(self, what: str) -> LocalStackError:
        """Return an error that names the part and ends with its log."""
        tail = log_tail(self.server.log) if self.server else ""
        return LocalStackError(f"{self.name} ({self.role}) {what}:\n{tail}")


def named_process(
    child: subprocess.Popen[bytes] | None, *, name: str, role: str = "", url: str = ""
) -> Part:
    """Return the record of a process, without a pid if it does not run."""
    identity = ProcessId.find(child.pid) if child else None
    return Part(
        name=name,
        role=role,
        url=url,
        pid=identity.pid if identity else None,
        started=identity.started if identity else None,
    )
