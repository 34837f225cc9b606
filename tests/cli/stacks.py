"""Running the command `causeway` with a state directory of the test's own."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.local.control import purge
from cli.local.state import StateDirectory
from cli.settings import PROJECT

COMMAND = [sys.executable, "-m", "cli.main"]
TIMEOUT_S = 150


@dataclass(frozen=True)
class Stack:
    """A state directory and what is run with it."""

    path: Path
    settings: dict[str, str]

    @property
    def home(self) -> StateDirectory:
        """The state directory itself."""
        return StateDirectory(self.path)

    def run(
        self, *arguments: str, timeout_s: float = TIMEOUT_S
    ) -> "subprocess.CompletedProcess[str]":
        """Run `causeway` to its end."""
        return subprocess.run(  # noqa: S603 - our own command
            [*COMMAND, *arguments],
            cwd=PROJECT,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start `causeway` and return at once."""
        return subprocess.Popen(  # noqa: S603 - our own command
            [*COMMAND, *arguments],
            cwd=PROJECT,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def processes(self) -> list[int]:
        """Return every process that has to do with this state directory."""
        mark = str(self.path).encode()
        return [pid for pid in _pids() if mark in _facts(pid)]

    def kill_supervisor(self) -> None:
        """End the supervisor as `kill -9` does."""
        state = self.home.read()
        assert state
        os.kill(state.supervisor, signal.SIGKILL)

    def _environment(self) -> dict[str, str]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CAUSEWAY_", "GOOGLE_", "PUBSUB_"))
        }
        return {**inherited, **self.settings, "CAUSEWAY_STATE_DIR": str(self.path)}


@contextmanager
def own_stack(**settings: str) -> Iterator[Stack]:
    """Yield a stack that is not started; whatever was started is ended afterwards."""
    with tempfile.TemporaryDirectory(prefix="causeway-stack-") as folder:
        Path(folder).chmod(0o711)  # PostgreSQL runs as another user when we are root
        stack = Stack(Path(folder) / "state", settings)
        try:
            yield stack
        finally:
            purge(stack.home)


def _pids() -> list[int]:
    return [
        int(path.name) for path in Path("/proc").glob("[0-9]*") if int(path.name) != os.getpid()
    ]


def _facts(pid: int) -> bytes:
    found = b""
    for name in ("cmdline", "environ"):
        try:
            found += Path(f"/proc/{pid}/{name}").read_bytes()
        except OSError:
            continue
    return found
