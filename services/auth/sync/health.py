"""How Google takes us, asked at most every few seconds whoever wants to know."""

import asyncio
from datetime import datetime, timedelta

from libs.common.db import transaction
from services.auth.domain.rules import Window
from services.auth.google import Health
from services.auth.store import dues
from services.auth.sync.context import Context
from services.auth.sync.outcome import WATCHED

FRESH = timedelta(seconds=5)


class HealthDesk:
    """Remembers the last look at Google for a few seconds."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._last: tuple[datetime, Health] | None = None
        self._looking = asyncio.Lock()

    async def look(self, *, now: datetime) -> tuple[datetime, Health]:
        """Return what Google showed, and when."""
        async with self._looking:
            if self._last is None or not timedelta(0) <= now - self._last[0] < FRESH:
                self._last = now, await self._context.google.look(now=now)
            return self._last

    async def window(self, *, now: datetime) -> tuple[Window, bool]:
        """Return how the refreshes of the last minutes ended, and whether that is alarming."""
        async with transaction(self._context.pool) as conn:
            window = await dues.read_window(conn, now - WATCHED)
        return window, self._context.alarm.rings(window)
