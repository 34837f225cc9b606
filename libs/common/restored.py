"""What a database needs after it was restored from a backup, before its service runs again.

Events that left between the backup and the restore are known to their consumers and not to the
database: it would give their numbers again, and consumers that keep to `sequence` would take what
is new for old. So every counter jumps past them. What others told meanwhile is read again from
the log of events, and every feed looks at Google at once; the rest is what feeds do anyway. What
waited to go out may have gone out since: it is looked for before it goes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from pydantic import SecretStr

from libs.common import bus, clock, db
from libs.common.feeds.store import hurry
from libs.common.writes.store import doubt_all

JUMP = 1_000_000_000
"""More than one aggregate ever tells between a backup and its restore."""
STATEMENT_TIMEOUT_S = 3600.0

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Restorable:
    """What a service has that a restore sets back.

    Attributes:
        counters: table and column of every counter that its events are numbered by.
        has_feeds: whether it reads anything from Google.
        has_writes: whether it changes anything there.
        queues: by queue, the types of the events that it takes from there.
    """

    counters: Sequence[tuple[str, str]]
    has_feeds: bool = False
    has_writes: bool = False
    queues: Mapping[str, Sequence[str]] = field(default_factory=dict)


async def put_right(
    database_url: SecretStr,
    amqp_url: SecretStr,
    restorable: Restorable,
    *,
    since: datetime | None,
) -> None:
    """Let the service go on from a restored database; none of its processes may run.

    Repeating it is harmless: numbers have gaps then, and what was handled is not handled again.

    Args:
        since: when the backup was made; None reads all that the log still keeps (14 days).

    Raises:
        BrokerLost: the broker is away; begin again.
    """
    conn = await db.connect(
        database_url, application_name="causeway-restored", statement_timeout_s=STATEMENT_TIMEOUT_S
    )
    try:
        async with conn.transaction():
            await _raise_counters(conn, restorable)
    finally:
        await conn.close(timeout=db.CLOSE_TIMEOUT_S)
    for queue, types in restorable.queues.items():
        told = await bus.tell_again(amqp_url, queue, types, since=since)
        log.info("events_told_again", queue=queue, count=told)


async def _raise_counters(conn: db.Connection, restorable: Restorable) -> None:
    for table, column in restorable.counters:
        count = await conn.execute(
            f"UPDATE {table} SET {column} = {column} + $1",  # noqa: S608 - names from our code
            JUMP,
        )
        log.info("counters_raised", table=table, column=column, rows=count)
    if restorable.has_writes:
        doubted = await doubt_all(conn, now=clock.now())
        log.info("writes_doubted", count=doubted)
    if restorable.has_feeds:
        await hurry(conn)
