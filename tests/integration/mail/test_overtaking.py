"""The live feed and a comparison work on one mailbox at once: neither hides a change."""

import pytest

from tests.integration.mail.stand import Stand
from tests.integration.mail.test_backfill import backfilled, old_mail, with_backfill
from tests.integration.mail.test_comparing import expire, resynced, silent
from tests.integration.mail.test_settings import BOB, keeps, put, tell
from tests.integration.service_stand import ALICE
from tests.support import eventually

LATE = {"path_contains": "/messages/", "method": "GET", "late_s": 5.0, "times": 1}
"""The backfill's one fetch is answered, and the answer is on its way for some seconds."""


async def was_fetched(stand: Stand) -> bool:
    (rule,) = (await stand.google.control("GET", "faults"))["rules"]
    return bool(rule["hits"])


async def live_cursor(stand: Stand) -> int:
    (row,) = await stand.fetch("SELECT cursor FROM feeds WHERE kind = 'mail.live'")
    return int(row["cursor"])


@pytest.mark.parametrize(("action", "left"), [("read", ["INBOX"]), ("delete", None)])
async def test_what_happens_to_a_message_between_its_fetch_and_its_commit_is_not_lost(
    stand: Stand, action: str, left: list[str] | None
) -> None:
    (google_id,) = await old_mail(stand, 1)
    await stand.google.control("PUT", "faults", {"rules": [LATE]})
    with_backfill(stand)
    async with stand.serving():
        connection_id = await stand.connect()
        await eventually(lambda: was_fetched(stand))
        before = await live_cursor(stand)
        await stand.edit(google_id, action)

        async def is_past() -> bool:
            return await live_cursor(stand) > before

        await eventually(is_past)
        await backfilled(stand, connection_id)
        await stand.quiet()
        found = {one["google_message_id"]: one for one in await stand.messages("?limit=10")}
        if left is None:
            assert google_id not in found
            assert stand.types(google_id) in ([], ["received", "deleted"])
        else:
            assert found[google_id]["labels"] == left


async def test_a_missed_change_is_found_although_the_history_has_moved_the_message_on(
    mail: Stand,
) -> None:
    await mail.connect()
    message = await mail.deliver(subject="missed")
    await eventually(lambda: mail.types(message["id"]) == ["received"])
    await silent(mail)
    await mail.quiet()
    away = {"path_prefix": "/gmail/v1/users/me/history", "status": 503}
    await mail.google.control("PUT", "faults", {"rules": [away]})
    await mail.edit(message["id"], "read")
    await expire(mail)
    slow = {"path_prefix": "/gmail/v1/users/me/labels", "delay_s": 2.0, "times": 1}
    await mail.google.control("PUT", "faults", {"rules": [slow]})
    await mail.google.control("PUT", "pushes", {})
    assert await mail.forge() == 204
    marks = "SELECT 1 FROM feeds WHERE kind = 'mail.repair' AND cursor::json->>'phase' = 'marks'"
    await eventually(lambda: mail.fetch(marks))
    await mail.edit(message["id"], "star")
    await eventually(lambda: mail.types(message["id"]) == ["received", "updated"])
    await resynced(mail)
    (row,) = await mail.fetch("SELECT labels FROM messages")
    at_google = (await mail.google.control("GET", f"people/{ALICE}/mailbox"))["messages"]
    assert set(row["labels"]) == set(at_google[0]["labels"]) == {"INBOX", "STARRED"}


@pytest.mark.parametrize("cause", ["entity", "settings"])
async def test_what_happens_to_a_trace_while_it_is_made_whole_is_not_lost(
    stand: Stand, cause: str
) -> None:
    stand.settings = stand.settings.model_copy(update={"policy": "known"})
    async with stand.serving():
        connection_id = await stand.connect()
        message = await stand.deliver(subject="moved", **{"from": BOB})
        await keeps(stand, "trace")
        await stand.google.control("PUT", "faults", {"rules": [LATE]})
        if cause == "entity":
            await tell(stand, BOB)
        else:
            await put(stand, connection_id, policy="all", wait=0)
        await eventually(lambda: was_fetched(stand))
        before = await live_cursor(stand)
        await stand.edit(message["id"], "read")

        async def is_past() -> bool:
            return await live_cursor(stand) > before

        await eventually(is_past)
        await keeps(stand, "whole")
        (found,) = await stand.messages()
        assert found["labels"] == ["INBOX"]
