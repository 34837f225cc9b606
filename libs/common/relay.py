"""The relay: carries the outbox to the broker, in order, and forgets what was confirmed.

One relay per service works at a time, the one that holds an advisory lock; lock, LISTEN and
every statement share one connection, so that a relay that lost the lock cannot go on
deleting. No transaction is open while the broker is spoken to. An event may therefore be
published twice (after a crash between confirm and delete), never not at all.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import aiormq.abc
import structlog
from aio_pika.abc import AbstractConnection
from aiormq.exceptions import ChannelPreconditionFailed, DeliveryError, PublishError
from pamqp.commands import Basic
from prometheus_client import Counter, Gauge
from pydantic import SecretStr

from libs.common import db, outbox
from libs.common.bus import link
from libs.common.bus.topology import EXCHANGE, declare_log
from libs.common.events.envelope import CONTENT_TYPE

LOCK_KEY = 0x0CA05E3B0
"""Of the advisory lock of a service's active relay (each service has a database of its own)."""
BATCH = 500
WINDOW = 256
"""Messages waiting for their confirm at any time."""
DECLARE_EVERY_S = 60.0

PUBLISHED = Counter("causeway_outbox_published", "Events the broker confirmed.", ["type"])
BURIED = Counter("causeway_outbox_dead", "Events moved to outbox_dead.", ["reason"])
LAG = Gauge("causeway_outbox_lag_seconds", "Age of the oldest event not yet published.")
ACTIVE = Gauge("causeway_relay_active", "1 while this process is its service's active relay.")

log = structlog.stdlib.get_logger(__name__)

Prepare = Callable[[AbstractConnection], Awaitable[None]]


@dataclass(slots=True)
class Outcome:
    """What became of a batch."""

    confirmed: list[outbox.Row] = field(default_factory=list)
    returned: list[outbox.Row] = field(default_factory=list)
    """No queue takes them."""
    unsendable: list[outbox.Row] = field(default_factory=list)
    """They do not fit into an AMQP frame."""
    refused: int = 0
    """The broker could not take them now."""
    failure: link.BrokerLost | None = None
    """Why the rest of the batch was not tried, if it was not."""


class Relay:
    """Publishes one service's outbox.

    Args:
        database_url: of the service's database.
        amqp_url: of the broker.
        service: its name, for the connections' names and the log.
        poll_s: longest time an idle relay goes without looking (a notification may get
            lost), and a standby without asking for the lock.
        backoff: waits between attempts to reach a broker or database that is away.
        prepare: declares what the messages are published to, at each connection and, while
            idle, every `declare_every_s` seconds.
    """

    def __init__(
        self,
        database_url: str | SecretStr,
        amqp_url: str | SecretStr,
        *,
        service: str,
        poll_s: float = 1.0,
        backoff: link.Backoff | None = None,
        prepare: Prepare = declare_log,
        declare_every_s: float = DECLARE_EVERY_S,
    ) -> None:
        self._database_url = database_url
        self._amqp_url = amqp_url
        self._name = f"{service}.relay"
        self._poll_s = poll_s
        self._backoff = backoff or link.Backoff()
        self._prepare = prepare
        self._declare_every_s = declare_every_s
        self._wake = asyncio.Event()
        self._window = WINDOW

    async def run(self) -> None:
        """Relay until cancelled; a lost database or broker is waited for."""
        while True:
            try:
                async with self._leading() as conn:
                    await self._lead(conn)
            except db.FAILURES as exc:
                log.warning("relay_database_lost", error=type(exc).__name__)
            await self._backoff.wait()

    @asynccontextmanager
    async def _leading(self) -> AsyncIterator[db.Connection]:
        """Yield the one connection, once it holds the lock."""
        conn = await db.connect(self._database_url, application_name=self._name)
        try:
            # Asked again and again: the holder is another process, no Event of ours reaches it.
            while not await conn.fetchval(  # noqa: ASYNC110
                "SELECT pg_try_advisory_lock($1)", LOCK_KEY
            ):
                await asyncio.sleep(self._poll_s)
            conn.add_termination_listener(lambda _conn: self._wake.set())
            await conn.add_listener(outbox.CHANNEL, lambda *_: self._wake.set())
            ACTIVE.set(1)
            log.info("relay_active", relay=self._name)
            yield conn
        finally:
            ACTIVE.set(0)
            with suppress(*db.FAILURES):
                await conn.close(timeout=db.CLOSE_TIMEOUT_S)

    async def _lead(self, conn: db.Connection) -> None:
        while not conn.is_closed():
            try:
                async with link.connected(self._amqp_url, name=self._name) as connection:
                    await self._prepare(connection)
                    await self._carry(conn, connection)
            except link.BrokerLost as exc:
                log.warning("relay_broker_lost", cause=exc.data.get("cause"))
            LAG.set(await outbox.lag_s(conn))
            await self._backoff.wait()

    async def _carry(self, conn: db.Connection, connection: AbstractConnection) -> None:
        with link.broker_errors():
            channel = await connection.channel(on_return_raises=True)
            underlay = await channel.get_underlay_channel()
        declared_at = asyncio.get_running_loop().time()
        while not channel.is_closed:
            self._wake.clear()
            rows = await outbox.list_oldest(conn, BATCH if self._window > 1 else 1)
            LAG.set(rows[0].age_s if rows else 0)
            if rows and await self._carry_batch(conn, underlay, connection, rows):
                continue
            self._backoff.reset()
            if asyncio.get_running_loop().time() - declared_at > self._declare_every_s:
                await self._prepare(connection)
                declared_at = asyncio.get_running_loop().time()
            await self._idle()

    async def _idle(self) -> None:
        try:
            async with asyncio.timeout(self._poll_s):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _carry_batch(
        self,
        conn: db.Connection,
        channel: aiormq.abc.AbstractChannel,
        connection: AbstractConnection,
        rows: list[outbox.Row],
    ) -> bool:
        """Publish rows; say whether there may be others that nobody will tell us of."""
        outcome = await publish_batch(channel, rows, window=self._window)
        await self._settle(conn, outcome)
        if outcome.returned and outcome.failure is None:
            # Perhaps what they were published to is gone, not the rows that are wrong.
            await self._prepare(connection)
            outcome = await publish_batch(channel, outcome.returned, window=self._window)
            await self._settle(conn, outcome)
            if outcome.failure is None:
                for row in outcome.returned:
                    await self._bury(conn, row, "unroutable")
        if outcome.failure is not None:
            await self._suspect(conn, rows, outcome.failure)
            raise outcome.failure
        # What was appended after these were listed has rung, or rings when it commits.
        is_all = self._window > 1 and len(rows) < BATCH and not outcome.refused
        self._window = WINDOW
        if outcome.refused:
            log.warning("relay_refused", count=outcome.refused)
            await self._backoff.wait()
        else:
            self._backoff.reset()
        return not is_all

    async def _settle(self, conn: db.Connection, outcome: Outcome) -> None:
        if outcome.confirmed:
            await outbox.delete(conn, [row.id for row in outcome.confirmed])
            for row in outcome.confirmed:
                PUBLISHED.labels(row.type).inc()
        for row in outcome.unsendable:
            await self._bury(conn, row, "unsendable")

    async def _suspect(
        self, conn: db.Connection, rows: list[outbox.Row], failure: link.BrokerLost
    ) -> None:
        """Find the row the broker closes channels over: go one by one until one is alone."""
        if not isinstance(failure.__cause__, ChannelPreconditionFailed):
            return
        if len(rows) == 1:
            await self._bury(conn, rows[0], "refused")
        self._window = 1

    async def _bury(self, conn: db.Connection, row: outbox.Row, reason: str) -> None:
        await outbox.bury(conn, row.id, reason=reason)
        BURIED.labels(reason).inc()
        log.error("outbox_row_dead", event_id=str(row.event_id), row_id=row.id, reason=reason)


async def publish_batch(
    channel: aiormq.abc.AbstractChannel, rows: list[outbox.Row], *, window: int = WINDOW
) -> Outcome:
    """Publish rows in order, at most `window` unconfirmed; return what became of them.

    Never raises for the broker's sake: what was confirmed before it was lost must be told.
    """
    outcome = Outcome()
    source = iter(rows)
    lanes = (_publish_lane(channel, source, outcome) for _ in range(min(window, len(rows))))
    await asyncio.gather(*lanes)
    return outcome


async def _publish_lane(
    channel: aiormq.abc.AbstractChannel, source: Iterator[outbox.Row], outcome: Outcome
) -> None:
    # Every lane takes the next row and hands it to the channel without a pause between the
    # two: that keeps the order. The pause comes after, for the confirm.
    for row in source:
        if outcome.failure is not None or link.was_cancelled():
            return
        try:
            await link.publish(
                channel,
                exchange=EXCHANGE,
                routing_key=row.type,
                body=row.body,
                properties=_properties(row),
            )
        except PublishError:
            outcome.returned.append(row)
        except DeliveryError:
            outcome.refused += 1
        except (ValueError, TypeError):  # what the encoder says of a name that is too long
            outcome.unsendable.append(row)
        except asyncio.CancelledError as exc:
            if link.was_cancelled():
                raise
            outcome.failure = outcome.failure or _failure(exc)
            return
        except link.BROKER_ERRORS as exc:
            outcome.failure = _worse(outcome.failure, exc)
            return
        else:
            outcome.confirmed.append(row)


def _failure(exc: BaseException) -> link.BrokerLost:
    failure = link.lost(exc)
    failure.__cause__ = exc
    return failure


def _worse(known: link.BrokerLost | None, exc: BaseException) -> link.BrokerLost:
    """Return the failure that says more: the broker's reason rather than its echoes."""
    if known is None or isinstance(exc, ChannelPreconditionFailed):
        return _failure(exc)
    return known


def _properties(row: outbox.Row) -> Basic.Properties:
    return Basic.Properties(
        content_type=CONTENT_TYPE,
        delivery_mode=link.PERSISTENT,
        message_id=str(row.event_id),
        headers={"traceparent": row.traceparent} if row.traceparent else None,
    )
