"""Trying mutants: the tests that should notice, run on a copy of the tree."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tests.mutants.mutant import Mutant, Stale
from tests.mutants.tree import Tree
from tests.servers import TOLD, Addresses

PYTEST = ("-m", "pytest", "-q", "-rfE", "-p", "no:cacheprovider", "--no-header")
PASSED, FAILED = 0, 1
"""Of pytest's exit codes the only two that say something of a test."""
LINE = re.compile(r"^(FAILED|ERROR) (?P<test>\S.*?)(?: - (?P<why>.*))?$", re.MULTILINE)
IMPORT_ALL = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"
IMPORT_TIMEOUT_S = 60
SUITE_TIMEOUT_S = 1800
OVERRAN = ("Failed: Timeout", "Timeout >")
"""How pytest-timeout words it."""


class Verdict(StrEnum):
    """How a trial ended; only the first is good."""

    KILLED = "killed"
    SURVIVED = "SURVIVED"
    BROKEN = "BROKEN"
    """It does not even import, or no test came to its end: that proves nothing."""
    TIMED_OUT = "TIMED OUT"
    STALE = "STALE"


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of one mutant."""

    mutant: str
    verdict: Verdict
    killer: str = ""
    """The test that failed."""
    why: str = ""
    seconds: float = 0.0


class Court:
    """Tries mutants, all on the same servers.

    Args:
        servers: where they are.
        timeout_s: for the killers of one mutant together.
    """

    def __init__(self, servers: Addresses, *, timeout_s: float) -> None:
        self._servers = servers
        self._timeout_s = timeout_s

    def complaint_of(self, tree: Tree, mutants: Iterable[Mutant], *, jobs: int) -> str | None:
        """Run every killer without any mutant; return what is wrong with that, None if green."""
        tests = dict.fromkeys(killer for one in mutants for killer in one.killers)
        spread = ["-n", str(jobs), "--dist", "loadfile"] if jobs > 1 else []
        arguments = [*PYTEST, *spread, "--tb=short", *tests]
        code, output = self._run(tree, arguments, timeout_s=SUITE_TIMEOUT_S)
        return None if code == PASSED else output or "the tests took too long"

    def imports_its_own(self, tree: Tree) -> bool:
        """Say whether the copy's tests test the copy: its own modules come first."""
        code = "import libs, services; print(libs.__file__); print(services.__file__)"
        _, output = self._run(tree, ["-c", code], timeout_s=IMPORT_TIMEOUT_S)
        lines = output.split()
        return bool(lines) and all(line.startswith(f"{tree.root}/") for line in lines)

    def tried(self, tree: Tree, mutant: Mutant) -> Trial:
        """Return what the mutant's killers say."""
        began = time.monotonic()
        try:
            with tree.mutated(mutant):
                verdict, killer, why = self._tried(tree, mutant)
        except Stale as exc:
            verdict, killer, why = Verdict.STALE, "", str(exc)
        return Trial(mutant.name, verdict, killer, why, round(time.monotonic() - began, 1))

    def _tried(self, tree: Tree, mutant: Mutant) -> tuple[Verdict, str, str]:
        imports = ["-c", IMPORT_ALL, *mutant.modules]
        code, output = self._run(tree, imports, timeout_s=self._timeout_s)
        if code not in (PASSED, None):
            return Verdict.BROKEN, "", _last_line(output)
        if code is None:
            return Verdict.TIMED_OUT, "", "importing it"
        code, output = self._run(
            tree, [*PYTEST, "-x", "--tb=no", *mutant.killers], timeout_s=self._timeout_s
        )
        if code is None:
            return Verdict.TIMED_OUT, "", ""
        if code == PASSED:
            return Verdict.SURVIVED, "", ""
        found = LINE.search(output)
        if code != FAILED or found is None or found[1] != "FAILED":
            return Verdict.BROKEN, "", found[0] if found else _last_line(output)
        why = found["why"] or ""
        verdict = Verdict.TIMED_OUT if why.startswith(OVERRAN) else Verdict.KILLED
        return verdict, found["test"], why

    def _run(
        self, tree: Tree, arguments: Sequence[str], *, timeout_s: float
    ) -> tuple[int | None, str]:
        """Return exit code (None: it took too long) and output of Python in the tree."""
        process = subprocess.Popen(  # noqa: S603 - our own interpreter
            [tree.python, *arguments],
            cwd=tree.root,
            env={
                **os.environ,
                "PYTHONPATH": str(tree.root),  # for the processes that tests start, too
                TOLD: json.dumps(self._servers),
                "COLUMNS": "300",  # else pytest cuts the reasons short
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            return None, ""
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
        return process.returncode, output


def _last_line(output: str) -> str:
    lines = output.strip().splitlines()
    return lines[-1] if lines else ""
