"""The ledger: leases units from the database in slices, and spends those in this process."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from prometheus_client import Counter

from libs.common.db import FAILURES, UNAVAILABLE, Connection, Pool, acquired, transaction
from libs.common.errors import RateLimited, Transient
from libs.common.quota import model, store
from libs.common.quota.model import Budgets, Lane, Left, Refusal, Slice

PURSES = 10_000
"""Above this many, those with nothing in them are thrown away."""
SHORTEST_WAIT_S = 0.1
JITTER = 0.2
"""A backfill waits up to this part longer, so that not all come back at once."""

UNITS = Counter("causeway_quota_units", "Units of Google's quota spent.", ["lane"])
REFUSED = Counter(
    "causeway_quota_refused",
    "Spendings refused, by lane and by the scope that had too little left (google: it said so).",
    ["lane", "scope"],
)

NOT_NOTED: tuple[type[Exception], ...] = (Transient, *FAILURES)

log = structlog.stdlib.get_logger(__name__)


@dataclass(slots=True)
class _Purse:
    """What this process holds for one account and lane; leasing is one task's at a time."""

    slice: Slice = field(default_factory=Slice)
    refusal: Refusal | None = None
    refused_units: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def remembers(self, units: int, at: float) -> Refusal | None:
        """Return the refusal that still holds: nothing can have become free before its time."""
        if self.refusal is None or at >= self.refusal.until or units < self.refused_units:
            return None
        return self.refusal

    def is_idle(self, at: float) -> bool:
        """Return whether nothing would be lost with it."""
        return not self.lock.locked() and at >= self.slice.ends


class Ledger:
    """Keeps all replicas together within Google's quota.

    Args:
        pool: of a database with the kernel's migration set `quota`, shared by the replicas.
        budgets: the same in all of them.
        now: the clock; replicas' clocks must agree to a second or so.
    """

    def __init__(self, pool: Pool, budgets: Budgets, *, now: Callable[[], datetime]) -> None:
        self._pool = pool
        self._budgets = budgets
        self._now = now
        self._purses: dict[tuple[UUID, Lane], _Purse] = {}
        self._pauses: dict[UUID, datetime] = {}

    async def spend(self, account_id: UUID, lane: Lane, units: int) -> None:
        """Return once `units` may be spent at Google, at once; they count from now on.

        Raises:
            RateLimited: `quota-exhausted`: not before `retry_after_s` seconds. Nothing was
                waited for, nothing was spent.
            Transient: the database is away.
            ValueError: fewer than 0 units, or more than a budget could ever give.
        """
        if units < 0:
            raise ValueError("units must not be negative")
        purse = self._purse(account_id, lane)
        async with purse.lock:
            now = self._now()
            self._heed_pause(account_id, lane, now)
            if purse.slice.usable(now.timestamp()) < units:
                await self._lease(purse, account_id, lane, units, now)
            purse.slice.left -= units
        UNITS.labels(lane.value).inc(units)

    async def refused(self, account_id: UUID, retry_after_s: float) -> None:
        """Note that Google wants no request for the account for so many seconds.

        This replica heeds it at once, even with the database away; the others do when they
        next lease: within five seconds.
        """
        until = self._now() + timedelta(seconds=retry_after_s)
        self._pauses[account_id] = max(until, self._pauses.get(account_id, until))
        try:
            async with transaction(self._pool) as conn:
                await store.pause(conn, model.account_scope(account_id), until)
        except NOT_NOTED as exc:
            error = type(exc).__name__
            log.warning("quota_pause_not_noted", account_id=str(account_id), error=error)

    async def left(self, conn: Connection, account_ids: Sequence[UUID]) -> dict[UUID, Left]:
        """Return what each account may still spend; what slices hold counts as spent."""
        now, budgets = self._now(), self._budgets
        minutes = {
            one: model.minute_limit(
                budgets.scope(model.account_scope(one)), "", budgets.account_per_minute, now
            )
            for one in account_ids
        }
        days = {
            one: model.day_limit(
                budgets.scope(model.backfill_scope(one)), "", budgets.backfill_per_day, now
            )
            for one in account_ids
        }
        used = await store.read_used(conn, [*minutes.values(), *days.values()])
        scopes = [model.account_scope(one) for one in account_ids]
        pauses = await store.read_pauses(conn, scopes, now=now)
        return {
            one: Left(
                minute=minutes[one].free(used.get(minutes[one].scope, {})),
                today=days[one].free(used.get(days[one].scope, {})),
                paused_until=pauses.get(model.account_scope(one)),
            )
            for one in account_ids
        }

    def _purse(self, account_id: UUID, lane: Lane) -> _Purse:
        if len(self._purses) >= PURSES and (account_id, lane) not in self._purses:
            at = self._now().timestamp()
            self._purses = {k: one for k, one in self._purses.items() if not one.is_idle(at)}
        return self._purses.setdefault((account_id, lane), _Purse())

    def _heed_pause(self, account_id: UUID, lane: Lane, now: datetime) -> None:
        until = self._pauses.get(account_id)
        if until is None:
            return
        if now >= until:
            del self._pauses[account_id]
            return
        raise _exhausted(lane, "google", (until - now).total_seconds())

    async def _lease(
        self, purse: _Purse, account_id: UUID, lane: Lane, units: int, now: datetime
    ) -> None:
        """Put a new slice of at least `units` into the purse."""
        at = now.timestamp()
        wanted = model.limits(self._budgets, account_id, lane, now)
        if units > min(limit.ceiling for limit in wanted):
            raise ValueError("more units than a budget has")
        refusal = purse.remembers(units, at)
        if refusal is None:
            most = purse.slice.next_size(at, largest=self._budgets.slice)
            leased = await self._take(account_id, lane, units, most)
            if isinstance(leased, Slice):
                leased.before = purse.slice.spent() if at < purse.slice.ends else 0
                purse.slice, purse.refusal = leased, None
                return
            refusal, purse.refusal, purse.refused_units = leased, leased, units
        raise _exhausted(lane, refusal.name, refusal.until - self._now().timestamp())

    async def _take(self, account_id: UUID, lane: Lane, least: int, most: int) -> Slice | Refusal:
        """Book from `least` to `most` units in every scope, or nothing in any."""
        account = model.account_scope(account_id)
        try:
            async with acquired(self._pool) as conn:
                while True:  # once, unless locks were waited for all too long
                    now = self._now()
                    wanted = model.limits(self._budgets, account_id, lane, now)
                    taken = await store.take(conn, account, wanted, least=least, most=most, now=now)
                    if isinstance(taken, datetime):
                        self._pauses[account_id] = taken
                        self._heed_pause(account_id, lane, now)
                    elif taken is None:
                        used = await store.read_used(conn, wanted)
                        refusal = model.settle(wanted, used, least=least, most=most)
                        if isinstance(refusal, Refusal):
                            return refusal
                    elif self._now().timestamp() < (ends := model.slice_end(now)):
                        return Slice(taken, taken, ends)
        except UNAVAILABLE as exc:
            raise Transient("The quota's ledger cannot be reached.") from exc


def _exhausted(lane: Lane, scope: str, wait_s: float) -> RateLimited:
    REFUSED.labels(lane.value, scope).inc()
    wait_s = max(wait_s, SHORTEST_WAIT_S)
    if lane is Lane.BACKFILL:
        wait_s *= 1 + JITTER * random.random()  # noqa: S311 - spreads load only
    return RateLimited(
        "Google's quota is used up for now.",
        retry_after_s=wait_s,
        slug="quota-exhausted",
        scope=scope,
    )
