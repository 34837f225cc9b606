"""Pushing 2,000 contacts that the CRM made into an empty address book: requests, and our CPU.

A stub plays the People API (`bench.contacts.stub`): who is created comes back in the next list, as
at Google. The contacts are made in one transaction; the worker carries what that queued. It is over
when each has its person. The least that this must cost is 10 requests: Google takes 200 at once.

The floor of CPU is a loop with the same requests and rows by hand (`bench.contacts.handpush`): the
contacts are read, and batches made of them, one after the other; people and lines of the sync log
are kept. A lost answer would double 200 people.
"""

import asyncio

from bench.calendar.sync import process
from bench.contacts import handpush
from bench.contacts.candidate import Candidate
from bench.contacts.stub import CREATE
from bench.contacts.sync import calls, stub
from bench.house.product import house
from bench.rows import Row, middle
from services.contacts.app import migrations
from tests.servers import Servers

BENCH = "contacts-push"
CONTACTS = 2_000
BATCH = 200
WARM_UP = 200


def run(servers: Servers, *, rounds: int) -> list[Row]:
    """Measure both arms; takes some seconds a round."""
    with house(servers) as place, stub(place) as origin, process() as other:
        candidate, floor = Candidate(place, origin), place.database(*migrations())
        product, hand, batches, others = [], [], [], []
        for number in range(rounds + 1):
            contacts = CONTACTS if number else WARM_UP
            before = calls(origin, CREATE), calls(origin)
            used = candidate.push(number, contacts)
            made, asked = calls(origin, CREATE) - before[0], calls(origin) - before[1]
            asyncio.run(handpush.prepare(floor, number, contacts))
            by_hand = other.submit(handpush.run, floor, origin, number, contacts).result()
            if number:
                product.append(used / contacts * 1e6)
                hand.append(by_hand / contacts * 1e6)
                batches.append(float(made))
                others.append(float(asked - made))
    return [
        Row(
            bench=BENCH,
            name="requests that create contacts",
            value=middle(batches),
            unit="requests",
            floor=CONTACTS / BATCH,
            bound=1.0,
            note=f"{CONTACTS} contacts a round, {BATCH} at once",
        ),
        Row(
            bench=BENCH,
            name="other requests to Google meanwhile",
            value=middle(others),
            unit="requests",
            note="lists in which they come back",
        ),
        Row(
            bench=BENCH,
            name="CPU per contact",
            value=middle(product),
            unit="us",
            floor=middle(hand),
            note="floor: the same requests and rows by hand",
        ),
    ]
