"""What the figures were measured on."""

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from cli.local.postgres import find_binaries
from cli.local.rabbitmq import find_home
from cli.settings import PROJECT

Facts = dict[str, str]


def describe() -> Facts:
    """Return the facts of this machine and this moment, by their name."""
    postgres = _said(str(find_binaries() / "postgres"), "--version")
    return {
        "CPU": _field("/proc/cpuinfo", r"model name\s*:\s*(.+)") or platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": _memory(),
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "PostgreSQL": postgres.removeprefix("postgres (PostgreSQL) "),
        "RabbitMQ": find_home().name.rpartition("-")[2],
        "measured": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
    }


def _commit() -> str:
    commit = _said("git", "rev-parse", "--short=12", "HEAD")
    changed = _said(
        "git", "status", "--porcelain", "--untracked-files=no", "--", ":!bench/results*"
    )
    return f"{commit} with changes" if changed else commit or "none"


def _memory() -> str:
    kibibytes = _field("/proc/meminfo", r"MemTotal:\s*(\d+) kB")
    return f"{int(kibibytes) / 2**20:.1f} GiB" if kibibytes else "unknown"


def _field(path: str, pattern: str) -> str:
    found = re.search(pattern, Path(path).read_text())
    return found[1].strip() if found else ""


def _said(*command: str) -> str:
    """Return what a program says, nothing if it fails or is not there."""
    try:
        answer = subprocess.run(  # noqa: S603 - fixed programs
            command, cwd=PROJECT, capture_output=True, text=True, timeout=30, check=False
        )
    except OSError:
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""
