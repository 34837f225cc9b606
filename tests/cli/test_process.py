"""Processes: recognised for certain, ended with their parent."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cli.local.process import ProcessId, end_child, free_ports, log_tail, spawn
from cli.settings import PROJECT
from tests.support import eventually

SLEEPER = "import time; time.sleep(600)"
PARENT = """
import os, pathlib, sys, time
from cli.local.process import spawn
child = spawn([sys.executable, "-c", "import time; time.sleep(600)"],
              env={}, cwd=pathlib.Path("/"), log=pathlib.Path(os.devnull))
print(child.pid, flush=True)
time.sleep(600)
"""


def start_parent() -> "subprocess.Popen[str]":
    return subprocess.Popen(  # noqa: S603 - the text above
        [sys.executable, "-c", PARENT], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )


def test_a_process_is_known_by_its_pid_and_start() -> None:
    me = ProcessId.find(os.getpid())

    assert me is not None
    assert me.alive()


def test_a_recycled_pid_is_another_process() -> None:
    me = ProcessId.find(os.getpid())
    assert me is not None

    earlier = ProcessId(me.pid, me.started - 1)

    assert not earlier.alive()
    earlier.send(signal.SIGKILL)  # we would not live to see the next line
    earlier.end()


def test_an_ended_process_is_not_found() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()

    assert ProcessId.find(child.pid) is None


async def test_a_tethered_process_ends_with_a_killed_parent() -> None:
    parent = start_parent()
    assert parent.stdout
    child = ProcessId.find(int(parent.stdout.readline()))
    assert child is not None

    parent.kill()
    parent.wait()
    parent.stdout.close()

    await eventually(lambda: not child.alive())


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True)\n"
    log = tmp_path / "log"
    child = spawn([sys.executable, "-c", deaf + "time.sleep(600)"], env={}, cwd=tmp_path, log=log)
    while not log.read_text():
        assert child.poll() is None

    end_child(child, first=signal.SIGTERM, timeout_s=0.1)

    assert child.returncode == -signal.SIGKILL


def test_free_ports_are_distinct_and_below_the_ephemeral_range() -> None:
    ports = free_ports()
    chosen = [next(ports) for _ in range(50)]

    assert len(set(chosen)) == 50
    assert max(chosen) < 32_768


@pytest.mark.parametrize(("text", "expected"), [("a\nb\nc\n", "b\nc"), ("", "")])
def test_a_log_tail_is_its_last_lines(tmp_path: Path, text: str, expected: str) -> None:
    log = tmp_path / "log"
    log.write_text(text)

    assert log_tail(log, lines=2) == expected


def test_a_log_that_is_not_there_has_no_tail(tmp_path: Path) -> None:
    assert log_tail(tmp_path / "none") == ""
