"""Notifications that are pulled: taken in once committed, and not a moment earlier."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from aiohttp import test_utils
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport

from libs.common.db import POOL, transaction
from services.auth.app import migrations as auth_migrations
from services.mail.app import migrations
from services.mail.google import pulled
from tests.databases import NewDatabase
from tests.emulated import Emulated, running_emulator
from tests.integration.mail.pulled import (
    PULLS,
    Pulling,
    counted,
    feed_in,
    generation,
    notice,
    pulling,
)
from tests.integration.mail.stand import SUBSCRIPTION, TOPIC, Stand, standing
from tests.integration.service_stand import ALICE
from tests.logs import Recorder
from tests.support import eventually

TAKEN = "causeway_mail_pushes_total"


@pytest.fixture
async def google() -> AsyncIterator[Emulated]:
    async with running_emulator(pubsub_port=0) as running:
        yield running


@pytest.fixture
async def pulls(new_database: NewDatabase, google: Emulated) -> AsyncIterator[Pulling]:
    url = await new_database(*migrations())
    async with pulling(url, google, pubsub=google.pubsub, origin=google.origin) as made:
        yield made


@asynccontextmanager
async def database_away(pulls: Pulling, admin_url: str) -> AsyncIterator[None]:
    """Keep everybody out of the service's database until the block ends."""
    name = pulls.settings.database_url.get_secret_value().rsplit("/", 1)[1].split("?")[0]
    admin = await asyncpg.connect(admin_url)
    try:
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name
        )
        yield
    finally:
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        await admin.close()


async def test_new_mail_is_told_without_a_single_push(
    new_database: NewDatabase, amqp_url: str, google: Emulated
) -> None:
    mail_url = await new_database(*migrations())
    auth_url = await new_database(*auth_migrations())
    async with standing(
        mail_url=mail_url,
        auth_url=auth_url,
        amqp_url=amqp_url,
        google=google,
        pubsub_emulator_host=google.pubsub,
        **PULLS,
    ) as stand:
        await unpush(stand)
        async with stand.serving():
            await stand.connect()
            await stand.deliver(subject="pulled")
            await stand.told("received")
            assert await stand.forge() == 404


async def unpush(stand: Stand) -> None:
    """Make the stand's push subscription one to pull from."""
    url = f"{stand.google.origin}/v1/{SUBSCRIPTION}:modifyPushConfig"
    async with stand.session.post(url, json={"pushConfig": {}}) as answer:
        assert answer.ok


async def test_a_notification_makes_the_feed_dirty_and_is_acknowledged(pulls: Pulling) -> None:
    known = counted(TAKEN, outcome="known")
    async with pulls.serving() as app:
        feed = await feed_in(app)
        await pulls.publish(notice(ALICE.upper()))

        await eventually(pulls.outcomes)
        assert await generation(app, feed) == 1
    assert await pulls.outcomes() == {"acked": 1}
    assert counted(TAKEN, outcome="known") == known + 1


async def test_while_the_database_is_away_nothing_is_acknowledged_and_nothing_lost(
    pulls: Pulling, postgres_url_admin: str, logs: Recorder
) -> None:
    async with pulls.serving() as app:
        feed = await feed_in(app)
        async with database_away(pulls, postgres_url_admin):
            await pulls.publish(notice())
            await eventually(lambda: tried_in_vain(pulls))
            again = await pulls.publish(*(notice(history_id=n) for n in range(300)))
            # One attempt for each lane: then the database is asked, and Pub/Sub is not.
            assert (await pulls.outcomes(again))["returned"] <= 100
            assert (await pulls.outcomes())["acked"] == 0

        await eventually(lambda: all_acked(pulls, 301))
        assert await generation(app, feed) >= 1
    assert len([line for line in logs.lines if "notification_not_taken" in line]) < 20


async def tried_in_vain(pulls: Pulling) -> bool:
    return (await pulls.outcomes())["returned"] > 0


async def all_acked(pulls: Pulling, count: int) -> bool:
    return (await pulls.outcomes())["acked"] == count


async def test_a_delivery_that_comes_twice_is_acknowledged_twice(pulls: Pulling) -> None:
    await pulls.google.control("PUT", "pushes", {"duplicate": 1})
    async with pulls.serving() as app:
        feed = await feed_in(app)
        await pulls.publish(notice())

        await eventually(lambda: all_acked(pulls, 2))
        assert await generation(app, feed) in {1, 2}


@pytest.mark.parametrize("data", ["no json", "{}", '{"emailAddress": "a\\u0000@x.test"}', "[1]"])
async def test_what_cannot_be_read_is_kept_acknowledged_and_never_comes_again(
    pulls: Pulling, data: str
) -> None:
    unusable = counted(TAKEN, outcome="unusable")
    async with pulls.serving() as app:
        await pulls.publish(data, notice())

        await eventually(lambda: all_acked(pulls, 2))
        async with app[POOL].acquire() as conn:
            (item,) = await conn.fetch("SELECT kind, cause, payload FROM dead_items")
    assert (item["kind"], item["payload"]) == ("gmail.push", data.encode())
    assert counted(TAKEN, outcome="unusable") == unusable + 1


async def test_of_what_is_too_large_only_the_beginning_is_kept(pulls: Pulling) -> None:
    async with pulls.serving() as app:
        await pulls.publish("x" * 200_000)

        await eventually(lambda: all_acked(pulls, 1))
        async with app[POOL].acquire() as conn:
            assert await conn.fetchval("SELECT length(payload) FROM dead_items") == 65_536


async def test_a_notification_of_an_unknown_mailbox_is_acknowledged(pulls: Pulling) -> None:
    unknown = counted(TAKEN, outcome="unknown")
    async with pulls.serving():
        await pulls.publish(notice("nobody@example.com"))

        await eventually(lambda: all_acked(pulls, 1))
    assert counted(TAKEN, outcome="unknown") == unknown + 1


async def test_a_thousand_notifications_are_a_handful_of_commits(pulls: Pulling) -> None:
    await pulls.publish(*(notice(history_id=n) for n in range(1000)))
    known = counted(TAKEN, outcome="known")
    async with pulls.serving() as app:
        feed = await feed_in(app)
        await eventually(lambda: all_acked(pulls, 1000))
        raised = await generation(app, feed)
    unknown = 1000 - (counted(TAKEN, outcome="known") - known)  # from before there was a feed
    assert unknown < 1000
    assert 1 <= raised <= 10


async def test_at_the_end_what_is_not_committed_is_given_back(pulls: Pulling) -> None:
    other = await asyncpg.connect(pulls.settings.database_url.get_secret_value())
    try:
        async with pulls.serving() as app:
            await feed_in(app)
            async with other.transaction():
                await other.execute("SELECT 1 FROM signals FOR UPDATE")
                await pulls.publish(notice())
                await eventually(pulls.held)
                await app.shutdown()
                await app.cleanup()
                assert await pulls.held() == 0
                assert set(await pulls.outcomes()) == {"returned"}
    finally:
        await other.close()
    async with pulls.serving():
        await eventually(lambda: all_acked(pulls, 1))


async def test_at_the_end_what_is_being_committed_is_finished(pulls: Pulling) -> None:
    async with pulls.serving() as app:
        feed = await feed_in(app)
        async with transaction(app[POOL]) as conn:
            await conn.execute("SELECT 1 FROM signals FOR UPDATE")
            await pulls.publish(notice())
            await eventually(pulls.held)
            ending = asyncio.create_task(app.shutdown())
            await asyncio.sleep(0)
        await ending
        assert await pulls.outcomes() == {"acked": 1}
        assert await generation(app, feed) == 1
        # Nobody pulls any more, though the process still answers.
        await pulls.publish(notice())
        assert (await pulls.ready())["checks"]["pubsub"] == "ok"
        assert await pulls.held() == 0


async def test_two_processes_share_the_work_and_one_takes_over(pulls: Pulling) -> None:
    async with pulls.serving(port=test_utils.unused_port()) as second:
        feed = await feed_in(second)
        async with pulls.serving():
            await pulls.publish(*(notice(history_id=n) for n in range(500)))
            await eventually(pulls.outcomes)
        await pulls.publish(*(notice(history_id=n) for n in range(500)))

        await eventually(lambda: some_acked_and_none_waits(pulls))
        assert await generation(second, feed) >= 1
    assert (await pulls.outcomes())["expired"] == 0


async def some_acked_and_none_waits(pulls: Pulling) -> bool:
    shown = await pulls.google.control("GET", "pushes")
    left = shown["waiting"][SUBSCRIPTION] + shown["leased"][SUBSCRIPTION]
    return not left and (await pulls.outcomes())["acked"] >= 1000


async def test_while_pubsub_is_away_the_process_is_degraded_and_then_goes_on(
    pulls: Pulling,
) -> None:
    failed = counted("causeway_mail_pulls_total", outcome="unavailable")
    rule = {"path_contains": "Subscriber/Pull", "times": 3, "status": 503}
    await pulls.google.control("PUT", "faults", {"rules": [rule]})
    async with pulls.serving() as app:
        feed = await feed_in(app)
        await eventually(lambda: is_degraded(pulls))
        assert counted("causeway_mail_pull_up") == 0
        await pulls.publish(notice())

        await eventually(lambda: all_acked(pulls, 1))
        assert await generation(app, feed) == 1
        assert (await pulls.ready())["checks"]["pubsub"] == "ok"
    assert counted("causeway_mail_pulls_total", outcome="unavailable") == failed + 3
    assert counted("causeway_mail_pull_up") == 1


async def is_degraded(pulls: Pulling) -> bool:
    return bool((await pulls.ready())["checks"]["pubsub"] == "degraded")


async def test_an_acknowledgement_that_is_lost_does_no_harm(pulls: Pulling) -> None:
    rule = {"path_contains": "Subscriber/Acknowledge", "times": 1, "status": 503}
    await pulls.google.control("PUT", "faults", {"rules": [rule]})
    async with pulls.serving() as app:
        await feed_in(app)
        await pulls.publish(notice())
        await eventually(lambda: is_degraded(pulls))
        await pulls.google.control("PUT", "clock", {"offset_s": 11})

        await eventually(lambda: all_acked(pulls, 1))
    assert (await pulls.outcomes())["expired"] == 1


async def test_a_subscription_that_is_missing_is_waited_for(pulls: Pulling) -> None:
    await pulls.request("DELETE", SUBSCRIPTION)
    async with pulls.serving() as app:
        feed = await feed_in(app)
        await eventually(lambda: is_degraded(pulls))
        assert counted("causeway_mail_pulls_total", outcome="not-found") > 0
        await pulls.request("PUT", SUBSCRIPTION, {"topic": TOPIC})
        await pulls.publish(notice())

        await eventually(lambda: all_acked(pulls, 1))
        assert await generation(app, feed) == 1


async def test_without_pubsub_the_process_starts_and_says_so(pulls: Pulling) -> None:
    nobody = f"127.0.0.1:{test_utils.unused_port()}"
    async with pulls.serving(pubsub_emulator_host=nobody):
        await eventually(lambda: is_degraded(pulls))
        assert (await pulls.ready())["status"] == "degraded"


async def test_without_google_credentials_the_process_starts_and_says_so(
    pulls: Pulling, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    count = counted("causeway_mail_pulls_total", outcome="no-credentials")
    async with pulls.serving(pubsub_emulator_host=None):
        await eventually(lambda: is_degraded(pulls))
    assert counted("causeway_mail_pulls_total", outcome="no-credentials") > count


async def test_with_google_credentials_the_channel_is_made_for_google(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    account = {
        "type": "service_account",
        "client_email": "puller@p.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
        "private_key": key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
    }
    file = tmp_path / "account.json"
    file.write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))

    async with pulled.opened(SUBSCRIPTION, emulator=None) as source:
        assert isinstance(source, pulled.PulledSubscription)
    assert f"{SubscriberGrpcAsyncIOTransport.DEFAULT_HOST}:443" == pulled.AT_GOOGLE
