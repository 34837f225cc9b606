"""People's calendars on the stage of `bench.latency`: connected, watched, and what they cost."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from bench.latency.stage import Stage
from services.calendar.settings import WEBHOOK

WATCH_S = 120
POLL_S = 0.2


async def watched(
    stage: Stage, session: aiohttp.ClientSession, people: list[str]
) -> dict[str, dict[str, str]]:
    """Return the headers of a notice of each person's calendar, once Google watches all.

    Raises:
        TimeoutError: it does not watch all of them.
    """
    async with asyncio.timeout(WATCH_S):
        while True:
            told = await stage.control(session, "GET", "notifications")
            found = {one["person"]: one for one in told["channels"]}
            if found.keys() >= {*people}:
                break
            await asyncio.sleep(POLL_S)
    return {
        person: {
            "X-Goog-Channel-ID": one["id"],
            "X-Goog-Channel-Token": one["token"],
            "X-Goog-Resource-ID": one["resourceId"],
            "X-Goog-Resource-State": "exists",
        }
        for person, one in found.items()
    }


def webhook(stage: Stage) -> str:
    """Return where notices go."""
    return stage.state.url("calendar", "web") + WEBHOOK


def meeting(number: int) -> dict[str, Any]:
    """Return an event as a person makes it in Google."""
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1, minutes=number)
    return {
        "summary": f"Offer {number}",
        "description": "Please find our offer below.\n" + "A line of text.\n" * 20,
        "location": "Room 7",
        "start": {"dateTime": start.isoformat(), "timeZone": "Europe/Paris"},
        "end": {
            "dateTime": (start + timedelta(minutes=45)).isoformat(),
            "timeZone": "Europe/Paris",
        },
    }


async def calls(stage: Stage, session: aiohttp.ClientSession) -> dict[str, int]:
    """Return how often each method of Calendar was called."""
    usage = await stage.control(session, "GET", "usage")
    found: dict[str, int] = {}
    for one in usage["people"].values():
        for name, method in one["methods"].items():
            if name.startswith("calendar."):
                found[name] = found.get(name, 0) + method["calls"]
    return found
