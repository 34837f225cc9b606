"""The results that are kept: `results.json` for programs, `results.md` for people.

A bench replaces its own rows and leaves those of the others; every row says when and at which
commit it was measured.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table

from bench.machine import Facts
from bench.rows import Row

FOLDER = Path(__file__).parent
WIDTH = 140
COLUMNS = ("name", "value", "unit", "floor", "ratio", "bound", "met")
NUMBERS = frozenset({"value", "floor", "ratio", "bound"})
STAMPS = ("measured", "commit")
HEAD = """# What the benches found

Written by `make bench`; do not edit. Every value stands beside its floor: the same work, written
by hand as well as we could, in turn with it on the same machine; medians of the rounds. The bound
is on the ratio (value / floor), on the value itself where there is no floor; without a bound
nothing is claimed. What each figure means is told at the top of the bench's module: `intake` is in
`bench/intake`, `calendar-sync` in `bench/calendar/sync.py`.
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """A row, and when and at which commit it was measured."""

    row: Row
    measured: str
    commit: str

    def to_json(self) -> dict[str, Any]:
        """Return the row as it stands in results.json."""
        judged = {"ratio": self.row.ratio, "met": self.row.met}
        return asdict(self.row) | judged | {"measured": self.measured, "commit": self.commit}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Measured":
        """Return what `to_json` wrote; ratio and met are judged anew."""
        given = {name: content[name] for name in Row.__slots__}
        return cls(Row(**given), *(content[name] for name in STAMPS))


@dataclass(frozen=True, slots=True)
class Results:
    """All that is kept."""

    facts: Facts = field(default_factory=dict)
    """Of the machine, at the latest run."""
    rows: tuple[Measured, ...] = ()


def merge(
    before: Results, bench: str, rows: Sequence[Row], facts: Facts, *, order: Sequence[str]
) -> Results:
    """Return `before` with the rows of `bench` replaced, benches in their `order`."""
    new = [Measured(row, *(facts[name] for name in STAMPS)) for row in rows]
    kept = [one for one in before.rows if one.row.bench != bench]
    ranks = {name: rank for rank, name in enumerate(order)}
    merged = sorted([*kept, *new], key=lambda one: ranks.get(one.row.bench, len(ranks)))
    return Results(facts, tuple(merged))


def keep(name: str, rows: Sequence[Row], facts: Facts, *, order: Sequence[str]) -> None:
    """Write the rows of one bench into both files."""
    merged = merge(load(), name, rows, facts, order=order)
    (FOLDER / "results.json").write_text(to_json(merged))
    (FOLDER / "results.md").write_text(to_markdown(merged))


def load() -> Results:
    """Return what is kept, nothing at first."""
    path = FOLDER / "results.json"
    return from_json(path.read_text()) if path.exists() else Results()


def to_json(results: Results) -> str:
    """Return the content of results.json."""
    content = {"machine": results.facts, "rows": [one.to_json() for one in results.rows]}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def from_json(text: str) -> Results:
    """Return what `to_json` wrote."""
    content = json.loads(text)
    return Results(content["machine"], tuple(Measured.from_json(one) for one in content["rows"]))


def to_markdown(results: Results) -> str:
    """Return the content of results.md."""
    lines = [HEAD, *(f"- {name}: {value}" for name, value in results.facts.items())]
    bench = ""
    for one in results.rows:
        if one.row.bench != bench:
            bench = one.row.bench
            lines += ["", f"## {bench}", "", f"{one.measured}, commit {one.commit}", ""]
            lines += ["| " + " | ".join(COLUMNS) + " |"]
            lines += ["|" + "|".join("--:" if c in NUMBERS else "---" for c in COLUMNS) + "|"]
        lines.append("| " + " | ".join(_cells(one.row)) + " |")
    return "\n".join(lines) + "\n"


def table(rows: Sequence[Measured], *, only: Collection[str]) -> Table:
    """Return the rows of some benches for a terminal."""
    shown = Table("bench")
    for name in COLUMNS:
        shown.add_column(name, justify="right" if name in NUMBERS else "left")
    for one in rows:
        if one.row.bench in only:
            style = "bold red" if one.row.met is False else None
            shown.add_row(one.row.bench, *_cells(one.row), style=style)
    return shown


def _cells(row: Row) -> tuple[str, ...]:
    has_floor, has_bound = row.floor is not None, row.bound is not None
    return (
        row.name + (f" ({row.note})" if row.note else ""),
        number(row.value),
        row.unit,
        number(row.floor) if row.floor is not None else "",
        f"{row.ratio:.2f}" if has_floor else "",
        f"{row.direction} {row.bound:g}" if has_bound else "",
        "" if row.met is None else "yes" if row.met else "NO",
    )


def number(value: float) -> str:
    """Return a figure with three significant digits or more, thousands apart."""
    if abs(value) >= 100:  # noqa: PLR2004 - three digits stand before the point
        return f"{value:,.0f}"
    return f"{value:.3g}"
