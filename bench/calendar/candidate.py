"""The candidate: a worker process of the calendar service, its own tables, a feed of its own."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from bench.calendar.diary import GOOGLE_ID, Rows, diary, opened, prepare, put_diary, rows_of
from bench.house.product import HOST, House, answers, cpu_s, pid_of
from cli.local.programs import Program
from libs.common.db import transaction
from libs.common.feeds.store import open_feed, raise_signals
from services.calendar.app import migrations
from services.calendar.sync.feeds import calendar_address, new_events_feed
from tests.support import eventually

LONGEST_S = 600
SIGNAL_TIMEOUT_S = 5.0
POLL_S = 0.005
WARM_UP = 5
"""Changes that are not measured."""
READ_UNTIL = """
SELECT cursor::jsonb ->> 'token' FROM feeds
 WHERE connection_id = $1 AND kind = 'calendar.events' AND cursor::jsonb ->> 'page' IS NULL
"""


class Candidate:
    """Takes in calendars one after the other in one worker."""

    def __init__(self, house: House, origin: str) -> None:
        """Start the worker, with Google and auth at `origin`; return when it is ready."""
        self.database = house.database(*migrations())
        port = house.port()
        settings = house.calendar(self.database, google=origin, auth=origin, port=port)
        asyncio.run(prepare(self.database))
        self.worker: Program = house.start("services.calendar", "--roles", "worker", **settings)
        answers(f"http://{HOST}:{port}/readyz")

    def run(self, number: int, events: int) -> tuple[float, Rows]:
        """Take in a calendar; return CPU microseconds per event, and what was written."""
        before = cpu_s(self.worker)
        asyncio.run(self._take_in(number, events))
        used = cpu_s(self.worker) - before
        return used / events * 1e6, asyncio.run(rows_of(self.database, diary(number, events)))

    def follow(self, number: int, events: int, changes: int, origin: str) -> float:
        """Take in so many changes, one after the other; return the CPU seconds that took."""
        return asyncio.run(self._follow(number, events, changes, origin))

    async def _follow(self, number: int, events: int, changes: int, origin: str) -> float:
        connection, before = diary(number, events), 0.0
        address = calendar_address(connection.account_id, GOOGLE_ID)
        async with opened(self.database) as pool, aiohttp.ClientSession(origin) as session:
            for change in range(WARM_UP + changes):
                if change == WARM_UP:
                    before = cpu_s(self.worker)
                async with session.get(f"/_change/{connection.id}"):
                    pass
                async with transaction(pool) as conn:
                    now = datetime.now(UTC)
                    await raise_signals(conn, [address], now=now, timeout_s=SIGNAL_TIMEOUT_S)
                wanted = str(change + 1)
                async with asyncio.timeout(LONGEST_S):
                    while await pool.fetchval(READ_UNTIL, connection.id) != wanted:  # noqa: ASYNC110 - another process writes it
                        await asyncio.sleep(POLL_S)
            return cpu_s(self.worker) - before

    def peak_mib(self) -> float:
        """Return the most memory the worker has held so far."""
        status = Path(f"/proc/{pid_of(self.worker)}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    async def _take_in(self, number: int, events: int) -> None:
        connection = diary(number, events)
        async with opened(self.database) as pool:
            async with transaction(pool) as conn:
                calendar = await put_diary(conn, connection)
                since = connection.complete_since
                assert since is not None  # noqa: S101 - a diary has one
                feed = new_events_feed(connection, calendar, since=since)
                await open_feed(conn, feed, now=datetime.now(UTC))

            async def is_read() -> bool:
                return await pool.fetchval(READ_UNTIL, connection.id) is not None

            await eventually(is_read, timeout_s=LONGEST_S)
