"""Taking in a mailbox: CPU per message of the mail worker beside the same work by hand.

A stub plays Gmail's HTTP and auth's internal calls from prepared bytes (`bench.house.stub`): the
emulator would be what is measured. The mailbox is full of letters of about 6 kB, text and HTML;
every fourth correspondent is an entity of the CRM, so that many messages are activities too.

- Candidate: one worker process (`--roles worker`) runs a backfill feed into its own tables, with
  leases, attempts, quota ledger and job as always; budgets are so large that they pace nobody.
- Floor A (`handwritten`): aiohttp and asyncpg in a process of its own, the same parser, the same
  rows (messages, addresses, links, outbox, cursor), one statement per table and 100 messages.
- Floor B (`tutorial`): googleapiclient's `.execute()` for each message, SELECT, INSERT, commit, one
  by one (SQLModel, psycopg), the same parser; of fewer messages, since it is the cost of one that
  counts.

Measured are CPU seconds, user and system, of the arm's process and its children, divided by the
messages; Postgres and the stub are not counted. What reading a message costs in all arms alike is
a row of its own. The arms alternate; afterwards both databases must have the same numbers of rows.
"""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from uuid import UUID

from bench.backfill import handwritten, tutorial
from bench.backfill.candidate import Candidate, prepare, rows_of
from bench.backfill.mailbox import Rows, mailbox
from bench.backfill.reading import reading_us
from bench.house.product import HOST, House, answers, house
from bench.rows import Row, middle
from services.mail.app import migrations
from tests.servers import Servers

MESSAGES = 4_000
WARM_UP = 200
TUTORIAL_MESSAGES = 500
MOST, TUTORIAL_MOST = 1.4, 1 / 8

Arm = Callable[[str, str, UUID], float]


def run(servers: Servers, *, rounds: int) -> list[Row]:
    """Measure all arms; takes about half a minute a round."""
    with house(servers) as place, stub(place) as origin, _process() as process:
        candidate, floor = Candidate(place, origin), place.database(*migrations())
        asyncio.run(prepare(floor))

        def by_hand(arm: Arm, number: int, messages: int) -> float:
            of_mailbox = mailbox(number, messages).id
            used = process.submit(arm, floor, origin, of_mailbox).result()
            return used / messages * 1e6

        candidate.run(0, WARM_UP)
        by_hand(handwritten.run, 0, WARM_UP)
        by_hand(tutorial.run, 0, 50)
        product, hand, taught, reading = [], [], [], []
        for number in range(1, rounds + 1):
            used, rows = candidate.run(number, MESSAGES)
            product.append(used)
            hand.append(by_hand(handwritten.run, number, MESSAGES))
            _compare(rows, asyncio.run(rows_of(floor, number, MESSAGES)))
            taught.append(by_hand(tutorial.run, number, TUTORIAL_MESSAGES))
            reading.append(process.submit(reading_us).result())
    return [
        Row(
            bench="backfill",
            name="CPU per message",
            value=middle(product),
            unit="us",
            floor=middle(hand),
            bound=MOST,
            note=f"{MESSAGES} messages a round, beside the same rows by hand",
        ),
        Row(
            bench="backfill",
            name="CPU per message, beside the tutorial's way",
            value=middle(product),
            unit="us",
            floor=middle(taught),
            bound=TUTORIAL_MOST,
            note=f"{TUTORIAL_MESSAGES} messages a round",
        ),
        Row(
            bench="backfill",
            name="by hand, beside the tutorial's way",
            value=middle(hand),
            unit="us",
            floor=middle(taught),
            note="how far one gets with this parser and no promises about trouble",
        ),
        Row(
            bench="backfill",
            name="of which reading (parser and index)",
            value=middle(reading),
            unit="us",
            note="the same in all arms",
        ),
    ]


@contextmanager
def stub(place: House) -> Iterator[str]:
    """Yield the origin of a stub that runs as long as the house stands."""
    port = place.port()
    place.start("bench.house.stub", str(port))
    origin = f"http://{HOST}:{port}"
    answers(f"{origin}/internal/v1/connections")
    yield origin


@contextmanager
def _process() -> Iterator[ProcessPoolExecutor]:
    """Yield one process, the same for every round, so that it is warm."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        yield process


def _compare(product: Rows, hand: Rows) -> None:
    if product != hand:
        raise AssertionError(f"the arms wrote different rows: {product}, {hand}")
