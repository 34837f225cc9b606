"""Bringing the stack up and down from outside: start its supervisor, wait, stop it."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from cli.local import realgoogle
from cli.local.process import (
    LocalStackError,
    ProcessId,
    end_child,
    log_tail,
    spawn,
    wait_until,
)
from cli.local.state import Phase, StackState, StateDirectory
from cli.local.supervisor import SCRATCH, end_leftovers
from cli.settings import PROJECT, StackSettings

MODULE = "cli.local.supervisor"
STOP_TIMEOUT_S = 60
LOG = "supervisor.log"
REAL_CLIENT = ("GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET", "GOOGLE_CREDENTIALS_FILE")


def bring_up(
    settings: StackSettings, home: StateDirectory, *, tell: Callable[[str], None]
) -> StackState:
    """Start the stack detached from this terminal; return once every part is ready.

    A stack that runs already is returned as it is. `tell` gets each step.

    Raises:
        LocalStackError: a part does not start; nothing is left running.
    """
    if (state := home.running()) and state.phase is Phase.READY:
        return state
    if not home.locked():
        realgoogle.check(settings)
        home.create()
        with _fresh_log(home).open("ab") as output:
            child = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", MODULE],
                cwd=PROJECT,
                env={**settings.environment(), "CAUSEWAY_STATE_DIR": str(home.path)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return _await_ready(home, settings, child, tell=tell)
    return _await_ready(home, settings, None, tell=tell)


def bring_up_tethered(
    settings: StackSettings, home: StateDirectory, *, tell: Callable[[str], None]
) -> tuple[StackState, subprocess.Popen[bytes]]:
    """Start a stack that ends with this process, on empty databases; return its supervisor too.

    Its Google is the emulator, or the server a person named; never the real one, whose people
    would consent to databases that are gone in a minute.

    Raises:
        LocalStackError: a part does not start; nothing is left running.
    """
    home.create()
    child = spawn(
        [sys.executable, "-m", MODULE, SCRATCH],
        cwd=PROJECT,
        env={**_played(settings), "CAUSEWAY_STATE_DIR": str(home.path)},
        log=_fresh_log(home),
        death_signal=signal.SIGTERM,
    )
    return _await_ready(home, settings, child, tell=tell), child


def _played(settings: StackSettings) -> dict[str, str]:
    given = settings.environment()
    if not settings.uses_real_google():
        return given
    return {name: value for name, value in given.items() if name not in REAL_CLIENT}


def bring_down(home: StateDirectory) -> bool:
    """Stop the stack, and what a killed one may have left; True if one was running."""
    was_running = home.locked()
    if was_running and (state := home.read()):
        if supervisor := ProcessId.find(state.supervisor):
            supervisor.end(timeout_s=STOP_TIMEOUT_S)
        wait_until(lambda: not home.locked(), timeout_s=STOP_TIMEOUT_S)
    end_leftovers(home)
    return was_running


def purge(home: StateDirectory) -> None:
    """Stop the stack and delete everything it stored, its databases included."""
    bring_down(home)
    for scratch in (False, True):
        StateDirectory(home.path, scratch=scratch).wipe()
    shutil.rmtree(home.path, ignore_errors=True)


def _fresh_log(home: StateDirectory) -> Path:
    log = home.path / LOG
    log.unlink(missing_ok=True)
    log.touch(mode=0o600)
    return log


def _await_ready(
    home: StateDirectory,
    settings: StackSettings,
    child: subprocess.Popen[bytes] | None,
    *,
    tell: Callable[[str], None],
) -> StackState:
    told = ""

    def settled() -> bool:
        nonlocal told
        if child and child.poll() is not None:
            return True
        state = home.running()
        if state and (child is None or state.supervisor == child.pid):
            if state.phase is Phase.STARTING and state.message != told:
                told = state.message
                tell(told)
            return state.phase is Phase.READY
        return child is None and state is None

    try:
        wait_until(settled, timeout_s=2 * settings.start_timeout_s)
    except BaseException:  # also Ctrl-C: half a stack helps nobody
        if child:
            end_child(child, first=signal.SIGTERM, timeout_s=STOP_TIMEOUT_S)
        raise
    state = home.running()
    if state and state.phase is Phase.READY:
        return state
    if child:
        end_child(child, first=signal.SIGTERM, timeout_s=STOP_TIMEOUT_S)
    raise LocalStackError(log_tail(home.path / LOG, lines=30) or "the stack did not start")
