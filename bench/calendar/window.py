"""A year's window over 1,000 series: CPU per occurrence beside plain dateutil of the same series.

One calendar has 1,000 series: weekly ones on one or several days, every other week, daily and
monthly ones; of every fifth one occurrence was moved and one cancelled. Calendar's web process
shows a year of them through `GET /v1/calendar/events`, page by page (200 each).

The floor is `dateutil.rrule.rrulestr(...).between(...)` of every series' rule, in its zone: where
the occurrences are, and nothing else. The product besides finds its rows, heeds what became of each
occurrence, joins the copies of colleagues, and encodes about 900 bytes for each. Both must find
equally many. Nothing is claimed of the ratio. CPU is that of the web process alone.
"""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
from dateutil.rrule import rrulestr

from bench.calendar.agenda import ZONE, event
from bench.calendar.diary import diary, opened, put_diary
from bench.house.product import CALLER_AUDIENCE, CALLER_ISSUER, HOST, House, answers, cpu_s, house
from bench.latency.stage import TIMEOUT
from bench.rows import Row, middle
from cli.local.programs import Program
from libs.common.db import transaction
from libs.common.events.base import Origin
from services.calendar.app import migrations
from services.calendar.google.answers import event_of
from services.calendar.sync.inward.appointments_back import Back
from services.calendar.sync.inward.echoes import Echoes
from services.calendar.sync.inward.intake import Intake
from tests.servers import Servers
from tests.support import bearer, caller_token

BENCH = "calendar-window"
SERIES = 1_000
PAGE = 200
BATCH = 100
START, END = datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 12, 1, tzinfo=UTC)
FIRST = datetime(2026, 11, 2, 7, tzinfo=UTC)
RULES = (
    "FREQ=WEEKLY",
    "FREQ=WEEKLY",
    "FREQ=WEEKLY;BYDAY=MO,WE,FR",
    "FREQ=WEEKLY;INTERVAL=2",
    "FREQ=WEEKLY;UNTIL=20270630T215959Z",
    "FREQ=WEEKLY;COUNT=40",
    "FREQ=WEEKLY;BYDAY=TU,TH",
    "FREQ=MONTHLY",
    "FREQ=DAILY;COUNT=20",
    "FREQ=WEEKLY",
)
MICRO = 1e6

Json = dict[str, Any]


def run(servers: Servers, *, rounds: int) -> list[Row]:
    """Measure; a round of the product takes half a minute, and two say it all."""
    product, plain = [], []
    with house(servers) as place:
        database = place.database(*migrations())
        asyncio.run(_fill(database))
        port = place.port()
        origin = f"http://{HOST}:{port}"
        settings = place.calendar(database, google=origin, auth=origin, port=port)
        web = place.start("services.calendar", "--roles", "web", **settings)
        answers(f"{origin}/readyz")
        for _ in range(min(rounds, 2)):
            used, count = asyncio.run(_read(place, web, origin))
            spent, same = _expand()
            if count != same:
                raise AssertionError(f"the arms found {count} and {same} occurrences")
            product.append(used / count * MICRO)
            plain.append(spent / count * MICRO)
    return [
        Row(
            bench=BENCH,
            name="CPU per occurrence",
            value=middle(product),
            unit="us",
            floor=middle(plain),
            note=f"{count} occurrences of {SERIES} series; floor: dateutil alone",
        )
    ]


def _start(number: int) -> datetime:
    return FIRST + timedelta(minutes=15 * (number % 30), days=number % 5)


def _local(moment: datetime) -> datetime:
    return moment.astimezone(ZoneInfo(ZONE))


def _rule(number: int) -> str:
    return RULES[number % len(RULES)]


def _dates(number: int) -> Iterator[datetime]:
    """Yield all occurrences of a series within the window, by its rule."""
    start = _local(_start(number)).replace(tzinfo=None)
    rule, _, until = _rule(number).partition(";UNTIL=")
    last = END
    if until:
        last = min(last, datetime.strptime(until, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC))
    low, high = (_local(one).replace(tzinfo=None) for one in (START, last))
    for wall in rrulestr(rule, dtstart=start).between(low, high, inc=True):
        yield wall.replace(tzinfo=ZoneInfo(ZONE)).astimezone(UTC)


def _exceptions(number: int) -> list[datetime]:
    """Return where occurrences of a series are others than its rule says."""
    return [*_dates(number)][2:4] if number % 5 == 0 else []


def _expand() -> tuple[float, int]:
    """Return the CPU seconds that dateutil takes for all series, and how many there are."""
    before, count = time.process_time(), 0
    for number in range(SERIES):
        count += sum(1 for _ in _dates(number))
    used = time.process_time() - before
    cancelled = sum(1 for number in range(SERIES) for _ in _exceptions(number)[1:])
    return used, count - cancelled


def _events(number: int) -> Iterator[Json]:
    """Yield a series and its exceptions: one is moved by an hour, one is cancelled."""
    start = _start(number)
    master = event(number * 20 + 1, mark="window") | {"recurrence": [f"RRULE:{_rule(number)}"]}
    yield master | _span(start)
    for kind, original in enumerate(_exceptions(number)):
        shown = event(number * 20 + 1, mark="window") | {
            "id": f"{master['id']}_{original:%Y%m%dT%H%M%SZ}",
            "recurringEventId": master["id"],
            "originalStartTime": _time(original),
            "status": "cancelled" if kind else "confirmed",
        }
        yield shown | _span(original + timedelta(hours=1))


def _span(start: datetime) -> Json:
    return {"start": _time(start), "end": _time(start + timedelta(minutes=45))}


def _time(moment: datetime) -> Json:
    return {"dateTime": _local(moment).isoformat(), "timeZone": ZONE}


async def _fill(database: str) -> None:
    connection, now = diary(1, SERIES), datetime.now(UTC)
    intake = Intake(Back(), Echoes(), now=lambda: now)
    async with opened(database) as pool:
        async with transaction(pool) as conn:
            calendar = await put_diary(conn, connection)
        for first in range(0, SERIES, BATCH):
            found = [
                event_of(one)
                for number in range(first, min(first + BATCH, SERIES))
                for one in _events(number)
            ]
            async with transaction(pool) as conn:
                await intake.take(conn, connection, calendar, found, origin=Origin.BACKFILL)
        await pool.execute("ANALYZE")


async def _read(place: House, web: Program, origin: str) -> tuple[float, int]:
    """Return the CPU seconds of the web process, and how many occurrences it showed."""
    key = place.environment(google="", auth="", port=0)["CAUSEWAY_CALLER_KEY"]
    token = caller_token(
        user="alice", tenant="acme", issuer=CALLER_ISSUER, audience=CALLER_AUDIENCE, key=key
    )
    query = {"from": START.isoformat(), "to": END.isoformat(), "limit": str(PAGE)}
    before, count = cpu_s(web), 0
    async with aiohttp.ClientSession(timeout=TIMEOUT, headers=bearer(token)) as session:
        while True:
            url = f"{origin}/v1/calendar/events"
            async with session.get(url, params=query) as answer:
                answer.raise_for_status()
                page = await answer.json()
            count += len(page["items"])
            if (cursor := page.get("next_cursor")) is None:
                return cpu_s(web) - before, count
            query["cursor"] = cursor
