"""One change in a calendar of 10,000 events: requests to Google, and CPU beside the loop's.

The arms are those of `bench.calendar.sync`. When both have taken the calendar in, one event of it
changes, again and again: the next change comes when the one before is kept. The product hears of
each as of a notice (its feed's signal is raised); the loop asks at once, and never in vain.

The least a change must cost is one page of events.list with the sync token; the stub counts. CPU
is that of the worker with its claims, leases, attempts and ledger, and of all it does beside.
"""

import asyncio

from bench.calendar import handwritten
from bench.calendar.candidate import WARM_UP, Candidate
from bench.calendar.diary import add_diary, diary, prepare
from bench.calendar.sync import EVENTS, calls, process, stub
from bench.house.product import house
from bench.rows import Row, middle
from services.calendar.app import migrations
from tests.servers import Servers

BENCH = "calendar-delta"
CHANGES = 200
MOST = 1.1
OTHERS = 1_000
MILLI = 1e3


def run(servers: Servers, *, rounds: int) -> list[Row]:
    """Measure both arms; takes about a quarter of a minute a round."""
    with house(servers) as place, stub(place) as origin, process() as other:
        candidate, floor = Candidate(place, origin), place.database(*migrations())
        asyncio.run(prepare(floor))
        product, hand, asked = [], [], []
        for number in range(1, rounds + 1):
            candidate.run(number, EVENTS)
            before = calls(origin)
            used = candidate.follow(number, EVENTS, CHANGES, origin)
            asked.append((calls(origin) - before) / (CHANGES + WARM_UP))
            product.append(used / CHANGES * MILLI)
            # Each arm has a calendar of its own, or the changes of one would be the other's.
            its = OTHERS + number, EVENTS
            asyncio.run(add_diary(floor, diary(*its)))
            other.submit(handwritten.run, floor, origin, *its).result()
            used = other.submit(handwritten.follow, floor, origin, *its, CHANGES).result()
            hand.append(used / CHANGES * MILLI)
    return [
        Row(
            bench=BENCH,
            name="requests to Google a change",
            value=middle(asked),
            unit="requests",
            floor=1.0,
            bound=MOST,
            note=f"{CHANGES} changes a round in {EVENTS} events",
        ),
        Row(bench=BENCH, name="CPU a change", value=middle(product), unit="ms", floor=middle(hand)),
    ]
