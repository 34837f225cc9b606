"""The mail of before: put into the mailbox at Google, then watched as it is taken in."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from cli.demo.account import Account, Filled
from cli.demo.bar import Bar
from cli.demo.crm import Crm
from cli.demo.errors import StoryError
from cli.demo.google import NotTakenError, Person
from cli.demo.mailbag import Item

BACKFILL_DAYS: Final = 30  # what a new connection takes in by itself
MOST_DAYS: Final = 3650
DAY_MS: Final = 86_400_000
POLL_S: Final = 0.5
STALLED_S: Final = 180.0
SETTLED_S: Final = 10.0
MISSING: Final = "the mail service does not take in the mail of before"

Look = Callable[[], Awaitable["State | None"]]


@dataclass(frozen=True, slots=True)
class State:
    """How far the taking in is."""

    done: int
    total: int | None
    state: str
    reason: str | None

    @property
    def is_over(self) -> bool:
        """Tell whether nothing more will come of it."""
        return self.state in {"done", "failed"}


async def fill(person: Person, items: Iterable[Item], *, bar: Bar, now: datetime) -> Filled:
    """Put every message into the person's mailbox; return what became of each.

    Mail older than can be asked for arrives at the oldest day that can.
    """
    earliest = int(now.timestamp() * 1000) - (MOST_DAYS - 1) * DAY_MS
    labels: dict[str, tuple[str, ...]] = {}
    refused: Counter[str] = Counter()
    oldest: int | None = None
    for item in items:
        moment = item.internal_date_ms
        if moment is not None and moment < earliest:
            moment = earliest
        placed = Item(item.raw, item.labels, moment)
        try:
            labels[await person.put(placed)] = item.labels
        except NotTakenError as exc:
            refused[str(exc)] += 1
        else:
            oldest = moment if oldest is None else min(oldest, moment or oldest)
        bar.show(len(labels) + refused.total(), None)
    return Filled(labels, refused, oldest)


def days_needed(oldest_ms: int | None, *, now: datetime) -> int:
    """Return how many days back the mail lies, a day added for clocks and zones."""
    if oldest_ms is None:
        return 1
    age_ms = int(now.timestamp() * 1000) - oldest_ms
    return max(1, min(MOST_DAYS, age_ms // DAY_MS + 2))


async def take_in(crm: Crm, connection_id: str, filled: Filled, *, bar: Bar) -> Account:
    """Return the balance of the mail of before, once all of it was taken in.

    Raises:
        StoryError: the service does not take it in, gave up, or came to a standstill.
    """
    days = days_needed(filled.oldest_ms, now=datetime.now(UTC))
    if days <= BACKFILL_DAYS:
        await follow(lambda: _of_feed(crm, connection_id), bar=bar)
    else:
        job = await crm.sync(connection_id, days=days)
        await follow(lambda: _of_job(crm, job), bar=bar)
    return await settle(lambda: balance(crm, connection_id, filled))


async def follow(look: Look, *, bar: Bar, stalled_s: float = STALLED_S) -> None:
    """Show how far the taking in is until it is done.

    Raises:
        StoryError: it failed, never began, or did not move for `stalled_s` seconds.
    """
    last, moved_at = None, time.monotonic()
    while True:
        seen = await look()
        if seen is not None:
            held = seen.state if seen.state == "held" else ""
            bar.show(seen.done, seen.total, seen.reason or held)
            if seen.state == "failed":
                raise StoryError(f"taking in the mail of before failed: {seen.reason}")
            if seen.is_over:
                return
        if seen != last:
            last, moved_at = seen, time.monotonic()
        elif time.monotonic() - moved_at > stalled_s:
            why = MISSING if seen is None else f"it stands still at {seen.done}: {seen.reason}"
            raise StoryError(why)
        await asyncio.sleep(min(POLL_S, stalled_s))


async def settle(look: Callable[[], Awaitable[Account]], *, within_s: float = SETTLED_S) -> Account:
    """Return the balance once it balances, or as it is when it no longer changes."""
    last, moved_at = await look(), time.monotonic()
    while last.missing and time.monotonic() - moved_at < within_s:
        await asyncio.sleep(min(POLL_S, within_s))
        now = await look()
        if now.missing != last.missing:
            moved_at = time.monotonic()
        last = now
    return last


async def balance(crm: Crm, connection_id: str, filled: Filled) -> Account:
    """Return what is stored and parked of the mail that was put in, as of now."""
    stored = await crm.stored(connection_id)
    return Account.of(filled, stored=stored, parked=await crm.parked(connection_id))


async def _of_feed(crm: Crm, connection_id: str) -> State | None:
    feed = await crm.backfill(connection_id)
    if feed is None:
        return None
    progress: dict[str, Any] = feed.get("progress") or {}
    ended = "done" if feed["state"] == "closed" else feed["state"]
    return State(
        progress.get("done", 0),
        progress.get("total"),
        progress.get("state") or ended,
        feed.get("reason"),
    )


async def _of_job(crm: Crm, job_id: str) -> State:
    job = await crm.job(job_id)
    return State(job["done"] or 0, job.get("total"), job["state"], job.get("reason"))
