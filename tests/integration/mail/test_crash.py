"""Whatever breaks in the middle: nothing is lost, nothing is told twice."""

from collections import Counter

import pytest

from tests.integration.mail.stand import Stand, feed_of
from tests.integration.service_stand import ALICE
from tests.support import eventually

BOOM = """
CREATE FUNCTION boom() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'boom' USING ERRCODE = 'XX000'; END $$;
"""
AT_THE_ROW = """
CREATE TRIGGER boom BEFORE INSERT ON messages
   FOR EACH ROW WHEN (NEW.subject = 'the last') EXECUTE FUNCTION boom();
"""
AT_THE_COMMIT = """
CREATE CONSTRAINT TRIGGER boom AFTER INSERT ON messages DEFERRABLE INITIALLY DEFERRED
   FOR EACH ROW WHEN (NEW.subject = 'the last') EXECUTE FUNCTION boom();
"""


async def feed(mail: Stand) -> tuple[str, str | None]:
    (row,) = await mail.fetch("SELECT state, reason FROM feeds WHERE kind = 'mail.live'")
    return row["state"], row["reason"]


@pytest.mark.parametrize("when", [AT_THE_ROW, AT_THE_COMMIT], ids=["at the row", "at the commit"])
async def test_a_commit_that_fails_leaves_neither_rows_nor_events_nor_cursor(
    mail: Stand, when: str
) -> None:
    await mail.connect()
    await mail.google.control("PUT", "pushes", {"paused": True})
    await mail.deliver(count=30)
    await mail.deliver(subject="the last")
    await mail.fetch("SELECT 1")
    async with mail.pool() as conn:
        await conn.execute(BOOM + when)
    await mail.google.control("PUT", "pushes", {})
    assert await mail.forge() == 204
    await eventually(lambda: _failed(mail))
    await eventually(lambda: len(mail.types()) == 25)  # the whole chunk before it
    (row,) = await mail.fetch("SELECT count(*) AS n FROM messages")
    assert row["n"] == 25
    async with mail.pool() as conn:
        await conn.execute("DROP TRIGGER boom ON messages")
    await eventually(lambda: len(mail.types()) == 31)
    await mail.quiet()
    told = Counter(one.data["google_message_id"] for one in mail.events("mail.message."))
    assert set(told.values()) == {1}
    (row,) = await mail.fetch("SELECT count(*) AS n FROM messages")
    assert row["n"] == 31
    await eventually(lambda: _is_active(mail))


async def _failed(mail: Stand) -> bool:
    return await feed(mail) == ("degraded", "internal")


async def _is_active(mail: Stand) -> bool:
    return await feed(mail) == ("active", None)


async def test_a_worker_that_ends_in_the_middle_is_carried_on(stand: Stand) -> None:
    async with stand.serving():
        await stand.connect()
        slow = {"path_prefix": "/gmail/v1/users/me/messages/", "delay_s": 0.3, "times": 30}
        await stand.google.control("PUT", "faults", {"rules": [slow]})
        await stand.deliver(count=60)

        async def has_begun() -> bool:
            hits = (await stand.google.control("GET", "usage"))["people"][ALICE]["methods"]
            return bool(hits.get("gmail.users.messages.get", {"calls": 0})["calls"] >= 6)

        await eventually(has_begun)
    async with stand.serving():
        await eventually(lambda: len(stand.types()) >= 60)
        await stand.quiet()
        told = Counter(one.data["google_message_id"] for one in stand.events("mail.message."))
        assert len(told) == 60
        assert set(told.values()) == {1}


async def test_two_workers_tell_everything_once(stand: Stand) -> None:
    async with stand.serving(), stand.beside():
        await stand.connect()
        for number in range(10):
            await stand.deliver(subject=f"mail {number}", count=3)
        await eventually(lambda: len(stand.types()) >= 30)
        await stand.quiet()
        told = Counter(one.data["google_message_id"] for one in stand.events("mail.message."))
        assert len(told) == 30
        assert set(told.values()) == {1}


async def test_a_message_that_cannot_be_read_is_put_aside_and_the_rest_goes_on(
    mail: Stand,
) -> None:
    connection_id = await mail.connect()
    rule = {
        "path_prefix": "/gmail/v1/users/me/messages/",
        "method": "GET",
        "times": 1000,
        "status": 200,
        "body": {"id": "odd"},
    }
    await mail.google.control("PUT", "faults", {"rules": [rule]})
    await mail.deliver()
    await eventually(lambda: mail.fetch("SELECT 1 FROM dead_items"))
    await mail.google.control("DELETE", "faults")
    await mail.deliver(count=2)
    await mail.told("received", "received")
    (item,) = await mail.fetch("SELECT kind, cause, item FROM dead_items")
    assert item["kind"] == "gmail.message"
    assert item["cause"] == "google-answer-unreadable"

    async def shows() -> bool:
        status = await mail.status(connection_id)
        assert status is not None
        feed = feed_of(status)
        return (status["dead_items"], feed["state"], feed["reason"]) == (
            1,
            "degraded",
            "dead-items",
        )

    await eventually(shows)
    await mail.deliver(subject="later")
    await mail.told("received", "received", "received")


async def test_when_gmail_has_forgotten_the_history_the_difference_is_repaired(
    mail: Stand,
) -> None:
    await mail.connect()
    kept, starred, lost = [await mail.deliver(subject=name) for name in ("kept", "star", "lost")]
    await eventually(lambda: len(mail.types()) == 3)
    await mail.google.control("PUT", "pushes", {"paused": True})
    await mail.edit(starred["id"], "star")
    await mail.edit(lost["id"], "delete")
    missed = await mail.deliver(subject="missed")
    await mail.deliver(subject="spam", labels=["SPAM"])
    await mail.google.control("POST", f"people/{ALICE}/history", {"action": "expire"})
    await mail.google.control("PUT", "pushes", {"drop": 1000})
    assert await mail.forge() == 204
    await eventually(lambda: len(mail.types()) == 6)
    await mail.quiet()
    assert mail.types(kept["id"]) == ["received"]
    assert mail.types(starred["id"]) == ["received", "updated"]
    assert mail.types(lost["id"]) == ["received", "deleted"]
    assert mail.types(missed["id"]) == ["received"]
    assert {one.data["origin"] for one in mail.events("mail.message.")[3:]} == {"repair"}
    await mail.google.control("PUT", "pushes", {})
    await mail.deliver(subject="live again")
    await eventually(lambda: len(mail.types()) == 7)
    assert mail.events()[-1].data["origin"] == "live"
