"""The candidate: `python -m bench.relay.drain DATABASE_URL AMQP_URL COUNT ANSWER`.

The product's relay as a service runs it, idle at first; then so many events are committed at
once, and the clock runs from their commit until the last one was confirmed and deleted.
"""

import asyncio
import gc
import json
import sys
import time
from pathlib import Path

import uvloop
from prometheus_client.registry import Collector

from bench.processes import cpu_s
from bench.relay.events import Measured, body
from libs.common import db
from libs.common.relay import ACTIVE, PUBLISHED, Relay

POLL_S = 0.005
NAME = "bench"
FILL = """
WITH added AS (
    INSERT INTO outbox (event_id, type, body)
    SELECT gen_random_uuid(), $1, $2 FROM generate_series(1, $3::int)
    RETURNING 1
)
SELECT count(*), pg_notify('outbox', '') FROM added
"""
IDLE = """
SELECT pid FROM pg_stat_activity
 WHERE application_name = $1 AND datname = current_database() AND state = 'idle'
"""


async def _drain(database_url: str, amqp_url: str, count: int) -> dict[str, float]:
    relay = asyncio.create_task(Relay(database_url, amqp_url, service=NAME).run())
    conn = await db.connect(database_url, application_name="bench")
    try:
        while not _value(ACTIVE):  # noqa: ASYNC110 - a metric
            await asyncio.sleep(POLL_S)
        await asyncio.sleep(1)  # it declares what it publishes to, and finds nothing to do
        pid = int(await conn.fetchval(IDLE, f"{NAME}.relay"))
        gc.collect()
        gc.freeze()  # as services do once they serve
        postgres = cpu_s(pid)
        cpu = time.process_time()
        await conn.execute(FILL, Measured.type, body(), count)
        started = time.perf_counter()
        while _value(PUBLISHED) < count:  # noqa: ASYNC110 - a metric
            await asyncio.sleep(POLL_S)
        return {
            "seconds": time.perf_counter() - started,
            "cpu_s": time.process_time() - cpu,
            "postgres_cpu_s": cpu_s(pid) - postgres,
        }
    finally:
        relay.cancel()
        await asyncio.gather(relay, return_exceptions=True)
        await conn.close()


def _value(metric: Collector) -> float:
    return sum(
        sample.value
        for family in metric.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    )


def main(database_url: str, amqp_url: str, count: str, answer: str) -> None:
    """Drain; write how long it took."""
    found = uvloop.run(_drain(database_url, amqp_url, int(count)))
    Path(answer).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
