"""Claims due feeds, runs them side by side, and says when each runs next."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from prometheus_client import Counter, Gauge

from libs.common.bell import Bell
from libs.common.db import FAILURES, UNAVAILABLE, Connection, Pool, acquired, transaction
from libs.common.errors import AccessRevoked, AppError, RateLimited, Transient
from libs.common.feeds import store
from libs.common.feeds.lease import Lease, LeaseLost
from libs.common.feeds.model import Feed, FeedState, retry_delay_s

log = structlog.get_logger(__name__)

RUNS = Counter("causeway_feed_runs_total", "Runs of feeds", ["kind", "outcome"])
RUNNING = Gauge("causeway_feeds_running", "Feeds being run by this process")

DATABASE_AWAY: tuple[type[Exception], ...] = (Transient, *FAILURES)
"""What a runner lives through: also that no connection is free."""

OnChange = Callable[[Connection, Feed, Lease], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class FeedKind:
    """How feeds of one kind are run, and how long a quiet one may stay unpolled."""

    run: Callable[[Lease], Awaitable[None]]
    poll_every_s: float
    on_change: OnChange | None = None
    """Called when a run changed the feed's state or reason, in the transaction that does: with
    the feed as it is now, under the sequence of this change, and the lease (`lease.feed` is the
    feed as it was). What it raises undoes the change, and the feed runs again."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How a run ended and what follows from it."""

    name: str
    state: FeedState = FeedState.ACTIVE
    reason: str | None = None
    wait_s: float | None = None
    """None: until the next poll. Otherwise not before that many seconds have passed."""
    failed: bool = False
    synced: bool = False


class Runner:
    """Runs the feeds of one database; any number of replicas may do so at once."""

    def __init__(
        self,
        pool: Pool,
        kinds: Mapping[str, FeedKind],
        *,
        bell: Bell,
        now: Callable[[], datetime],
        concurrency: int = 8,
        lease_s: float = 30.0,
        idle_s: float = 1.0,
        background: bool = False,
    ) -> None:
        """Run at most `concurrency` feeds at once, each under leases of `lease_s` seconds.

        Args:
            bell: rings when a signal is raised; without a ring, due feeds are looked for every
                `idle_s` seconds.
            background: run the feeds whose runs take long, and only those.
        """
        self._pool = pool
        self._kinds = kinds
        self._bell = bell
        self._now = now
        self._concurrency = concurrency
        self._lease = timedelta(seconds=lease_s)
        self._idle_s = idle_s
        self._background = background
        self._active: set[asyncio.Task[None]] = set()
        self._claiming: asyncio.Task[int] | None = None

    async def run(self) -> None:
        """Claim and run for ever; on cancellation give every lease back."""
        async with self._bell.listening():
            try:
                while True:
                    if not await self._claim_or_wait_out():
                        await self._bell.wait(self._idle_s)
            finally:
                await self._stop()

    async def _claim_or_wait_out(self) -> bool:
        """As `_claim_free`; while the database is away what runs goes on, and nothing starts."""
        try:
            return await self._claim_free()
        except DATABASE_AWAY as exc:
            log.warning("feeds_not_claimed", error=type(exc).__name__)
            await asyncio.sleep(self._idle_s)
            return False

    async def _claim_free(self) -> bool:
        """Start what is due, up to the free slots; False when no more can be due now."""
        if len(self._active) >= self._concurrency:
            await asyncio.wait(self._active, return_when=asyncio.FIRST_COMPLETED)
        free = self._concurrency - len(self._active)
        # Never broken off half-way: nobody would give back what the database has handed out.
        self._claiming = asyncio.create_task(self._claim(free), name="claim")
        claimed = await asyncio.shield(self._claiming)
        RUNNING.set(len(self._active))
        return claimed == free

    async def _claim(self, free: int) -> int:
        """Start what is due, `free` of it at most; return how much that was."""
        now = self._now()
        async with acquired(self._pool) as conn:
            claimed = await store.claim(
                conn,
                limit=free,
                now=now,
                lease_until=now + self._lease,
                background=self._background,
            )
        for feed, epoch, generation in claimed:
            task = asyncio.create_task(self._serve(Lease(feed, epoch=epoch, generation=generation)))
            self._active.add(task)
            task.add_done_callback(self._active.discard)
        return len(claimed)

    async def _serve(self, lease: Lease) -> None:
        with structlog.contextvars.bound_contextvars(
            feed_id=str(lease.feed.id), tenant_id=lease.feed.tenant_id
        ):
            if lease.feed.kind not in self._kinds:
                # Of another release: its workers take it once this lease has run out.
                log.warning("feed_kind_unknown", kind=lease.feed.kind)
                return
            try:
                outcome = await self._guarded(lease)
            except asyncio.CancelledError:
                feed = lease.feed
                await self._finish(lease, _Outcome("released", feed.state, feed.reason, 0.0))
                raise
            RUNS.labels(lease.feed.kind, outcome.name).inc()
            if outcome.name != "lease_lost":
                await self._finish(lease, outcome)

    async def _guarded(self, lease: Lease) -> _Outcome:
        """Run the feed while its lease is renewed; turn every end into an outcome."""
        work = asyncio.ensure_future(self._kinds[lease.feed.kind].run(lease))
        keeper = asyncio.create_task(self._keep(lease, work))
        try:
            await work
        except asyncio.CancelledError:
            if not keeper.done():
                raise  # we are being stopped; the keeper did not do it
            return _Outcome("lease_lost")
        except UNAVAILABLE as exc:
            cause = type(exc).__name__
            return self._failure(lease, Transient("The database is away.", cause=cause))
        except Exception as exc:  # noqa: BLE001 - the edge where a run's failure becomes its outcome
            return self._failure(lease, exc)
        finally:
            await _ended(keeper, work)
        return _success(lease)

    async def _keep(self, lease: Lease, work: "asyncio.Future[None]") -> None:
        """Renew the lease every third of it; cancel `work` once it is lost."""
        while True:
            await asyncio.sleep(self._lease.total_seconds() / 3)
            try:
                async with transaction(self._pool) as conn:
                    until = self._now() + self._lease
                    held = await store.renew(conn, lease.feed, lease.epoch, lease_until=until)
            except DATABASE_AWAY as exc:
                log.warning("lease_renewal_failed", error=type(exc).__name__)
                continue
            if not held:
                work.cancel()
                return

    def _failure(self, lease: Lease, exc: Exception) -> _Outcome:
        failures = lease.feed.failures + 1
        delay_s = retry_delay_s(failures, jitter=random.random())  # noqa: S311 - spreads load only
        match exc:
            case LeaseLost():
                return _Outcome("lease_lost")
            case RateLimited(retry_after_s=wait_s):
                return _Outcome("rate_limited", lease.feed.state, lease.feed.reason, wait_s)
            case AccessRevoked():
                return _Outcome("revoked", FeedState.PAUSED, "reauthorization_required")
            case Transient():
                cause = exc.data.get("cause")
                log.info("feed_run_failed", reason=exc.slug, cause=cause, failures=failures)
                return _Outcome("transient", FeedState.DEGRADED, exc.slug, delay_s, failed=True)
            case AppError():
                log.warning("feed_run_refused", reason=exc.slug, failures=failures)
                return _Outcome("refused", FeedState.DEGRADED, exc.slug, delay_s, failed=True)
            case _:
                log.error("feed_run_crashed", exc_info=exc, failures=failures)
                return _Outcome("crashed", FeedState.DEGRADED, "internal", delay_s, failed=True)

    async def _finish(self, lease: Lease, outcome: _Outcome) -> None:
        try:
            # One statement, unless somebody is to be told in its transaction.
            scope = transaction if _changes(lease.feed, outcome) else acquired
            async with scope(self._pool) as conn:
                await self._commit_end(conn, lease, outcome)
        except DATABASE_AWAY as exc:  # the lease runs out by itself, and the feed is due again
            log.warning("feed_finish_failed", error=type(exc).__name__)
        except Exception:  # of `on_change`; as above
            log.exception("feed_change_untold")
        if outcome.name == "more":
            self._bell.ring()

    async def _commit_end(self, conn: Connection, lease: Lease, outcome: _Outcome) -> None:
        now, kind, before = self._now(), self._kinds[lease.feed.kind], lease.feed
        poll_s = kind.poll_every_s if lease.poll_s is None else min(kind.poll_every_s, lease.poll_s)
        wait = timedelta(seconds=outcome.wait_s or 0.0)
        feed = await store.finish(
            conn,
            before,
            lease.epoch,
            generation=lease.generation,
            due_at=now + (timedelta(seconds=poll_s) if outcome.wait_s is None else wait),
            not_before=now + wait,
            state=outcome.state,
            reason=outcome.reason,
            failures=_failures(before, outcome),
            synced_at=now if outcome.synced else None,
            now=now,
        )
        if feed is not None and kind.on_change is not None and _changes(before, outcome):
            await kind.on_change(conn, feed, lease)

    async def _stop(self) -> None:
        if self._claiming is not None:
            await asyncio.gather(self._claiming, return_exceptions=True)
        await asyncio.sleep(0)  # what has just been started begins, and gives its lease back
        await _ended(*self._active)


def _success(lease: Lease) -> _Outcome:
    """Return the outcome of a run that ended by itself, as it asked for."""
    left = lease.left_behind
    if lease.closes:
        return _Outcome("closed", FeedState.CLOSED, left, synced=True)
    state = FeedState.ACTIVE if left is None else FeedState.DEGRADED
    if lease.has_more:
        return _Outcome("more", state, left, wait_s=0.0)
    return _Outcome("ok" if left is None else "partial", state, left, synced=True)


def _changes(feed: Feed, outcome: _Outcome) -> bool:
    return (feed.state, feed.reason) != (outcome.state, outcome.reason)


def _failures(feed: Feed, outcome: _Outcome) -> int:
    if outcome.name == "released":
        return feed.failures
    return feed.failures + 1 if outcome.failed else 0


async def _ended(*tasks: "asyncio.Future[None]") -> None:
    """Cancel what still runs and wait for it: a lease is given back by nobody who works on."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
