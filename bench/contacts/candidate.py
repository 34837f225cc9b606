"""The candidate: a worker process of the contacts service, its own tables, feeds of its own."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from bench.contacts.book import resource
from bench.contacts.handpush import make
from bench.contacts.shelf import Rows, opened, put_shelf, rows_of, shelf
from bench.house.product import HOST, House, answers, cpu_s, pid_of
from cli.local.programs import Program
from libs.common.connections.model import Access
from libs.common.db import transaction
from services.contacts.app import migrations
from services.contacts.sync.feeds import open_all, people_address, wake
from tests.support import eventually

LONGEST_S = 600
POLL_S = 0.005
WARM_UP = 5
"""Changes that are not measured."""
READ = """
SELECT c.read_at IS NOT NULL AND f.last_sync_at IS NOT NULL FROM connections c
  JOIN feeds f USING (tenant_id, connection_id)
 WHERE connection_id = $1 AND f.kind = 'contacts.groups'
"""
WRITTEN = """
SELECT count(*) FILTER (WHERE contact_id IS NOT NULL) FROM people WHERE connection_id = $1
"""
NOTES = """
SELECT base ->> 'notes' FROM people WHERE tenant_id = $1 AND connection_id = $2 AND resource = $3
"""


class Candidate:
    """Takes in address books one after the other in one worker."""

    def __init__(self, house: House, origin: str) -> None:
        """Start the worker, with Google and auth at `origin`; return when it is ready."""
        self.database = house.database(*migrations())
        port = house.port()
        settings = house.contacts(self.database, google=origin, auth=origin, port=port)
        self.worker: Program = house.start("services.contacts", "--roles", "worker", **settings)
        answers(f"http://{HOST}:{port}/readyz")

    def run(self, number: int, people: int) -> tuple[float, Rows]:
        """Take in an address book; return CPU microseconds per person, and what was written."""
        before = cpu_s(self.worker)
        asyncio.run(self._take_in(number, people))
        used = cpu_s(self.worker) - before
        return used / people * 1e6, asyncio.run(rows_of(self.database, shelf(number, people)))

    def follow(self, number: int, people: int, changes: int, origin: str) -> float:
        """Take in so many changes, one after the other; return the CPU seconds that took."""
        return asyncio.run(self._follow(number, people, changes, origin))

    async def _follow(self, number: int, people: int, changes: int, origin: str) -> float:
        connection, before = shelf(number, people), 0.0
        async with opened(self.database) as pool, aiohttp.ClientSession(origin) as session:
            for change in range(1, WARM_UP + changes + 1):
                if change == WARM_UP + 1:
                    before = cpu_s(self.worker)
                async with session.get(f"/_change/{connection.id}"):
                    pass
                async with transaction(pool) as conn:
                    await wake(conn, people_address(connection.id), now=datetime.now(UTC))
                whose = connection.tenant_id, connection.id, resource(change)
                async with asyncio.timeout(LONGEST_S):
                    while not str(await pool.fetchval(NOTES, *whose)).endswith(f" {change}"):  # noqa: ASYNC110 - another process writes it
                        await asyncio.sleep(POLL_S)
            return cpu_s(self.worker) - before

    def push(self, number: int, contacts: int) -> float:
        """Write so many new contacts into an empty address book; return the CPU seconds it took."""
        return asyncio.run(self._push(number, contacts))

    async def _push(self, number: int, contacts: int) -> float:
        connection = shelf(number, 0, access=Access.WRITE)
        async with opened(self.database) as pool:
            async with transaction(pool) as conn:
                await put_shelf(conn, connection)
                await open_all(conn, connection, now=datetime.now(UTC))
            await eventually(lambda: pool.fetchval(READ, connection.id), timeout_s=LONGEST_S)
            before = cpu_s(self.worker)
            async with transaction(pool) as conn:
                await make(conn, connection, contacts)

            async def is_written() -> bool:
                return bool(await pool.fetchval(WRITTEN, connection.id) == contacts)

            await eventually(is_written, timeout_s=LONGEST_S)
            return cpu_s(self.worker) - before

    def peak_mib(self) -> float:
        """Return the most memory the worker has held so far."""
        status = Path(f"/proc/{pid_of(self.worker)}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    async def _take_in(self, number: int, people: int) -> None:
        connection = shelf(number, people)
        async with opened(self.database) as pool:
            async with transaction(pool) as conn:
                await put_shelf(conn, connection)
                await open_all(conn, connection, now=datetime.now(UTC))

            async def is_read() -> bool:
                return bool(await pool.fetchval(READ, connection.id))

            await eventually(is_read, timeout_s=LONGEST_S)
