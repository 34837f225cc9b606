"""What was in the mailbox before: taken in beside the live feed, and it rings no bell."""

import time
from collections import Counter
from typing import Any
from uuid import uuid4

from prometheus_client import REGISTRY

from tests.integration.mail.stand import Stand, feed_of
from tests.integration.service_stand import ALICE
from tests.support import caller_token, eventually

DAY_MS = 86_400_000


def days_ago(days: float) -> int:
    return int(time.time() * 1000 - days * DAY_MS)


async def old_mail(stand: Stand, count: int, **message: Any) -> list[str]:
    """Let mail lie in the mailbox since two days; return its ids."""
    message.setdefault("internal_date_ms", days_ago(2))
    answer = await stand.deliver(count=count, **message)
    return list(answer.get("ids", [answer["id"]]))


async def backfilled(stand: Stand, connection_id: str) -> dict[str, Any]:
    """Wait until the backfill is done; return its feed."""

    async def is_done() -> dict[str, Any] | None:
        status = await stand.status(connection_id)
        found = [
            one for one in (status or {"feeds": []})["feeds"] if one["kind"] == "mail.backfill"
        ]
        done = bool(found) and found[0]["state"] == "closed"
        return dict(found[0]) if done else None

    found = await eventually(is_done)
    assert found is not None
    return dict(found)


def with_backfill(stand: Stand, days: int = 30, **more: Any) -> None:
    stand.settings = stand.settings.model_copy(update={"backfill_days": days, **more})


def refusals() -> float:
    """Return how often the ledger has refused a backfill units of its account's minute."""
    labels = {"lane": "backfill", "scope": "account_minute"}
    return REGISTRY.get_sample_value("causeway_quota_refused_total", labels) or 0.0


async def test_mail_of_the_last_days_is_taken_in_when_a_mailbox_is_connected(stand: Stand) -> None:
    ids = await old_mail(stand, 60)
    await old_mail(stand, 1, subject="too old", internal_date_ms=days_ago(40))
    with_backfill(stand)
    async with stand.serving():
        connection_id = await stand.connect()
        feed = await backfilled(stand, connection_id)
        await stand.quiet()
        assert feed["progress"]["state"] == "done"
        assert feed["progress"]["done"] == feed["progress"]["total"] == 60
        told = Counter(one.data["google_message_id"] for one in stand.events("mail.message."))
        assert told == Counter(ids)
        assert {one.data["origin"] for one in stand.events("mail.message.")} == {"backfill"}


async def test_mail_that_comes_before_the_first_cursor_is_taken_in(stand: Stand) -> None:
    with_backfill(stand)
    past = "SELECT 1 FROM feeds WHERE kind = 'mail.backfill' AND last_sync_at IS NOT NULL"

    async def has_run() -> bool:
        return bool(await stand.fetch(past))

    async with stand.serving():
        silent = {"path_contains": "/profile", "status": 503}
        await stand.google.control("PUT", "faults", {"rules": [silent]})
        created = await stand.auth.connect()
        await eventually(has_run)
        between = await stand.deliver(subject="between")
        await stand.google.control("DELETE", "faults")
        await backfilled(stand, created["id"])
        await eventually(lambda: stand.in_step(created["id"]))
        await stand.quiet()
        assert stand.types(between["id"]) == ["received"]


async def test_new_mail_does_not_wait_for_old(stand: Stand) -> None:
    await old_mail(stand, 100)
    with_backfill(stand)
    slow = {"path_prefix": "/gmail/v1/users/me/messages/", "delay_s": 0.5}
    async with stand.serving():
        await stand.google.control("PUT", "faults", {"rules": [slow]})
        await stand.connect()
        new = await stand.deliver(subject="now")
        await eventually(lambda: stand.types(new["id"]) == ["received"])
        assert len(stand.types()) < 100
        (event,) = [one for one in stand.events() if one.data["google_message_id"] == new["id"]]
        assert event.data["origin"] == "live"


async def test_a_backfill_that_broke_off_goes_on_where_it_was(stand: Stand) -> None:
    ids = await old_mail(stand, 80)
    with_backfill(stand)
    slow = {"path_prefix": "/gmail/v1/users/me/messages/", "delay_s": 0.1, "times": 50}
    await stand.google.control("PUT", "faults", {"rules": [slow]})
    async with stand.serving():
        connection_id = await stand.connect()
        await eventually(lambda: len(stand.types()) >= 25)
    async with stand.serving():
        await backfilled(stand, connection_id)
        await stand.quiet()
        # A relay that is cut off may publish twice: by their ids every event is there once.
        told = Counter(
            google_id
            for _, google_id in {
                (one.id, one.data["google_message_id"]) for one in stand.events("mail.message.")
            }
        )
        assert told == Counter(ids)
        usage = (await stand.google.control("GET", "usage"))["people"][ALICE]["methods"]
        # No chunk that was committed is fetched again.
        assert usage["gmail.users.messages.get"]["calls"] <= 80 + 2 * 25


async def test_a_chunk_that_could_not_be_committed_is_taken_in_again(stand: Stand) -> None:
    (google_id,) = await old_mail(stand, 1, subject="old")
    with_backfill(stand)
    async with stand.serving(roles=frozenset({"web"})), stand.pool() as conn:
        await conn.execute("ALTER TABLE messages ADD CONSTRAINT none CHECK (subject <> 'old')")
    async with stand.serving():
        connection = await stand.auth.connect(person=ALICE)
        failed = "SELECT 1 FROM feeds WHERE kind = 'mail.backfill' AND failures > 0"
        await eventually(lambda: stand.fetch(failed))
        await stand.fetch("ALTER TABLE messages DROP CONSTRAINT none")
        await backfilled(stand, connection["id"])
        await eventually(lambda: stand.types() == ["received"])
        assert [one["google_message_id"] for one in await stand.messages()] == [google_id]


async def test_drafts_and_spam_of_old_are_no_mail(stand: Stand) -> None:
    await old_mail(stand, 1, subject="spam", labels=["SPAM"])
    await old_mail(stand, 1, subject="draft", labels=["DRAFT"])
    await old_mail(stand, 1, subject="kept", labels=["TRASH"])
    with_backfill(stand)
    async with stand.serving():
        await backfilled(stand, await stand.connect())
        assert [one["subject"] for one in await stand.messages()] == ["kept"]


async def test_more_days_can_be_asked_for_and_the_job_says_how_far_it_is(mail: Stand) -> None:
    await old_mail(mail, 30, internal_date_ms=days_ago(100))
    connection_id = await mail.connect()
    body = {"connection_id": connection_id, "days": 200}
    answer = await mail.call("POST", "/v1/mail/sync?wait=20", body)
    assert answer.status == 202
    assert answer.headers["Location"] == f"/v1/mail/jobs/{answer.body['id']}"
    job = await mail.get(answer.headers["Location"])
    assert (job["state"], job["done"], job["total"]) == ("done", 30, 30)
    assert len(await mail.messages("?limit=200")) == 30


async def test_the_same_key_asks_once(mail: Stand) -> None:
    connection_id = await mail.connect()
    url, headers = f"{mail.origin}/v1/mail/sync", {"Idempotency-Key": "once"}
    headers["Authorization"] = f"Bearer {caller_token()}"
    answers = []
    for _ in range(2):
        body = {"connection_id": connection_id, "days": 3}
        async with mail.session.post(url, json=body, headers=headers) as answer:
            answers.append((answer.status, (await answer.json())["id"]))
    assert answers[0] == answers[1]
    assert answers[0][0] == 202


async def test_what_cannot_be_asked_for_is_refused_by_its_field(mail: Stand) -> None:
    connection_id = await mail.connect()
    for body, field in (
        ({"connection_id": connection_id, "days": 0}, "days"),
        ({"connection_id": connection_id, "days": 99999}, "days"),
        ({"days": 3}, "connection_id"),
        ({"connection_id": connection_id, "mode": "magic"}, "mode"),
        ({"connection_id": connection_id, "extra": 1}, "extra"),
    ):
        answer = await mail.call("POST", "/v1/mail/sync", body)
        assert answer.status == 400, body
        assert answer.body["errors"][0]["field"] == field
    stranger = {"connection_id": str(uuid4())}
    assert (await mail.call("POST", "/v1/mail/sync", stranger)).status == 404
    eve = caller_token(user="eve")
    foreign = {"connection_id": connection_id}
    assert (await mail.call("POST", "/v1/mail/sync", foreign, token=eve)).status == 404


async def test_the_ledger_keeps_a_backfill_below_the_budget(stand: Stand) -> None:
    await old_mail(stand, 30)
    with_backfill(stand, units_per_minute=600)
    before = refusals()
    async with stand.serving():
        connection_id = await stand.connect()
        await eventually(lambda: refusals() > before)
        new = await stand.deliver(subject="now")
        await eventually(lambda: stand.types(new["id"]) == ["received"])
        usage = (await stand.google.control("GET", "usage"))["people"][ALICE]
        assert usage["units"] <= 600
        assert usage["refused"] == 0
        assert feed_of((await stand.status(connection_id)) or {})["state"] == "active"
