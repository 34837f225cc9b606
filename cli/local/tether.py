"""Become another program that dies with the process that started it.

Usage: `python -I -S tether.py PARENT_PID SIGNAL UID:GID|- PROGRAM [ARG ...]`. Privileges are
dropped first, because the kernel forgets the death signal when credentials change; it is kept
across exec. Standard library only: this runs before any environment is known to work.

Source: https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Replace this process; exit 70 if the parent is already gone."""
    parent, death_signal, account, *program = arguments
    if account != "-":
        uid, gid = (int(part) for part in account.split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit(70)
    os.execvp(program[0], program)  # noqa: S606 - replacing ourselves is the purpose


if __name__ == "__main__":
    main(sys.argv[1:])
