"""Changing events by hand: the patch, the page that tells of it, the rows: nothing is remembered.

A lost answer would be a lost or a doubled change, and what a person changed meanwhile is refused.
"""

from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
import orjson
import uvloop

from bench.backfill.reading import used_s
from bench.calendar.diary import GOOGLE_ID, diary
from bench.calendar.handwritten import ask, write

EVENTS = f"/calendar/v3/calendars/{GOOGLE_ID}/events"


def run(database: str, origin: str, granted: str, events: int, number: int) -> float:
    """Change the title of every event of a calendar; return the CPU seconds that took."""
    return uvloop.run(_run(database, origin, granted, diary(1, events).id, number))


async def _run(database: str, origin: str, granted: str, connection_id: UUID, number: int) -> float:
    conn = await asyncpg.connect(database)
    headers = {"Authorization": f"Bearer {granted}", "Accept-Encoding": "identity"}
    async with aiohttp.ClientSession(origin, headers=headers) as session:
        found = await ask(session, {})
        await write(conn, connection_id, found["items"], found["nextSyncToken"], origin="backfill")
        place, before = found["nextSyncToken"], used_s()
        for one in found["items"]:
            await _patch(session, one, {"summary": f"Offer {number} of {one['id'][:8]}"})
            told = await ask(session, {"syncToken": place})
            place = told["nextSyncToken"]
            await write(conn, connection_id, told["items"], place, origin="crm")
        used = used_s() - before
    await conn.close()
    return used


async def _patch(
    session: aiohttp.ClientSession, event: dict[str, Any], changes: dict[str, Any]
) -> None:
    headers = {"If-Match": event["etag"], "Content-Type": "application/json"}
    url, body = f"{EVENTS}/{event['id']}", orjson.dumps(changes)
    async with session.patch(url, data=body, headers=headers) as answer:
        answer.raise_for_status()
        orjson.loads(await answer.read())
