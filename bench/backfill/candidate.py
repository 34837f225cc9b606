"""The candidate: a worker process of the mail service, its own tables, a feed of its own."""

import asyncio
from datetime import UTC, datetime

from bench.backfill.mailbox import SINCE, Rows, count_rows, know_people, mailbox
from bench.house.product import HOST, House, answers, cpu_s
from cli.local.programs import Program
from libs.common.db import open_pool, transaction
from services.mail.app import migrations
from services.mail.store import connections
from services.mail.sync.feeds import open_backfill

POLL_S = 0.05
LONGEST_S = 600
FINISHED = "SELECT state, reason FROM feeds WHERE connection_id = $1 AND kind = 'mail.backfill'"


class Candidate:
    """Runs backfills one after the other in one worker."""

    def __init__(self, house: House, origin: str) -> None:
        """Start the worker, with Google and auth at `origin`; return when it is ready."""
        self.database = house.database(*migrations())
        port = house.port()
        settings = house.mail(self.database, google=origin, auth=origin, port=port)
        asyncio.run(self._prepare())
        self.worker: Program = house.start("services.mail", "--roles", "worker", **settings)
        answers(f"http://{HOST}:{port}/readyz")

    async def _prepare(self) -> None:
        pool = await open_pool(self.database)
        await know_people(pool)
        await pool.close()

    def run(self, number: int, messages: int) -> tuple[float, Rows]:
        """Take in a mailbox; return CPU microseconds per message, and what was written."""
        return asyncio.run(self._run(number, messages))

    async def _run(self, number: int, messages: int) -> tuple[float, Rows]:
        pool, connection = await open_pool(self.database), mailbox(number, messages)
        before = cpu_s(self.worker)
        async with transaction(pool) as conn:
            await connections.put_connection(conn, connection)
            await open_backfill(conn, connection, since=SINCE, now=datetime.now(UTC))
        async with asyncio.timeout(LONGEST_S):
            while (state := await pool.fetchrow(FINISHED, connection.id)) is None or (
                state["state"] != "closed"
            ):
                await asyncio.sleep(POLL_S)
        used = cpu_s(self.worker) - before
        rows = await count_rows(pool, connection.id)
        await pool.close()
        return used / messages * 1e6, rows
