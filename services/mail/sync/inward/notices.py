"""Gmail's notifications taken in, however they came: the mailbox's feeds are dirty, committed."""

import hashlib
from collections.abc import Callable
from datetime import datetime

from prometheus_client import Counter

from libs.common.db import Pool, transaction
from libs.common.feeds import Door
from libs.common.feeds.dead_items import add_dead_item
from services.mail.domain.push import Push

LONGEST_KEPT = 65_536
"""Bytes of an unusable notification that are kept for a person to look at."""

PUSHES = Counter(
    "causeway_mail_pushes_total",
    "Genuine notifications, pushed or pulled: known, unknown (no such mailbox) or unusable.",
    ["outcome"],
)
KNOWN, UNKNOWN, UNUSABLE = (PUSHES.labels(name) for name in ("known", "unknown", "unusable"))


class Notices:
    """What the webhook and the puller do with a notification."""

    def __init__(self, pool: Pool, door: Door, *, now: Callable[[], datetime]) -> None:
        self._pool = pool
        self._door = door
        self._now = now

    async def take(self, push: Push, *, count: int = 1) -> None:
        """Mark the mailbox's feeds dirty; return once that is committed.

        Args:
            push: the notification.
            count: how many that say the same it stands for.

        Raises:
            Transient: whether it was committed is not known; it has to come again.
        """
        known = await self._door.knock(push.address)
        (KNOWN if known else UNKNOWN).inc(count)

    async def put_aside(self, body: bytes) -> None:
        """Keep what is genuine and cannot be read: refused, it would only come again."""
        async with transaction(self._pool) as conn:
            await add_dead_item(
                conn,
                kind="gmail.push",
                item=hashlib.sha256(body).hexdigest(),
                cause="unusable-body",
                now=self._now(),
                payload=body[:LONGEST_KEPT],
            )
        UNUSABLE.inc()
