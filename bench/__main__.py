"""Runs benches, prints one table of what they found and keeps it in bench/results.*.

python -m bench                       all of them, in this order
python -m bench intake relay          only those; what the others found last stays
python -m bench intake --rounds 3     a quicker look

Ends with 1 when a bound is not met, with 2 when a bench cannot be run.
"""

import argparse
import importlib
import importlib.util
import sys
import time
from collections.abc import Sequence
from types import ModuleType
from typing import Protocol, cast

from rich.console import Console

from bench import machine, results
from bench.rows import Row
from tests.servers import Servers

NAMES = (
    "intake",
    "relay",
    "latency",
    "claims",
    "backfill",
    "units",
    "sending",
    "restart",
    "memory",
    "calendar-sync",
    "calendar-delta",
    "calendar-latency",
    "calendar-window",
    "calendar-write",
    "contacts-sync",
    "contacts-delta",
    "contacts-push",
)
"""Every bench, in the order in which they run and stand in the table."""
ROUNDS = 5
MISSED, UNUSABLE = 1, 2


class Bench(Protocol):
    """What a module `bench.<name>` is; `calendar-sync` is `bench.calendar.sync`."""

    def run(self, servers: Servers, *, rounds: int) -> list[Row]:
        """Measure, every arm `rounds` times in turn, and return what was found."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit status."""
    given = _parser().parse_args(arguments)
    chosen = [name for name in NAMES if name in given.names or not given.names]
    say = Console(stderr=True)
    benches: dict[str, Bench] = {}
    for name in chosen:
        found = _find(name)
        if found is None:
            say.print(f"bench {name!r} is not there: no module bench.{name}")
            return UNUSABLE
        benches[name] = cast("Bench", found)
    met = True
    servers = Servers.create(durable=True)
    try:
        facts = machine.describe()
        for name, bench in benches.items():
            started = time.monotonic()
            rows = bench.run(servers, rounds=given.rounds)
            say.print(f"{name}: {time.monotonic() - started:.0f} s")
            results.keep(name, rows, facts, order=NAMES)
            met = met and all(row.met is not False for row in rows)
    finally:
        servers.close()
    Console(width=results.WIDTH).print(results.table(results.load().rows, only=chosen))
    return 0 if met else MISSED


def _find(name: str) -> ModuleType | None:
    """Return the bench's module; None when there is none (one that is broken raises)."""
    module = f"bench.{name.replace('-', '.')}"
    if importlib.util.find_spec(module) is None:
        return None
    return importlib.import_module(module)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument(
        "names", nargs="*", type=_known, metavar="NAME", help=f"{', '.join(NAMES)} (all)"
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of each arm ({ROUNDS})")
    return parser


def _known(name: str) -> str:
    if name not in NAMES:
        raise argparse.ArgumentTypeError(f"choose among {', '.join(NAMES)}")
    return name


if __name__ == "__main__":
    sys.exit(main())
