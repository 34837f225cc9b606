"""The candidate: a worker process of the calendar service, its own tables, a feed of its own."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from bench.calendar.diary import Rows, diary, opened, prepare, put_diary, rows_of
from bench.house.product import HOST, House, answers, cpu_s, pid_of
from cli.local.programs import Program
from libs.common.db import transaction
from libs.common.feeds.store import open_feed, raise_signals
from services.calendar.app import migrations
from services.calendar.sync.feeds import calendar_address, new_events_feed
from tests.support import eventually

LONGEST_S = 600
SIGNAL_TIMEOUT_S = 5.0
TOKEN = """
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
                return await pool.fetchval(TOKEN, connection.id) is not None

            await eventually(is_read, timeout_s=LONGEST_S)
