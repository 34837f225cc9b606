"""Housekeeping as tests want it: done when it returns, whatever a service's own round is at."""

from libs.common.db import Pool, transaction
from libs.common.housekeeping import LOCK_KEY, Chore


async def swept(pool: Pool, chores: tuple[Chore, ...]) -> None:
    """Do each chore until nothing is left.

    Where `clean_house` leaves a chore to the replica that is at it, this waits for its turn: a
    service under test begins its own round when it starts, and may have looked before the test
    made something old.
    """
    for chore in chores:
        while await _batch(pool, chore):
            pass


async def _batch(pool: Pool, chore: Chore) -> int:
    async with transaction(pool) as conn:
        await conn.execute("SELECT pg_advisory_xact_lock($1)", LOCK_KEY)
        return await chore.sweep(conn)
