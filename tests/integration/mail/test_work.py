"""The whole way of links and of dead items: through Google, the intake and the broker."""

from typing import Any

from tests.integration.mail.stand import Stand, feed_of
from tests.integration.service_stand import ALICE
from tests.support import eventually, service_caller_token

BOB = "bob@example.org"


async def tell(mail: Stand, *emails: str, entity: str = "deal/42", version: int = 1) -> None:
    """Tell of an entity as the CRM's service."""
    body = {"version": version, "name": "Bob", "emails": list(emails)}
    path = f"/v1/mail/entities/{entity}"
    answer = await mail.call("PUT", path, body, token=service_caller_token())
    assert answer.status == 200, answer


async def forget(mail: Stand, entity: str = "deal/42", version: int = 9) -> None:
    path = f"/v1/mail/entities/{entity}?version={version}"
    assert (await mail.call("DELETE", path, token=service_caller_token())).status == 200


async def activities(mail: Stand, kind: str = "deal", entity_id: str = "42") -> list[Any]:
    path = f"/v1/mail/activities?entity_type={kind}&entity_id={entity_id}"
    return list((await mail.get(path))["items"])


def known(stand: Stand) -> None:
    stand.settings = stand.settings.model_copy(update={"policy": "known"})


async def test_mail_with_somebody_known_is_an_activity(mail: Stand) -> None:
    await mail.connect()
    await tell(mail, BOB)
    await mail.deliver(subject="Offer", text="Hello")
    await mail.told("received")
    (activity,) = await eventually(lambda: activities(mail))
    assert activity["title"] == "Offer"
    assert activity["entities"] == [{"type": "deal", "id": "42"}]
    await eventually(lambda: mail.events("mail.activity.logged"))
    (event,) = mail.events("mail.activity.logged")
    assert event.data["activity"]["title"] == "Offer"
    assert event.data["origin"] == "live"


async def test_under_known_mail_with_somebody_known_is_whole_and_of_strangers_a_trace(
    stand: Stand,
) -> None:
    known(stand)
    async with stand.serving():
        await stand.connect()
        await tell(stand, BOB)
        await stand.deliver(subject="from Bob", text="the text", **{"from": BOB})
        await stand.deliver(subject="from a stranger", **{"from": "eve@elsewhere.example"})
        await stand.told("received")
        await eventually(lambda: stand.fetch("SELECT 1 FROM messages WHERE traced"))
        (message,) = await stand.messages()
        assert message["subject"] == "from Bob"
        whole = await stand.get(f"/v1/mail/messages/{message['id']}")
        assert whole["text"] == "the text"
        assert whole["entities"] == [{"type": "deal", "id": "42"}]


async def test_an_entity_that_appears_later_finds_its_mail(stand: Stand) -> None:
    known(stand)
    async with stand.serving():
        await stand.connect()
        for number in range(30):
            await stand.deliver(subject=f"mail {number}", **{"from": BOB})
        await stand.deliver(subject="other", **{"from": "eve@elsewhere.example"})

        async def all_are_traced() -> bool:
            return len(await stand.fetch("SELECT 1 FROM messages WHERE traced")) == 31

        await eventually(all_are_traced)
        assert stand.types() == []
        await tell(stand, BOB)
        await eventually(lambda: len(stand.types()) == 30)
        assert {one.data["origin"] for one in stand.events("mail.message.")} == {"repair"}
        await eventually(lambda: len(stand.events("mail.activity.logged")) == 30)
        assert len(await stand.fetch("SELECT 1 FROM messages WHERE traced")) == 1


async def test_under_known_an_entity_that_is_gone_takes_the_content_with_it(stand: Stand) -> None:
    known(stand)
    async with stand.serving():
        await stand.connect()
        await tell(stand, BOB)
        await stand.deliver(subject="secret", **{"from": BOB})
        await stand.told("received")
        await forget(stand)
        await eventually(lambda: stand.fetch("SELECT 1 FROM messages WHERE traced"))
        (row,) = await stand.fetch("SELECT subject, body_text, search FROM messages")
        assert (row["subject"], row["body_text"], row["search"]) == (None, None, None)


async def break_messages(mail: Stand) -> None:
    rule = {
        "path_prefix": "/gmail/v1/users/me/messages/",
        "method": "GET",
        "times": 1000,
        "status": 200,
        "body": {"id": "odd"},
    }
    await mail.google.control("PUT", "faults", {"rules": [rule]})


async def dead_items(mail: Stand) -> list[Any]:
    return list((await mail.get("/v1/mail/dead-items"))["items"])


async def test_a_dead_item_is_taken_in_when_it_is_tried_again(mail: Stand) -> None:
    connection_id = await mail.connect()
    await break_messages(mail)
    sent = await mail.deliver(subject="odd")
    (item,) = await eventually(lambda: dead_items(mail))
    assert (item["item"], item["cause"]) == (sent["id"], "google-answer-unreadable")
    await mail.google.control("DELETE", "faults")
    answer = await mail.call("POST", f"/v1/mail/dead-items/{item['id']}/replay")
    assert answer.status == 202
    await mail.told("received")

    async def is_gone() -> bool:
        return await dead_items(mail) == []

    await eventually(is_gone)
    assert await mail.forge() == 204

    async def is_well() -> bool:
        status = await mail.status(connection_id)
        return status is not None and feed_of(status)["state"] == "active"

    await eventually(is_well)


async def test_a_replay_that_fails_leaves_the_item_with_one_more_attempt(mail: Stand) -> None:
    await mail.connect()
    await break_messages(mail)
    await mail.deliver()
    (item,) = await eventually(lambda: dead_items(mail))
    await mail.call("POST", f"/v1/mail/dead-items/{item['id']}/replay")

    async def has_failed() -> bool:
        (now,) = await dead_items(mail)
        return now["attempts"] == item["attempts"] + 1 and now["replay_at"] is None

    await eventually(has_failed)


async def test_trouble_and_its_end_are_told(mail: Stand) -> None:
    connection_id = await mail.connect()
    await break_messages(mail)
    await mail.deliver()
    await eventually(lambda: mail.events("mail.feed.degraded"))
    event = mail.events("mail.feed.degraded")[0]
    assert event.data["connection_id"] == connection_id
    assert (event.data["kind"], event.data["reason"]) == ("mail.live", "dead-items")
    await mail.google.control("DELETE", "faults")
    (item,) = await dead_items(mail)
    await mail.call("POST", f"/v1/mail/dead-items/{item['id']}/replay")
    await mail.told("received")
    await mail.forge()
    await eventually(lambda: mail.events("mail.feed.recovered"))


async def test_a_message_that_kills_the_worker_is_put_aside_after_three_tries(
    stand: Stand,
) -> None:
    async with stand.serving():
        await stand.connect()
        await stand.quiet()
    sent = await stand.deliver(subject="deadly")
    async with stand.serving(roles=frozenset({"web"})), stand.pool() as conn:
        # What three processes that died over it have left behind.
        await conn.execute(
            "INSERT INTO item_attempts (tenant_id, feed_id, item, attempts)"
            " SELECT tenant_id, id, $1, 3 FROM feeds WHERE kind = 'mail.live'",
            sent["id"],
        )
    async with stand.serving():
        assert await stand.forge() == 204
        (item,) = await eventually(lambda: dead_items(stand))
        assert (item["item"], item["cause"]) == (sent["id"], "killed-the-worker")
        await stand.deliver(subject="after")
        await stand.told("received")


async def test_googles_quota_is_counted_and_shown(mail: Stand) -> None:
    connection_id = await mail.connect()
    await mail.deliver(count=5)
    await eventually(lambda: len(mail.types()) == 5)
    status = await mail.status(connection_id)
    assert status is not None
    spent = (await mail.google.control("GET", "usage"))["people"][ALICE]["units"]
    assert 0 < status["quota"]["minute"] <= 6000 - spent
