"""`python -m tests.faults.report FOLDER PAGE`: the page that says what `make crash` saw.

Paths that were not run this time keep what the page says of them.
"""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import orjson

from tests.faults.every_path import PATHS

Json = dict[str, Any]
HEAD = """# What was seen when processes were killed

Written by `make crash`. Every path runs in a house of real processes; a wire between the process
under watch and Postgres, RabbitMQ, Google, auth or its callers counts the messages, and ends the
process (SIGKILL) at the first, then at the second, and so on until the path is done before its
turn. A message that is *sent* is kept from arriving; one that is *got* had its effect, of which the
process never hears. Then the process is started again, and within a minute everything has to be
right: Postgres equals the mailboxes, every change was told once (after dropping repeated ids) and
in order, the cursor stands at the mailbox's end, the outbox is empty, no lease, attempt or parked
message is left over; what the CRM wanted sent was sent once and left no draft behind, what it
wanted changed is changed and counts as the CRM's.

*Mended* is the time from the new process's start to that moment. The lease of the killed one (30
seconds for a mailbox, 20 for a refresh) is made to run out at once: without an operator's restart
in between, add it. What became of a request that changes something at Google is found out 2.5
seconds after it was made (35 as things are set by default), more for an upload.
"""

TABLE = (
    "| message | killed before it arrived | killed before its answer was heard |",
    "|---|--:|--:|",
)
POINTS = "## The points, by path\n"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the page says of a path."""

    row: str
    points: int
    section: str


def main(folder: Path, page: Path) -> None:
    """Write the page anew, with the reports in a folder."""
    reports = [orjson.loads(file.read_bytes()) for file in sorted(folder.glob("*.json"))]
    seen = _kept(page.read_text()) if page.exists() else {}
    seen |= {one["path"]: _seen(one) for one in reports if "broken" in one}
    page.write_text("\n".join(_page(seen)) + "\n")


def _kept(page: str) -> dict[str, Seen]:
    """Return what a page says of paths that there still are."""
    table, _, points = page.partition(POINTS)
    rows = {line.split("|")[1].strip(): line for line in table.splitlines() if line[:2] == "| "}
    sections = dict(part.split("\n", 1) for part in points.split("### ")[1:])
    return {
        path.name: Seen(row, int(row.split("|")[4]), sections[path.name].strip("\n"))
        for path in PATHS
        if (row := rows.get(path.name, "")) and path.name in sections
    }


def _seen(crashes: Json) -> Seen:
    times = [broken["mended_s"] for broken in crashes["broken"]]
    row = (
        f"| {crashes['path']} | {crashes['program']} | {len(crashes['found'])} | {len(times)} "
        f"| {median(times):.1f} s | {max(times):.1f} s | {crashes['commit']} |"
    )
    return Seen(row, len(times), "\n".join((*TABLE, *_points(crashes["broken"]))))


def _page(seen: dict[str, Seen]) -> Iterator[str]:
    total = sum(one.points for one in seen.values())
    yield HEAD
    yield f"{datetime.now(UTC):%Y-%m-%d}: {total} points, none left anything wrong.\n"
    if left_out := [path.name for path in PATHS if path.name not in seen]:
        yield f"Not seen to its end, and not in the table: {', '.join(left_out)}.\n"
    yield "| path | killed | messages | points killed | mended, median | mended, longest | commit |"
    yield "|---|---|--:|--:|--:|--:|---|"
    yield from (seen[name].row for name in sorted(seen))
    yield "\nA path has more points than one undisturbed run has messages, or fewer: runs differ in"
    yield f"what overlaps.\n\n{POINTS}"
    for name in sorted(seen):
        yield f"### {name}\n\n{seen[name].section}\n"


def _points(broken: Iterable[Json]) -> Iterator[str]:
    points = [one["point"] for one in broken]
    counted = Counter((point["wire"], point["label"], point["way"]) for point in points)
    for wire, label in dict.fromkeys((point["wire"], point["label"]) for point in points):
        sent, got = (counted[wire, label, way] or "" for way in ("sent", "got"))
        yield f"| {wire}: `{label}` | {sent} | {got} |"


def commit() -> str:
    """Return the commit of the tree that is tried."""
    answer = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607 - whichever git the person has
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    return answer.stdout.strip() or "unknown"


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
