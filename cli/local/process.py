"""Processes of the local stack: started on a tether, recognised for certain, ended for certain."""

import os
import pwd
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TETHER = Path(__file__).with_name("tether.py")
POLL_S = 0.05
# Below Linux's ephemeral range (32768-60999): an outgoing connection cannot take the port
# between our choosing it and the server's binding it.
FIRST_PORT, PORTS = 15_000, 17_000
STATE_FIELD, START_TIME_FIELD = 0, 19  # of /proc/PID/stat, counted after the command name


class LocalStackError(Exception):
    """The local stack cannot do what was asked; the message says what a person can do."""


@dataclass(frozen=True, slots=True)
class ProcessId:
    """One process, for ever: a recycled pid has another start time."""

    pid: int
    started: int  # clock ticks since boot

    @classmethod
    def find(cls, pid: int) -> "ProcessId | None":
        """Return the identity of the living process `pid`; None if it is gone or a zombie."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return None
        fields = stat.rpartition(")")[2].split()
        if fields[STATE_FIELD] in "ZX":
            return None
        return cls(pid, int(fields[START_TIME_FIELD]))

    def alive(self) -> bool:
        """Tell whether this very process still runs."""
        return ProcessId.find(self.pid) == self

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless the process has ended."""
        if self.alive():
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    def end(self, *, first: signal.Signals = signal.SIGTERM, timeout_s: float = 15) -> None:
        """Ask the process to end, and kill it after `timeout_s` seconds."""
        self.send(first)
        if not wait_until(lambda: not self.alive(), timeout_s=timeout_s):
            self.send(signal.SIGKILL)
            wait_until(lambda: not self.alive(), timeout_s=5)


@dataclass(frozen=True, slots=True)
class Account:
    """A system account to run a program as."""

    name: str
    uid: int
    gid: int


def unprivileged_account() -> Account | None:
    """Return whom to run PostgreSQL as when we are root, which it refuses; None otherwise."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise LocalStackError("PostgreSQL does not run as root: create a user 'postgres'")


def spawn(
    program: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    log: Path,
    death_signal: signal.Signals = signal.SIGTERM,
    account: Account | None = None,
) -> subprocess.Popen[bytes]:
    """Start `program` in a session of its own; it gets `death_signal` when our thread ends.

    Call it from a thread that lives as long as the program should: the main one. Output is
    appended to `log`.
    """
    who = f"{account.uid}:{account.gid}" if account else "-"
    tether = [sys.executable, "-I", "-S", str(TETHER)]
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - programs of the stack, no user input
            [*tether, str(os.getpid()), str(int(death_signal)), who, *program],
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def end_child(
    child: subprocess.Popen[bytes], *, first: signal.Signals, timeout_s: float = 15
) -> None:
    """End a child and reap it: `first`, then SIGKILL after `timeout_s` seconds."""
    if child.poll() is None:
        child.send_signal(first)
    try:
        child.wait(timeout_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def wait_until(condition: Callable[[], bool], *, timeout_s: float) -> bool:
    """Poll `condition` until it holds; False after `timeout_s` seconds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_S)
    return True


def free_ports() -> Iterator[int]:
    """Yield distinct loopback ports that are free now."""
    seen: set[int] = set()
    while True:
        port = FIRST_PORT + secrets.randbelow(PORTS)
        if port in seen:
            continue
        seen.add(port)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        yield port


def log_tail(log: Path, *, lines: int = 20) -> str:
    """Return the last lines of a log file, or an empty string if there is none."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
