"""The door: what gets in, what does not, and what it leaves behind."""

import time
from typing import Any

import aiohttp
import asyncpg
import pytest
from prometheus_client import REGISTRY

from tests.integration.mail.stand import PUSHER, Stand
from tests.integration.service_stand import ALICE
from tests.logs import Recorder
from tests.support import bearer, caller_token, eventually

FORGERIES: dict[str, tuple[dict[str, Any], str]] = {
    "no token": ({"authorization": False}, "missing"),
    "another key": ({"key": "other"}, "signature"),
    "no signature": ({"alg": "none"}, "algorithm"),
    "wrong audience": ({"claims": {"aud": "https://elsewhere.test"}}, "audience"),
    "no audience": ({"claims": {"aud": None}}, "audience"),
    "expired": ({"claims": {"exp": int(time.time()) - 3600}}, "expired"),
    "wrong issuer": ({"claims": {"iss": "https://elsewhere.test"}}, "issuer"),
    "wrong e-mail": ({"service_account": "eve@evil.iam.gserviceaccount.com"}, "email"),
    "no e-mail": ({"claims": {"email": None}}, "email"),
    "e-mail unverified": ({"claims": {"email_verified": False}}, "email_unverified"),
    "e-mail verified by a word": ({"claims": {"email_verified": "true"}}, "email_unverified"),
}
TABLES = ("messages", "dead_items", "outbox", "inbox", "connections", "watches")


def refused(reason: str) -> float:
    return REGISTRY.get_sample_value("causeway_push_tokens_total", {"verdict": reason}) or 0.0


def taken(outcome: str) -> float:
    return REGISTRY.get_sample_value("causeway_mail_pushes_total", {"outcome": outcome}) or 0.0


async def traces(mail: Stand) -> dict[str, Any]:
    (signals,) = await mail.fetch("SELECT coalesce(sum(generation), 0)::int AS n FROM signals")
    counts = {"generations": signals["n"]}
    for table in TABLES:
        (row,) = await mail.fetch(f"SELECT count(*) AS n FROM {table}")  # noqa: S608 - a constant
        counts[table] = row["n"]
    return counts


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_forged_push_leaves_no_trace_but_a_metric(web_only: Stand, forgery: str) -> None:
    push, reason = FORGERIES[forgery]
    before, count = await traces(web_only), refused(reason)
    assert await web_only.forge(**push) == 401
    assert await traces(web_only) == before
    assert refused(reason) == count + 1


async def test_a_push_that_is_taken_in_is_counted_and_not_logged(
    web_only: Stand, logs: Recorder
) -> None:
    count = taken("unknown")

    assert await web_only.forge() == 204

    assert taken("unknown") == count + 1
    assert not [line for line in logs.lines if "/webhooks/google/gmail" in line]


async def test_a_callers_token_does_not_open_the_door(web_only: Stand) -> None:
    async with web_only.session.post(
        web_only.webhook, json={}, headers=bearer(caller_token())
    ) as answer:
        assert answer.status == 401
        assert answer.content_type == "application/problem+json"


async def test_without_a_token_the_body_is_not_read(web_only: Stand) -> None:
    async def endless() -> Any:
        while True:
            yield b"x" * 65_536

    started = time.monotonic()
    try:
        async with web_only.session.post(web_only.webhook, data=endless()) as answer:
            assert answer.status == 401
    except (aiohttp.ClientConnectionError, ConnectionError):
        pass  # it hung up on us, which is as good
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    "body",
    [
        {"body": "no json"},
        {"body": "{}"},
        {"data": "no json"},
        {"data": {"emailAddress": ALICE}},
        {"data": {"emailAddress": "a\0b@example.com", "historyId": 1}},
    ],
)
async def test_an_unusable_body_is_answered_counted_and_kept(
    web_only: Stand, body: dict[str, Any]
) -> None:
    count = taken("unusable")
    assert await web_only.forge(**body) == 204
    assert taken("unusable") == count + 1
    (item,) = await web_only.fetch("SELECT kind, cause, payload FROM dead_items")
    assert item["kind"] == "gmail.push"
    assert item["payload"]


async def test_an_unknown_mailbox_is_answered_and_counted(web_only: Stand) -> None:
    before, count = await traces(web_only), taken("unknown")
    assert await web_only.forge(data={"emailAddress": "nobody@example.com", "historyId": 1}) == 204
    assert taken("unknown") == count + 1
    assert await traces(web_only) == before


async def test_an_oversize_body_is_refused(web_only: Stand) -> None:
    assert await web_only.forge(body="x" * 100_000) == 413


async def test_the_address_is_recognised_in_any_case(mail: Stand) -> None:
    await mail.connect()
    count = taken("known")
    shouted = {"emailAddress": ALICE.upper(), "historyId": "1"}
    assert await mail.forge(data=shouted, service_account=PUSHER) == 204
    assert taken("known") == count + 1


async def test_while_the_database_is_away_google_is_told_to_come_back(
    web_only: Stand, postgres_url_admin: str
) -> None:
    name = web_only.settings.database_url.get_secret_value().rsplit("/", 1)[1].split("?")[0]
    admin = await asyncpg.connect(postgres_url_admin)
    try:
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name
        )
        assert await web_only.forge() == 503
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    finally:
        await admin.close()

    async def is_back() -> bool:
        return await web_only.forge() == 204

    await eventually(is_back)
