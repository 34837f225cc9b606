"""One change among 25,000 contacts: requests to Google, and CPU beside the loop's.

The arms are those of `bench.contacts.sync`. When both have taken the address book in, somebody in
it changes, again and again: the next change comes when the one before is kept. Google tells nobody
of contacts: the product is asked to look (its feed's signal is raised, as a call on demand does);
the loop asks at once, and never in vain.

The least a change must cost is one page of connections.list with the sync token; the stub counts.
CPU is that of the worker with its claims, leases, attempts and ledger, and of all it does beside.
"""

import asyncio

from bench.calendar.sync import process
from bench.contacts import handwritten
from bench.contacts.candidate import WARM_UP, Candidate
from bench.contacts.shelf import add_shelf, shelf
from bench.contacts.sync import CONTACTS, calls, stub
from bench.house.product import house
from bench.rows import Row, middle
from services.contacts.app import migrations
from tests.servers import Servers

BENCH = "contacts-delta"
CHANGES = 200
MOST = 1.1
OTHERS = 1_000
MILLI = 1e3


def run(servers: Servers, *, rounds: int) -> list[Row]:
    """Measure both arms; takes about half a minute a round."""
    with house(servers) as place, stub(place) as origin, process() as other:
        candidate, floor = Candidate(place, origin), place.database(*migrations())
        product, hand, asked = [], [], []
        for number in range(1, rounds + 1):
            candidate.run(number, CONTACTS)
            before = calls(origin)
            used = candidate.follow(number, CONTACTS, CHANGES, origin)
            asked.append((calls(origin) - before) / (CHANGES + WARM_UP))
            product.append(used / CHANGES * MILLI)
            # Each arm has an address book of its own, or one's changes would be the other's.
            its = OTHERS + number, CONTACTS
            asyncio.run(add_shelf(floor, shelf(*its)))
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
            note=f"{CHANGES} changes a round among {CONTACTS} contacts",
        ),
        Row(bench=BENCH, name="CPU a change", value=middle(product), unit="ms", floor=middle(hand)),
    ]
