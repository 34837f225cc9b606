"""Labels that the CRM changes: at Google, here, and told once, whatever happens in between."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.auth.stand import Answer
from tests.integration.mail.letters import fault
from tests.integration.mail.stand import Stand
from tests.integration.service_stand import ALICE, Json
from tests.support import caller_token, eventually

MODIFY = "/modify"
STAR = {"action": "star"}


@pytest.fixture
async def quick(stand: Stand) -> AsyncIterator[Stand]:
    """The service, which is not patient with Google."""
    stand.settings = stand.settings.model_copy(update={"settle_after": 0.3, "write_timeout": 3.0})
    async with stand.serving():
        yield stand


async def received(mail: Stand, count: int = 1) -> list[Json]:
    """Connect, let mail arrive, and return it."""
    await mail.connect(access="write")
    await mail.deliver(count=count)
    await eventually(lambda: mail.types().count("received") == count)
    await mail.quiet()
    return await mail.messages("?limit=100")


async def change(mail: Stand, message: Json, wish: Json, *, wait: int = 15) -> Answer:
    path = f"/v1/mail/messages/{message['id']}/labels?wait={wait}"
    return await mail.call("POST", path, wish)


async def labels_at_google(mail: Stand, message: Json) -> set[str]:
    box = await mail.google.control("GET", f"people/{ALICE}/mailbox")
    (found,) = [one for one in box["messages"] if one["id"] == message["google_message_id"]]
    return set(found["labels"])


async def labels_here(mail: Stand, message: Json) -> set[str]:
    return set((await mail.get(f"/v1/mail/messages/{message['id']}"))["labels"])


async def test_a_change_is_made_at_google_and_told_once_as_the_crms(mail: Stand) -> None:
    (message,) = await received(mail)
    answer = await change(mail, message, {"add": ["STARRED"], "remove": ["UNREAD"]})
    assert (answer.status, answer.body["state"]) == (202, "done")
    await mail.told("received", "updated")
    assert await labels_at_google(mail, message) == {"INBOX", "STARRED"}
    assert await labels_here(mail, message) == {"INBOX", "STARRED"}
    (event,) = mail.events("mail.message.updated")
    assert event.data["origin"] == "crm"
    await mail.quiet()
    assert mail.types() == ["received", "updated"]


@pytest.mark.parametrize(
    ("actions", "labels"),
    [
        (["read"], {"INBOX"}),
        (["read", "unread"], {"INBOX", "UNREAD"}),
        (["star", "unstar"], {"INBOX", "UNREAD"}),
        (["archive"], {"UNREAD"}),
        (["archive", "unarchive"], {"INBOX", "UNREAD"}),
        (["trash"], {"UNREAD", "TRASH"}),
        (["trash", "restore"], {"INBOX", "UNREAD"}),
    ],
)
async def test_actions_are_changes_of_labels(
    mail: Stand, actions: list[str], labels: set[str]
) -> None:
    (message,) = await received(mail)
    for action in actions:
        assert (await change(mail, message, {"action": action})).body["state"] == "done"
    assert await labels_at_google(mail, message) == labels
    assert await labels_here(mail, message) == labels


async def test_many_messages_change_with_one_request_to_google(mail: Stand) -> None:
    messages = await received(mail, 30)
    await mail.google.control("DELETE", "usage")
    body = {"message_ids": [one["id"] for one in messages], "action": "read"}
    answer = await mail.call("POST", "/v1/mail/messages/labels?wait=15", body)
    assert (answer.body["state"], answer.body["done"]) == ("done", 30)
    await mail.quiet()
    assert mail.types().count("updated") == 30
    usage = (await mail.google.control("GET", "usage"))["people"][ALICE]["methods"]
    assert usage["gmail.users.messages.batchModify"]["calls"] == 1
    assert "gmail.users.messages.get" not in usage


async def test_of_many_messages_none_is_changed_when_one_is_not_the_callers(mail: Stand) -> None:
    (message,) = await received(mail)
    body = {"message_ids": [message["id"], str(uuid4())], "action": "read"}
    answer = await mail.call("POST", "/v1/mail/messages/labels", body)
    assert (answer.status, answer.fields) == (400, ["message_ids[1]"])
    body = {"message_ids": [message["id"]], "action": "read"}
    foreign = await mail.call(
        "POST", "/v1/mail/messages/labels", body, token=caller_token(tenant="umbrella")
    )
    assert foreign.fields == ["message_ids[0]"]
    assert await mail.fetch("SELECT 1 FROM writes") == []


@pytest.mark.parametrize("how", [{"lose_answer": True}, {"drop": True}])
async def test_a_lost_answer_leaves_one_change_and_one_event(
    quick: Stand, how: dict[str, Any]
) -> None:
    (message,) = await received(quick)
    await fault(quick, path_contains=MODIFY, times=1, **how)
    answer = await change(quick, message, STAR)
    assert answer.body["state"] == "done"
    await quick.quiet()
    assert await labels_here(quick, message) == {"INBOX", "UNREAD", "STARRED"}
    assert quick.types() == ["received", "updated"]
    (event,) = quick.events("mail.message.updated")
    assert event.data["origin"] == "crm"


async def test_an_edit_in_gmail_after_ours_wins(mail: Stand) -> None:
    (message,) = await received(mail)
    assert (await change(mail, message, STAR)).body["state"] == "done"
    await mail.edit(message["google_message_id"], "unstar")
    await mail.told("received", "updated", "updated")
    assert await labels_here(mail, message) == {"INBOX", "UNREAD"}
    assert [one.data["origin"] for one in mail.events("mail.message.updated")] == ["crm", "live"]
    await mail.edit(message["google_message_id"], "star")
    await eventually(lambda: mail.types().count("updated") == 3)
    assert mail.events("mail.message.updated")[-1].data["origin"] == "live"


async def test_an_older_edit_that_comes_late_undoes_nothing(stand: Stand) -> None:
    async with stand.serving():
        (message,) = await received(stand)
        await change(stand, message, STAR)
        await stand.quiet()
        # The live feed does not hear of the person's edit before the CRM's change is made.
        await stand.google.control("PUT", "pushes", {"paused": True})
        await stand.edit(message["google_message_id"], "unstar")
        await change(stand, message, STAR)
        await stand.google.control("PUT", "pushes", {"paused": False})
        await stand.fetch("UPDATE signals SET due_at = now()")
        await stand.quiet()
        assert "STARRED" in await labels_here(stand, message)
        assert "STARRED" in await labels_at_google(stand, message)


async def test_a_message_that_is_gone_fails_alone(mail: Stand) -> None:
    messages = await received(mail, 2)
    await mail.google.control("PUT", "pushes", {"paused": True})
    await mail.edit(messages[0]["google_message_id"], "delete")
    body = {"message_ids": [one["id"] for one in messages], **STAR}
    answer = await mail.call("POST", "/v1/mail/messages/labels?wait=15", body)
    assert (answer.body["state"], answer.body["done"], answer.body["failed"]) == ("failed", 1, 1)
    assert answer.body["failures"][0]["reason"] == "message-gone"


async def test_changes_that_go_round_in_circles_are_stopped(mail: Stand) -> None:
    (message,) = await received(mail)
    insert = """
    INSERT INTO writes (tenant_id, id, group_id, connection_id, kind, item, desired, due_at,
                        created_at, state, finished_at)
    SELECT 'acme', gen_random_uuid(), gen_random_uuid(), $1::uuid, 'mail.labels', $2, '{}', now(),
           now(), 'done', now()
      FROM generate_series(1, 60)
    """
    await mail.fetch(insert, message["connection_id"], message["google_message_id"])
    answer = await change(mail, message, STAR, wait=0)
    assert (answer.status, answer.problem) == (429, "too-many-writes")


async def test_what_became_of_a_change_is_only_its_owners_to_see(mail: Stand) -> None:
    (message,) = await received(mail)
    answer = await change(mail, message, STAR)
    path = answer.headers["Location"]
    assert (await mail.get(path))["state"] == "done"
    for token in (caller_token(user="eve"), caller_token(tenant="umbrella")):
        assert (await mail.call("GET", path, token=token)).status == 404


async def test_a_part_that_a_person_did_too_is_no_proof_of_the_whole(quick: Stand) -> None:
    (message,) = await received(quick)
    await fault(quick, path_contains=MODIFY, times=3, drop=True)
    answer = await change(quick, message, {"action": "trash"}, wait=0)
    await eventually(lambda: is_waiting_to_be_settled(quick))
    await quick.edit(message["google_message_id"], "archive")
    await eventually(lambda: has_ended(quick, answer.headers["Location"]))
    await quick.quiet()
    assert await labels_at_google(quick, message) == {"UNREAD", "TRASH"}
    assert await labels_here(quick, message) == {"UNREAD", "TRASH"}


async def is_waiting_to_be_settled(mail: Stand) -> bool:
    return bool(await mail.fetch("SELECT 1 FROM writes WHERE progress ? 'lost'"))


async def has_ended(mail: Stand, path: str) -> bool:
    return (await mail.get(path))["finished_at"] is not None


async def test_an_edit_after_a_change_that_changed_nothing_is_the_persons(mail: Stand) -> None:
    (message,) = await received(mail)
    for _ in range(2):
        assert (await change(mail, message, STAR)).body["state"] == "done"
    await mail.told("received", "updated")
    await mail.quiet()
    for count, action in enumerate(("unstar", "star"), 2):
        await mail.edit(message["google_message_id"], action)
        await mail.told("received", *["updated"] * count)
    assert [one.data["origin"] for one in mail.events("mail.message.updated")] == [
        "crm",
        "live",
        "live",
    ]


async def test_what_was_done_before_google_had_enough_is_done(mail: Stand) -> None:
    messages = await received(mail, 3)
    wait = {"Retry-After": "600"}
    rule = {"status": 429, "reason": "rateLimitExceeded", "headers": wait, "after": 2}
    await fault(mail, path_contains=MODIFY, times=1, **rule)
    body = {"message_ids": [one["id"] for one in messages], **STAR}
    answer = await mail.call("POST", "/v1/mail/messages/labels", body)

    async def are_told() -> bool:
        found = await mail.get(answer.headers["Location"])
        return bool(found["done"] == 2 and mail.types().count("updated") == 2)

    await eventually(are_told)
    assert {one.data["origin"] for one in mail.events("mail.message.updated")} == {"crm"}


async def test_a_lost_change_is_the_crms_although_google_has_enough_in_between(
    quick: Stand,
) -> None:
    (message,) = await received(quick)
    await quick.google.control("PUT", "pushes", {"paused": True})
    wait = {"Retry-After": "2"}
    rules = [
        {"path_contains": MODIFY, "times": 3, "lose_answer": True},
        # The first request of whoever settles it.
        {"path_contains": "/profile", "after": 1, "status": 429, "headers": wait},
    ]
    await quick.google.control("PUT", "faults", {"rules": rules})
    await change(quick, message, STAR, wait=0)
    await eventually(lambda: is_put_off(quick))
    await quick.google.control("PUT", "pushes", {})
    await quick.told("received", "updated")  # the mailbox is read; the change is refused for long
    assert [one.data["origin"] for one in quick.events("mail.message.updated")] == ["crm"]


async def is_put_off(mail: Stand) -> bool:
    return bool(await mail.fetch("SELECT 1 FROM quota_pauses"))
