"""The outbox: events commit with the facts they tell of, or not at all.

`append` writes, in the caller's transaction; the relay reads, publishes and deletes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog

from libs.common.db import Connection
from libs.common.errors import TooLarge
from libs.common.events.envelope import Envelope, Sealed

CHANNEL = "outbox"
"""Of the NOTIFY that wakes an idle relay."""

MAX_BODY_BYTES = 1_048_576
"""Ids and facts are small; a broker refuses a message above its own limit for good."""

TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

APPEND = """
WITH added AS (
    INSERT INTO outbox (event_id, type, body, traceparent)
    SELECT event_id, type, body, $4
      FROM unnest($1::uuid[], $2::text[], $3::bytea[])
           WITH ORDINALITY AS new (event_id, type, body, position)
     ORDER BY position
)
SELECT pg_notify('outbox', '')
"""


async def append(
    conn: Connection, *envelopes: Envelope | Sealed, traceparent: str | None = None
) -> None:
    """Add events, in this order, to the caller's transaction: published once it commits.

    Args:
        conn: inside a transaction, the one of the fact.
        envelopes: of one aggregate they must be appended under its row lock, so that ids,
            and therefore deliveries, rise with `sequence`.
        traceparent: W3C trace context of the cause; by default the one bound to the log
            context, anything malformed is left out. Source: https://www.w3.org/TR/trace-context/

    Raises:
        TooLarge: an event is above 1 MiB.
    """
    if not envelopes:
        return
    bodies = [envelope.to_json() for envelope in envelopes]
    if any(len(body) > MAX_BODY_BYTES for body in bodies):
        raise TooLarge("An event is larger than a message may be.")
    await conn.execute(
        APPEND,
        [envelope.id for envelope in envelopes],
        [envelope.type for envelope in envelopes],
        bodies,
        _trace(traceparent),
    )


def _trace(given: str | None) -> str | None:
    value = given or structlog.contextvars.get_contextvars().get("traceparent")
    return value if isinstance(value, str) and TRACEPARENT.fullmatch(value) else None


@dataclass(frozen=True, slots=True)
class Row:
    """An event on its way out."""

    id: int
    event_id: UUID
    type: str
    body: bytes
    traceparent: str | None
    age_s: float
    """Seconds since it was appended."""


LIST_OLDEST = """
SELECT id, event_id, type, body, traceparent,
       extract(epoch FROM clock_timestamp() - created_at)::float8
  FROM outbox
 ORDER BY id
 LIMIT $1
"""


async def list_oldest(conn: Connection, limit: int) -> list[Row]:
    """Return up to `limit` rows, lowest id first."""
    return [Row(*record) for record in await conn.fetch(LIST_OLDEST, limit)]


DELETE = """
DELETE FROM outbox
 WHERE id = ANY($1::bigint[]) AND set_config('synchronous_commit', 'off', true) = 'off'
"""


async def delete(conn: Connection, ids: Sequence[int]) -> None:
    """Remove the rows the broker confirmed, in a transaction of its own.

    That it reaches the disk is not waited for: a database that crashes may have rows again that
    were published, and they are published again under their ids.
    """
    await conn.execute(DELETE, ids)


BURY = """
WITH gone AS (
    DELETE FROM outbox
     WHERE id = $1
    RETURNING id, event_id, type, body, traceparent, created_at
)
INSERT INTO outbox_dead (id, event_id, type, body, traceparent, created_at, reason)
SELECT id, event_id, type, body, traceparent, created_at, $2
  FROM gone
"""


async def bury(conn: Connection, row_id: int, *, reason: str) -> None:
    """Move a row that can never be published out of the way; `reason` is a short constant."""
    await conn.execute(BURY, row_id, reason)


REVIVE = """
WITH back AS (
    DELETE FROM outbox_dead
    RETURNING id, event_id, type, body, traceparent, created_at
), added AS (
    INSERT INTO outbox (event_id, type, body, traceparent, created_at)
    SELECT event_id, type, body, traceparent, created_at
      FROM back
     ORDER BY id
    RETURNING 1
)
SELECT count(*), pg_notify('outbox', '')
  FROM added
"""


async def revive(conn: Connection) -> int:
    """Give every buried row another chance, in their old order; return how many."""
    row = await conn.fetchrow(REVIVE)
    return 0 if row is None else int(row[0])


PURGE_DEAD = """
DELETE FROM outbox_dead
 WHERE id IN (SELECT id FROM outbox_dead WHERE died_at < $1 ORDER BY died_at LIMIT $2)
"""


async def purge_dead(conn: Connection, *, before: datetime, limit: int = 1_000) -> int:
    """Forget up to `limit` buried rows that died before then; return how many."""
    tag: str = await conn.execute(PURGE_DEAD, before, limit)
    return int(tag.rpartition(" ")[2])


LAG = """
SELECT coalesce(
    (SELECT greatest(extract(epoch FROM clock_timestamp() - created_at), 0)
       FROM outbox
      ORDER BY id
      LIMIT 1), 0)::float8
"""


async def lag_s(conn: Connection) -> float:
    """Return the age in seconds of the oldest event that is still waiting (0: none is)."""
    return float(await conn.fetchval(LAG))
