"""The command: choose mutants, try them side by side, show a table."""

import argparse
import json
import queue
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Mutant, sample
from tests.mutants.tree import Tree
from tests.mutants.trial import Court, Trial, Verdict
from tests.servers import Servers

GOOD, BAD, MISUSED = 0, 1, 2
TIMEOUT_S = 240.0
SIDE_BY_SIDE = 2
"""Tests wait more than they compute; but what waits for a busy machine may seem to notice."""


def main(arguments: Sequence[str]) -> int:
    """Try mutants; return 0 if every one was killed."""
    options = _parser().parse_args(arguments)
    try:
        chosen = _chosen(options)
    except KeyError as exc:
        _say(f"there is no mutant {exc}; --list names them")
        return MISUSED
    if options.list:
        for one in chosen:
            _say(f"{one.name:<{_width(chosen)}}  {one.does}")
        return GOOD
    trials = _tried(chosen, jobs=options.jobs, timeout_s=options.timeout)
    if trials is None:
        return BAD
    if options.report:
        options.report.write_text(json.dumps([asdict(one) for one in trials], indent=1) + "\n")
    return _summed_up(trials)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these")
    parser.add_argument("--sample", type=int, metavar="N", help="only so many, chosen by --seed")
    parser.add_argument(
        "--seed", default="0", help="a number that rises (all have their turn) or any text"
    )
    parser.add_argument("--list", action="store_true", help="name them and try nothing")
    parser.add_argument("--jobs", type=int, default=SIDE_BY_SIDE, help="how many at once")
    parser.add_argument(
        "--timeout", type=float, default=TIMEOUT_S, metavar="S", help="seconds for one mutant"
    )
    parser.add_argument("--report", type=Path, metavar="PATH", help="write the results as JSON")
    return parser


def _chosen(options: argparse.Namespace) -> list[Mutant]:
    by_name = {one.name: one for one in MUTANTS}
    chosen = [by_name[name] for name in options.only] if options.only else list(MUTANTS)
    return chosen if options.sample is None else sample(chosen, options.sample, options.seed)


def _tried(mutants: Sequence[Mutant], *, jobs: int, timeout_s: float) -> list[Trial] | None:
    """Return what became of them; None, said why, if the tests are red without any mutant."""
    with _servers() as servers, _trees(min(jobs, len(mutants))) as trees:
        court = Court(servers.addresses(), timeout_s=timeout_s)
        if not court.imports_its_own(trees[0]):
            _say("the copy would test another tree's code: nothing would be proved")
            return None
        complaint = court.complaint_of(trees[0], mutants, jobs=len(trees))
        if complaint is not None:
            _say(complaint)
            _say("the tests above are red without any mutant")
            return None
        free: queue.SimpleQueue[Tree] = queue.SimpleQueue()
        for tree in trees:
            free.put(tree)

        def tried(one: Mutant) -> Trial:
            tree = free.get()
            try:
                return court.tried(tree, one)
            finally:
                free.put(tree)

        trials = []
        with ThreadPoolExecutor(len(trees)) as pool:
            for trial in pool.map(tried, mutants):
                _show(trial, _width(mutants))
                trials.append(trial)
        return trials


@contextmanager
def _servers() -> Iterator[Servers]:
    """Run servers for all sessions: starting RabbitMQ takes longer than most killers."""
    servers = Servers.create()
    try:
        yield servers
    finally:
        servers.close()


@contextmanager
def _trees(count: int) -> Iterator[list[Tree]]:
    with ExitStack() as stack:
        names = [
            stack.enter_context(tempfile.TemporaryDirectory(prefix="causeway-mutants-"))
            for _ in range(count)
        ]
        yield [Tree.copied(Path(name)) for name in names]


def _show(trial: Trial, width: int) -> None:
    seconds = f"{trial.seconds:>6.1f} s"
    _say(f"{trial.mutant:<{width}}  {trial.verdict:<9} {seconds}  {trial.killer or trial.why}")


def _summed_up(trials: Sequence[Trial]) -> int:
    bad = [one for one in trials if one.verdict is not Verdict.KILLED]
    seconds = sum(one.seconds for one in trials)
    _say(f"{len(trials) - len(bad)} of {len(trials)} killed, {seconds:.0f} s of trials")
    for one in bad:
        _say(f"  {one.verdict}: {one.mutant} {one.why}")
    return BAD if bad else GOOD


def _width(mutants: Sequence[Mutant]) -> int:
    return max(len(one.name) for one in mutants)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
