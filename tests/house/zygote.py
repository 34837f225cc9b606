"""`python -m tests.house.zygote`: imports the services once, then forks one for each order.

An order is a line of JSON on standard input, `{"service", "roles", "env", "log"}`; the answer is a
line with the pid. Children die with this process, and this process with its standard input.
"""

import ctypes
import json
import os
import runpy
import signal
import sys
import traceback
from typing import Any

import uuid_utils

import services.auth.app
import services.calendar.app
import services.contacts.app
import services.mail.app  # noqa: F401 - imported for the children's sake

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Fork until standard input ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them: the kernel reaps
    parent = os.getpid()
    for line in iter(sys.stdin.buffer.readline, b""):
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(order, parent)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def _become(order: dict[str, Any], parent: int) -> None:
    status = 1
    try:
        _prepare(order, parent)
        runpy.run_module(f"services.{order['service']}", run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as exc:
        status = exc.code if isinstance(exc.code, int) else 1
    except BaseException:  # noqa: BLE001 - the edge of a process: whatever it was, it is told
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _prepare(order: dict[str, Any], parent: int) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(70)
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.environ.clear()
    os.environ.update(order["env"])
    sys.argv = [f"services.{order['service']}", "--roles", order["roles"]]
    uuid_utils.reseed_rng()  # twins must not number their events alike


if __name__ == "__main__":
    main()
