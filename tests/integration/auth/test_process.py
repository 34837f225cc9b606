"""The service as a process: its command line, its settings, its events on the broker."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
import aiohttp
import orjson

from services.auth.settings import AuthSettings
from tests.databases import NewDatabase
from tests.emulated import Emulated
from tests.integration.auth.stand import ALICE, Stand, browser, settings_for
from tests.support import caller_token, eventually

STOPS_WITHIN_S = 10


def environment(settings: AuthSettings) -> dict[str, str]:
    """Return the environment that gives these settings."""
    values = {
        "CAUSEWAY_AUTH_PORT": str(settings.port),
        "CAUSEWAY_PUBLIC_URL": settings.public_url,
        "CAUSEWAY_AUTH_DATABASE_URL": settings.database_url.get_secret_value(),
        "CAUSEWAY_AMQP_URL": settings.amqp_url.get_secret_value(),
        "CAUSEWAY_GOOGLE_ORIGIN": settings.google_origin or "",
        "GOOGLE_CLIENT_ID": settings.google_client_id,
        "GOOGLE_CLIENT_SECRET": settings.google_client_secret.get_secret_value(),
        "CAUSEWAY_SERVICE_KEY": settings.service_key.get_secret_value(),
        "CAUSEWAY_CALLER_KEY": settings.caller_key.get_secret_value()
        if settings.caller_key
        else "",
        "CAUSEWAY_CALLER_ISSUER": settings.caller_issuer,
        "CAUSEWAY_CALLER_AUDIENCE": settings.caller_audience,
        "CAUSEWAY_SEALING_KEYS": settings.sealing_keys.get_secret_value(),
        "CAUSEWAY_RETURN_URLS": ",".join(settings.return_urls),
    }
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("CAUSEWAY_", "GOOGLE_"))}
    return {**inherited, **values}


def secrets_of(settings: AuthSettings) -> list[str]:
    """Return what no log line may hold, whoever connects."""
    return [
        settings.google_client_secret.get_secret_value(),
        settings.service_key.get_secret_value(),
        caller_token()[:20],
    ]


async def command(env: dict[str, str], *args: str) -> asyncio.subprocess.Process:
    """Start `python -m services.auth`."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.auth",
        *args,
        env=env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def serving(env: dict[str, str], origin: str) -> AsyncIterator[list[str]]:
    """Yield the log of a process that serves; check that it ends well when asked to."""
    process = await command(env)
    lines: list[str] = []

    async def read() -> None:
        assert process.stdout is not None
        lines.extend([line.decode() async for line in process.stdout])

    reading = asyncio.create_task(read())
    try:
        async with aiohttp.ClientSession() as session:
            await eventually(lambda: _ready(session, origin))
        yield lines
        process.terminate()
        async with asyncio.timeout(STOPS_WITHIN_S):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await reading


async def _ready(session: aiohttp.ClientSession, origin: str) -> bool:
    with contextlib.suppress(aiohttp.ClientError):
        async with session.get(f"{origin}/readyz") as response:
            return response.status == 200
    return False


async def test_a_consent_becomes_an_event_on_the_broker_and_no_secret_a_log_line(
    new_database: NewDatabase, emulator: Emulated, amqp_url: str
) -> None:
    await emulator.add_person(ALICE)
    settings = settings_for(await new_database(), emulator.origin, amqp_url=amqp_url)
    env = environment(settings)
    migrating = await command(env, "migrate")
    assert await migrating.wait() == 0

    async with (
        await aio_pika.connect(amqp_url) as connection,
        serving(env, settings.public_url) as lines,
        aiohttp.ClientSession() as session,
        browser() as mine,
    ):
        channel = await connection.channel()
        exchange = await channel.declare_exchange("crm.events", "topic", durable=True)
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(exchange, "auth.#")
        # the service runs in a process of its own: there is no application to hold
        stand = Stand(app=None, settings=settings, session=session)  # type: ignore[arg-type]
        created = await stand.create()
        google = await mine.start(created["connect_url"])
        callback = await mine.decide(google, person=ALICE)
        await mine.finish(callback)
        await stand.call("POST", f"/v1/connections/{created['id']}/confirm")
        token = (await stand.token(created["id"])).body["access_token"]
        message = await eventually(lambda: queue.get(fail=False))

    assert message is not None
    assert message.routing_key == "auth.connection.authorized.v1"
    body = orjson.loads(message.body)
    assert body["subject"] == f"connection/{created['id']}"
    assert body["source"] == "/causeway/auth"
    log = "".join(lines)
    assert "serving" in log
    theirs = [
        ALICE,
        token,
        created["connect_url"].partition("ticket=")[2],
        google.partition("state=")[2].partition("&")[0],
        callback.partition("code=")[2].partition("&")[0],
    ]
    assert [secret for secret in (*theirs, *secrets_of(settings)) if secret in log] == []


async def test_missing_settings_are_named_one_a_line() -> None:
    process = await command({"PATH": os.environ["PATH"]})
    _, raw = await process.communicate()

    lines = raw.decode().splitlines()
    assert process.returncode == 2
    named = {line.partition(":")[0] for line in lines}
    assert {
        "CAUSEWAY_AUTH_DATABASE_URL",
        "CAUSEWAY_SEALING_KEYS",
        "CAUSEWAY_RETURN_URLS",
        "GOOGLE_CLIENT_ID",
        "GOOGLE_CLIENT_SECRET",
        "CAUSEWAY_AMQP_URL",
    } <= named
    assert len(lines) == len(named)


async def test_a_wrong_sealing_key_is_named_and_not_shown(
    new_database: NewDatabase, emulator: Emulated
) -> None:
    settings = settings_for(await new_database(), emulator.origin)
    env = {**environment(settings), "CAUSEWAY_SEALING_KEYS": "one:c2hvcnQ="}
    process = await command(env)
    _, raw = await process.communicate()

    assert process.returncode == 2
    assert raw.startswith(b"CAUSEWAY_SEALING_KEYS: ")
    assert b"c2hvcnQ" not in raw
