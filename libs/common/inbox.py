"""The inbox: an event delivered twice has its effect once."""

from uuid import UUID

from libs.common.db import Connection

ADD_SEEN = """
INSERT INTO inbox (consumer, event_id)
VALUES ($1, $2)
ON CONFLICT DO NOTHING
RETURNING true
"""


async def first_time(conn: Connection, consumer: str, event_id: UUID) -> bool:
    """Note that `consumer` handles the event; return False when it did so before.

    To be called in the transaction of the effect: they commit together. A twin delivery
    that is being handled at this moment is waited for.
    """
    return bool(await conn.fetchval(ADD_SEEN, consumer, event_id))


PURGE = """
WITH old AS (
    SELECT consumer, event_id
      FROM inbox
     WHERE seen_at < now() - make_interval(secs => $1)
     LIMIT $2
), gone AS (
    DELETE FROM inbox
     USING old
     WHERE inbox.consumer = old.consumer AND inbox.event_id = old.event_id
    RETURNING 1
)
SELECT count(*) FROM gone
"""


async def purge(conn: Connection, *, older_than_s: float, limit: int = 10_000) -> int:
    """Forget up to `limit` events seen more than `older_than_s` seconds ago; return how many.

    That must be longer than a duplicate can be late: the age of the log stream and of the
    dead letters one would still replay.
    """
    return int(await conn.fetchval(PURGE, older_than_s, limit))
