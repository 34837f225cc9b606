"""The candidate: a worker process of the mail service, its own tables, a feed of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bench.backfill.mailbox import SINCE, Rows, count_rows, know_people, mailbox
from bench.house.product import HOST, House, answers, cpu_s
from bench.house.stub import HISTORY_ID
from cli.local.programs import Program
from libs.common.db import Connection as Conn
from libs.common.db import Pool, open_pool, transaction
from libs.common.feeds.store import open_feed
from services.mail.app import migrations
from services.mail.domain.connection import Connection
from services.mail.store import connections
from services.mail.sync.feeds import LIVE, new_feed, open_backfill
from tests.support import eventually

LONGEST_S = 600
LATER = timedelta(days=1)
FINISHED = "SELECT state FROM feeds WHERE connection_id = $1 AND kind = 'mail.backfill'"


class Candidate:
    """Runs backfills one after the other in one worker."""

    def __init__(self, house: House, origin: str) -> None:
        """Start the worker, with Google and auth at `origin`; return when it is ready."""
        self.database = house.database(*migrations())
        port = house.port()
        settings = house.mail(self.database, google=origin, auth=origin, port=port)
        asyncio.run(prepare(self.database))
        self.worker: Program = house.start("services.mail", "--roles", "worker", **settings)
        answers(f"http://{HOST}:{port}/readyz")

    def run(self, number: int, messages: int) -> tuple[float, Rows]:
        """Take in a mailbox; return CPU microseconds per message, and what was written."""
        before = cpu_s(self.worker)
        asyncio.run(take_in(self.database, number, messages))
        used = cpu_s(self.worker) - before
        return used / messages * 1e6, asyncio.run(rows_of(self.database, number, messages))


async def prepare(database: str) -> None:
    """Tell a database who is a contact of the CRM."""
    async with _opened(database) as pool:
        await know_people(pool)


async def take_in(database: str, number: int, messages: int) -> None:
    """Open the feed that takes in a mailbox, and return once a worker has done so."""
    connection = mailbox(number, messages)
    async with _opened(database) as pool:
        async with transaction(pool) as conn:
            await connections.put_connection(conn, connection)
            await pin(conn, connection)
            await open_backfill(conn, connection, since=SINCE, now=datetime.now(UTC))

        async def is_over() -> bool:
            return bool(await pool.fetchval(FINISHED, connection.id) == "closed")

        await eventually(is_over, timeout_s=LONGEST_S)


async def pin(conn: Conn, connection: Connection) -> None:
    """Let the live feed have its cursor, without which no backfill begins, and nothing to do."""
    now = datetime.now(UTC)
    live = replace(new_feed(LIVE, connection), cursor=str(HISTORY_ID))
    await open_feed(conn, live, now=now, due_at=now + LATER)


async def rows_of(database: str, number: int, messages: int) -> Rows:
    """Return what a mailbox has become."""
    async with _opened(database) as pool:
        return await count_rows(pool, mailbox(number, messages).id)


@asynccontextmanager
async def _opened(database: str) -> AsyncIterator[Pool]:
    pool = await open_pool(database)
    try:
        yield pool
    finally:
        await pool.close()
