"""The first sync of a calendar of 10,000 events: CPU per event beside the same work by hand.

A stub plays Calendar's HTTP and auth's internal calls from prepared bytes (`bench.calendar.stub`).
The events are single meetings, series, exceptions, days and private ones, with guests of whom
every fourth is an entity of the CRM, so that many are activities too (`bench.calendar.agenda`).

- Candidate: one worker process (`--roles worker`) runs the feed of the calendar into its own
  tables, with leases, attempts and quota ledger as always; budgets are so large that they pace
  nobody.
- Floor (`bench.calendar.handwritten`): aiohttp, orjson and asyncpg in a process of its own, the
  same rows in the same tables (events, meetings, links, outbox, sync log, cursor), a statement a
  table and page. The bound is on this one, as in `bench.backfill`.
- The same loop with Python's collector of garbage set as the product sets it (what is there at the
  start is left out, and it looks less often): a good part of what the plain loop costs is that.

Measured are CPU seconds, user and system, of the arm's process, divided by the events; Postgres
and the stub are not counted. The arms alternate; afterwards both databases must hold and tell the
same, to the byte but for ids and times. Requests to Google are counted by the stub: the least are
10,000 / 250. The worker's memory is its peak (VmHWM) since it started.
"""

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from urllib.request import urlopen

from bench.calendar import handwritten
from bench.calendar.candidate import Candidate
from bench.calendar.diary import Rows, add_diary, diary, prepare, rows_of
from bench.house.product import HOST, House, answers, house
from bench.rows import Row, middle
from services.calendar.app import migrations
from tests.servers import Servers

BENCH = "calendar-sync"
EVENTS = 10_000
WARM_UP = 500
OTHERS = 1_000
MOST = 1.5


def run(servers: Servers, *, rounds: int) -> list[Row]:
    """Measure both arms; takes about ten seconds a round."""
    with house(servers) as place, stub(place) as origin, process() as other:
        candidate, floor = Candidate(place, origin), place.database(*migrations())
        asyncio.run(prepare(floor))

        def by_hand(
            number: int, events: int, *, collects_rarely: bool = False
        ) -> tuple[float, Rows]:
            connection = diary(number, events)
            asyncio.run(add_diary(floor, connection))
            arm = partial(handwritten.run, collects_rarely=collects_rarely)
            used = other.submit(arm, floor, origin, number, events).result()
            return used / events * 1e6, asyncio.run(rows_of(floor, connection))

        candidate.run(0, WARM_UP)
        by_hand(0, WARM_UP)
        product, hand, rarely, asked = [], [], [], []
        for number in range(1, rounds + 1):
            before = calls(origin)
            used, rows = candidate.run(number, EVENTS)
            asked.append(float(calls(origin) - before))
            product.append(used)
            used, same = by_hand(number, EVENTS)
            hand.append(used)
            compare(rows, same)
            used, _ = by_hand(OTHERS + number, EVENTS, collects_rarely=True)
            rarely.append(used)
        peak = candidate.peak_mib()
    return [
        Row(
            bench=BENCH,
            name="CPU per event",
            value=middle(product),
            unit="us",
            floor=middle(hand),
            bound=MOST,
            note=f"{EVENTS} events a round, beside the same rows by hand",
        ),
        Row(
            bench=BENCH,
            name="CPU per event, beside the loop with our setting of the collector",
            value=middle(product),
            unit="us",
            floor=middle(rarely),
        ),
        Row(
            bench=BENCH,
            name="requests to Google",
            value=middle(asked),
            unit="requests",
            floor=EVENTS / handwritten.PAGE,
            bound=1.0,
            note=f"pages of {handwritten.PAGE}",
        ),
        Row(bench=BENCH, name="most memory of the worker", value=peak, unit="MiB"),
    ]


@contextmanager
def stub(place: House) -> Iterator[str]:
    """Yield the origin of a stub that runs as long as the house stands."""
    port = place.port()
    place.start("bench.calendar.stub", str(port))
    origin = f"http://{HOST}:{port}"
    answers(f"{origin}/internal/v1/connections")
    yield origin


@contextmanager
def process() -> Iterator[ProcessPoolExecutor]:
    """Yield one process, the same for every round, so that it is warm."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
        yield other


def calls(origin: str) -> int:
    """Return how often Calendar was asked."""
    with urlopen(f"{origin}/_calls", timeout=30) as answer:  # noqa: S310 - our own stub
        return int(json.load(answer))


def compare(product: Rows, hand: Rows) -> None:
    """Check that the arms wrote the same.

    Raises:
        AssertionError: they did not.
    """
    if product != hand:
        raise AssertionError(f"the arms wrote different rows: {product}, {hand}")
