"""The processes a bench measures: started on our tether, and what they cost."""

import json
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.local.process import LocalStackError, free_ports, log_tail, wait_until
from cli.local.programs import START_S, Program

TICKS_S = os.sysconf("SC_CLK_TCK")
USER_FIELD, SYSTEM_FIELD = 11, 12  # of /proc/PID/stat, counted after the command name
LOAD_TIMEOUT_S = 180
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
BACKENDS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"


def environment(**own: str) -> dict[str, str]:
    """Return what a process needs of our environment, and its own variables: no person's."""
    inherited = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return inherited | own


@dataclass(frozen=True, slots=True)
class Server:
    """A program that listens on a loopback port."""

    program: Program
    port: int

    @property
    def pid(self) -> int:
        """Its process."""
        assert self.program.process  # noqa: S101 - `serving` started it
        return self.program.process.pid

    @property
    def origin(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serving(
    arguments: Sequence[str], env: dict[str, str], *, log: Path, port: int
) -> Iterator[Server]:
    """Run `python -m arguments` until the block ends; yield it once it listens on `port`.

    Raises:
        LocalStackError: it ended, or does not listen; the message ends with its log.
    """
    program = Program(list(arguments), env, log)
    program.start()
    try:
        wait_until(lambda: listens(port) or not program.running(), timeout_s=START_S)
        if not program.running() or not listens(port):
            what = " ".join(arguments)
            raise LocalStackError(f"`python -m {what}` does not serve:\n{log_tail(log)}")
        yield Server(program, port)
    finally:
        program.stop()


def told(arguments: Sequence[str], *, log: Path, answer: Path) -> Any:
    """Run `python -m arguments` to its end; return the JSON it wrote to `answer`.

    Raises:
        LocalStackError: it failed; the message ends with its log.
    """
    answer.unlink(missing_ok=True)
    Program(list(arguments), environment(), log).run(timeout_s=LOAD_TIMEOUT_S)
    return json.loads(answer.read_text())


def free_port() -> int:
    """Return a loopback port that is free now."""
    return next(free_ports())


def listens(port: int) -> bool:
    """Tell whether somebody takes connections on a loopback port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def cpu_s(*pids: int) -> float:
    """Return the CPU seconds these processes used so far; one that is gone counts nothing."""
    return sum(_cpu_s(pid) for pid in pids)


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[USER_FIELD]) + int(fields[SYSTEM_FIELD])) / TICKS_S
