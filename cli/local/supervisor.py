"""The process above the stack: starts every part, restarts what crashes, ends all with itself.

Every part hangs on its tether (see tether.py): if this process is killed, they end too.
`python -m cli.local.supervisor` is started by `causeway up` and `causeway demo`.
"""

import os
import shutil
import signal
import sys
import time
from types import FrameType
from typing import NoReturn

from cli.local.assembly import Assembly
from cli.local.members import named_process
from cli.local.process import LocalStackError
from cli.local.programs import Program
from cli.local.state import Phase, StackState, StateDirectory
from cli.settings import StackSettings

WATCH_S = 0.2
SCRATCH = "--scratch"  # begin with empty databases, and delete them at the end
STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Stopped(BaseException):
    """Somebody asked this process to end."""


class Supervisor:
    """Keeps the stack up until told to stop, and writes down how it is."""

    def __init__(self, settings: StackSettings, home: StateDirectory) -> None:
        self._home = home
        self._phase, self._message = Phase.STARTING, ""
        self._stack = Assembly(settings, home, secrets=home.secrets(), tell=self._tell)

    def run(self) -> NoReturn:
        """Start all, then watch over it. Ends by an exception only, with everything stopped.

        Raises:
            Stopped: a signal came.
            LocalStackError: a part does not start.
        """
        try:
            self._stack.start()
            self._say(Phase.READY)
            while True:
                changed = [member.revive() for member in self._stack.members]
                if any(changed):
                    self._say(Phase.READY)
                time.sleep(WATCH_S)
        except LocalStackError as exc:
            self._say(Phase.FAILED, str(exc))
            raise
        finally:
            for number in STOPPING:
                signal.signal(number, signal.SIG_IGN)
            self._stop()

    def _tell(self, step: str) -> None:
        self._say(Phase.STARTING, step)

    def _stop(self) -> None:
        if self._phase is not Phase.FAILED:
            self._say(Phase.STOPPING)
        members = self._stack.members
        for member in members:
            if isinstance(member.server, Program):
                member.server.ask_to_stop()
        for member in reversed(members):
            if member.server:
                member.server.stop()

    def _say(self, phase: Phase, message: str = "") -> None:
        self._phase, self._message = phase, message
        mapper = self._stack.rabbit.mapper if self._stack.rabbit else None
        self._home.write(
            StackState(
                phase=phase,
                message=message,
                supervisor=os.getpid(),
                parts=tuple(member.part() for member in self._stack.members),
                helpers=(named_process(mapper, name="epmd"),),
            )
        )


def end_leftovers(home: StateDirectory) -> None:
    """End what a killed supervisor left behind: only processes that are certainly its own."""
    if state := home.read():
        for part in (*state.parts, *state.helpers):
            if process := part.process():
                process.end()


def _stop_on_signal(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    raise Stopped


def main() -> int:
    """Run until a signal; 0 after a clean stop, 1 if the stack cannot start."""
    settings = StackSettings()
    scratch = SCRATCH in sys.argv
    home = StateDirectory(settings.state_dir, scratch=scratch)
    for number in STOPPING:
        signal.signal(number, _stop_on_signal)
    try:
        home.create()
        with home.lock():
            end_leftovers(home)
            shutil.rmtree(home.logs, ignore_errors=True)
            if scratch:
                home.wipe()
            home.create()
            Supervisor(settings, home).run()
    except Stopped:
        if scratch:
            home.wipe()
        return 0
    except LocalStackError as exc:
        sys.stderr.write(f"{exc}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
