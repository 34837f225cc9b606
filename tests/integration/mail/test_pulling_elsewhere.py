"""The same against Google's own Pub/Sub emulator, where it is installed."""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import test_utils

from libs.common.db import POOL, transaction
from services.mail.app import migrations
from tests.databases import NewDatabase
from tests.emulated import Emulated
from tests.integration.mail.pulled import (
    Pulling,
    counted,
    feed_in,
    generation,
    notice,
    pulling,
)
from tests.integration.mail.stand import SUBSCRIPTION
from tests.support import eventually

PLACE = Path("/usr/lib/google-cloud-sdk/platform/pubsub-emulator/bin/cloud-pubsub-emulator")
PROGRAM = shutil.which("cloud-pubsub-emulator") or (str(PLACE) if PLACE.exists() else None)
ACKED = {"end": "acked"}

pytestmark = [
    pytest.mark.skipif(PROGRAM is None, reason=f"Google's Pub/Sub emulator is not at {PLACE}"),
    pytest.mark.skipif(shutil.which("java") is None, reason="Google's emulator needs Java"),
]


@pytest.fixture
async def elsewhere() -> AsyncIterator[str]:
    """Google's emulator, `host:port` for gRPC and REST alike."""
    address = f"127.0.0.1:{test_utils.unused_port()}"
    host, _, port = address.partition(":")
    process = await asyncio.create_subprocess_exec(
        str(PROGRAM),
        f"--host={host}",
        f"--port={port}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    timeout = aiohttp.ClientTimeout(total=5)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session:

            async def answers() -> bool:
                assert process.returncode is None, "it ended"
                try:
                    async with session.get(f"http://{address}/") as answer:
                        return answer.ok
                except aiohttp.ClientError:
                    return False

            await eventually(answers, timeout_s=60)
        yield address
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), 20)


@pytest.fixture
async def pulls(
    new_database: NewDatabase, emulator: Emulated, elsewhere: str
) -> AsyncIterator[Pulling]:
    url = await new_database(*migrations())
    async with pulling(url, emulator, pubsub=elsewhere, origin=f"http://{elsewhere}") as made:
        yield made


async def test_notifications_are_taken_in_and_acknowledged(pulls: Pulling) -> None:
    acked = counted("causeway_mail_pulled_total", **ACKED)
    async with pulls.serving() as app:
        feed = await feed_in(app)
        await pulls.publish("no json", *(notice(history_id=n) for n in range(150)))

        await eventually(lambda: counted("causeway_mail_pulled_total", **ACKED) >= acked + 151)
        assert 1 <= await generation(app, feed) <= 10
        async with app[POOL].acquire() as conn:
            assert await conn.fetchval("SELECT count(*) FROM dead_items") == 1
        assert (await pulls.ready())["checks"]["pubsub"] == "ok"
    left = await pulls.request(
        "POST", f"{SUBSCRIPTION}:pull", {"maxMessages": 10, "returnImmediately": True}
    )
    assert left == {}


async def test_what_cannot_be_committed_comes_again(pulls: Pulling) -> None:
    acked = counted("causeway_mail_pulled_total", **ACKED)
    returned = counted("causeway_mail_pulled_total", end="returned")
    async with pulls.serving() as app:
        feed = await feed_in(app)
        async with transaction(app[POOL]) as conn:
            await conn.execute("SELECT 1 FROM signals FOR UPDATE")
            await pulls.publish(notice())
            await eventually(
                lambda: counted("causeway_mail_pulled_total", end="returned") > returned
            )
        await eventually(lambda: counted("causeway_mail_pulled_total", **ACKED) > acked)
        assert await generation(app, feed) == 1
