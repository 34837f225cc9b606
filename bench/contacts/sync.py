"""The first sync of an address book of 25,000 people: CPU per contact beside the same by hand.

A stub plays the People API and auth's internal calls from prepared bytes (`bench.contacts.stub`).
The people have names, addresses, numbers, employers, birthdays, notes, fields of their own
(`bench.contacts.book`); every tenth has a label. Each becomes a contact.

- Candidate: one worker process (`--roles worker`) runs the connection's feeds into its own tables,
  with leases, attempts, matching and quota ledger as always; budgets are so large that they pace
  nobody.
- Floor (`bench.contacts.handwritten`): aiohttp, orjson and asyncpg in a process of its own, the
  same rows in the same tables (contacts, people, labels, members, outbox, sync log, cursor), a
  statement a table and page. The bound is on this one, as in `bench.backfill`.
- The same loop with Python's collector of garbage set as the product sets it (what is there at the
  start is left out, and it looks less often): a good part of what the plain loop costs is that.

Measured are CPU seconds, user and system, of the arm's process, divided by the contacts; Postgres
and the stub are not counted. The arms alternate; afterwards both databases must hold and tell the
same, to the byte but for ids and times. Requests to Google are counted by the stub: the least are
25,000 / 1,000, and one for the labels. The worker's memory is its peak (VmHWM) since it started.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from urllib.request import urlopen

from bench.calendar.sync import process
from bench.contacts import handwritten
from bench.contacts.candidate import Candidate
from bench.contacts.shelf import Rows, add_shelf, rows_of, shelf
from bench.house.product import HOST, House, answers, house
from bench.rows import Row, middle
from services.contacts.app import migrations
from tests.servers import Servers

BENCH = "contacts-sync"
CONTACTS = 25_000
WARM_UP = 500
OTHERS = 1_000
MOST = 1.5
MOST_MIB = 200.0


def run(servers: Servers, *, rounds: int) -> list[Row]:
    """Measure both arms; takes about half a minute a round."""
    with house(servers) as place, stub(place) as origin, process() as other:
        candidate, floor = Candidate(place, origin), place.database(*migrations())

        def by_hand(
            number: int, people: int, *, collects_rarely: bool = False
        ) -> tuple[float, Rows]:
            connection = shelf(number, people)
            asyncio.run(add_shelf(floor, connection))
            arm = partial(handwritten.run, collects_rarely=collects_rarely)
            used = other.submit(arm, floor, origin, number, people).result()
            return used / people * 1e6, asyncio.run(rows_of(floor, connection))

        compare(candidate.run(0, WARM_UP)[1], by_hand(0, WARM_UP)[1])
        product, hand, rarely, asked = [], [], [], []
        for number in range(1, rounds + 1):
            before = calls(origin)
            used, rows = candidate.run(number, CONTACTS)
            asked.append(float(calls(origin) - before))
            product.append(used)
            used, same = by_hand(number, CONTACTS)
            hand.append(used)
            compare(rows, same)
            used, _ = by_hand(OTHERS + number, CONTACTS, collects_rarely=True)
            rarely.append(used)
        peak = candidate.peak_mib()
    return [
        Row(
            bench=BENCH,
            name="CPU per contact",
            value=middle(product),
            unit="us",
            floor=middle(hand),
            bound=MOST,
            note=f"{CONTACTS} contacts a round, beside the same rows by hand",
        ),
        Row(
            bench=BENCH,
            name="CPU per contact, beside the loop with our setting of the collector",
            value=middle(product),
            unit="us",
            floor=middle(rarely),
        ),
        Row(
            bench=BENCH,
            name="requests to Google",
            value=middle(asked),
            unit="requests",
            floor=CONTACTS / handwritten.PAGE + 1,
            bound=1.0,
            note=f"pages of {handwritten.PAGE}, and one of labels",
        ),
        Row(
            bench=BENCH,
            name="most memory of the worker",
            value=peak,
            unit="MiB",
            bound=MOST_MIB,
        ),
    ]


@contextmanager
def stub(place: House) -> Iterator[str]:
    """Yield the origin of a stub that runs as long as the house stands."""
    port = place.port()
    place.start("bench.contacts.stub", str(port))
    origin = f"http://{HOST}:{port}"
    answers(f"{origin}/internal/v1/connections")
    yield origin


def calls(origin: str, *paths: str) -> int:
    """Return how often Google was asked, for these paths or any."""
    with urlopen(f"{origin}/_calls", timeout=30) as answer:  # noqa: S310 - our own stub
        counted = json.load(answer)
    return sum(count for path, count in counted.items() if not paths or path in paths)


def compare(product: Rows, hand: Rows) -> None:
    """Check that the arms wrote the same.

    Raises:
        AssertionError: they did not.
    """
    if product != hand:
        raise AssertionError(f"the arms wrote different rows: {product}, {hand}")
