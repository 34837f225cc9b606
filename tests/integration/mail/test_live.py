"""From a change in Gmail to rows and events."""

import asyncio

from tests.integration.mail.stand import Stand
from tests.integration.service_stand import ALICE
from tests.support import eventually


async def test_new_mail_becomes_a_row_and_exactly_one_event(mail: Stand) -> None:
    connection_id = await mail.connect()
    sent = await mail.deliver(subject="Grüße", text="Hello Alice", to=ALICE)
    await mail.told("received")
    (event,) = mail.events()
    (message,) = await mail.messages()
    assert event.data["message_id"] == message["id"]
    assert event.data["google_message_id"] == sent["id"] == message["google_message_id"]
    assert event.data["connection_id"] == connection_id
    assert event.data["from"] == {"address": "bob@example.org", "name": None}
    assert event.data["subject"] == message["subject"] == "Grüße"
    assert event.data["direction"] == "inbound"
    assert event.data["origin"] == "live"
    assert event.subject == f"message/{message['id']}"
    assert int(event.sequence) == 1
    assert event.tenantid == "acme"
    whole = await mail.get(f"/v1/mail/messages/{message['id']}")
    assert whole["text"] == "Hello Alice"
    assert "INBOX" in whole["labels"]


async def test_mail_from_before_the_connection_rings_no_bell(mail: Stand) -> None:
    await mail.deliver(subject="old")
    await mail.connect()
    await mail.deliver(subject="new")
    await mail.told("received")
    assert [one["subject"] for one in await mail.messages()] == ["new"]


async def test_what_the_person_sends_is_told_as_sent(mail: Stand) -> None:
    await mail.connect()
    await mail.deliver(sent=True, to="bob@example.org", subject="Hi Bob", **{"from": ALICE})
    await mail.told("sent")
    (message,) = await mail.messages()
    assert message["direction"] == "outbound"


async def test_reading_and_starring_are_updates(mail: Stand) -> None:
    await mail.connect()
    sent = await mail.deliver()
    await mail.told("received")
    await mail.edit(sent["id"], "read")
    await mail.told("received", "updated")
    await mail.edit(sent["id"], "star")
    await mail.told("received", "updated", "updated")
    read, starred = mail.events()[1:]
    assert read.data["labels_removed"] == ["UNREAD"]
    assert starred.data["labels_added"] == ["STARRED"]
    assert [int(one.sequence) for one in mail.events()] == [1, 2, 3]
    (message,) = await mail.messages()
    assert "STARRED" in message["labels"]
    assert "UNREAD" not in message["labels"]


async def test_trash_is_an_update_and_deleting_is_the_end(mail: Stand) -> None:
    await mail.connect()
    sent = await mail.deliver()
    await mail.told("received")
    await mail.edit(sent["id"], "trash")
    await mail.told("received", "updated")
    assert "TRASH" in mail.events()[1].data["labels_added"]
    await mail.edit(sent["id"], "delete")
    await mail.told("received", "updated", "deleted")
    assert await mail.messages() == []
    message_id = mail.events()[0].data["message_id"]
    assert (await mail.call("GET", f"/v1/mail/messages/{message_id}")).status == 404
    (row,) = await mail.fetch("SELECT subject, body_text, deleted_at FROM messages")
    assert row["deleted_at"]
    assert row["subject"] is None
    assert row["body_text"] is None


async def test_spam_is_no_mail_until_it_leaves_spam(mail: Stand) -> None:
    await mail.connect()
    spam = await mail.deliver(subject="rescued", labels=["SPAM", "UNREAD"])
    marker = await mail.deliver(subject="marker")
    await mail.told("received")
    assert mail.types(spam["id"]) == []
    await mail.edit(spam["id"], "not_spam")
    await mail.told("received", "received")
    assert mail.types(spam["id"]) == ["received"]
    assert mail.types(marker["id"]) == ["received"]


async def test_a_draft_is_no_mail(mail: Stand) -> None:
    await mail.connect()
    draft = await mail.deliver(labels=["DRAFT"])
    await mail.deliver(subject="marker")
    await mail.told("received")
    assert mail.types(draft["id"]) == []


async def test_a_message_that_vanished_is_passed_over(mail: Stand) -> None:
    await mail.connect()
    await mail.google.control("PUT", "pushes", {"paused": True})
    gone = await mail.deliver(subject="gone")
    await mail.edit(gone["id"], "delete")
    kept = await mail.deliver(subject="kept")
    await mail.google.control("PUT", "pushes", {})
    await mail.told("received")
    assert mail.types(kept["id"]) == ["received"]


async def test_a_message_that_is_late_at_google_is_waited_for(mail: Stand) -> None:
    await mail.connect()
    rule = {
        "path_prefix": "/gmail/v1/users/me/messages/",
        "method": "GET",
        "times": 1,
        "status": 404,
        "reason": "notFound",
    }
    await mail.google.control("PUT", "faults", {"rules": [rule]})
    await mail.deliver(subject="late")
    await mail.told("received")


async def test_a_burst_is_one_event_per_message_and_few_runs(mail: Stand) -> None:
    await mail.connect()
    await mail.google.control("DELETE", "usage")
    await mail.deliver(count=60)
    await eventually(lambda: len(mail.types()) == 60)
    await mail.quiet()
    assert mail.types() == ["received"] * 60
    usage = await mail.google.control("GET", "usage")
    methods = usage["people"][ALICE]["methods"]
    assert methods["gmail.users.messages.get"]["calls"] == 60
    assert methods["gmail.users.history.list"]["calls"] <= 4
    (row,) = await mail.fetch("SELECT count(*) AS n FROM messages")
    assert row["n"] == 60


async def test_a_hundred_pushes_cost_few_runs(mail: Stand) -> None:
    await mail.connect()
    await mail.quiet()
    await mail.google.control("DELETE", "usage")
    assert set(await asyncio.gather(*(mail.forge() for _ in range(100)))) == {204}
    await mail.quiet()
    usage = await mail.google.control("GET", "usage")
    calls = usage["people"][ALICE]["methods"]["gmail.users.history.list"]["calls"]
    assert 1 <= calls <= 20


async def test_a_push_during_a_run_is_not_swallowed(mail: Stand) -> None:
    await mail.connect()
    await mail.quiet()
    slow = {"path_prefix": "/gmail/v1/users/me/history", "times": 1, "delay_s": 1.0}
    await mail.google.control("PUT", "faults", {"rules": [slow]})
    assert await mail.forge() == 204

    async def is_running() -> bool:
        (row,) = await mail.fetch("SELECT running FROM signals WHERE address LIKE '%@%'")
        return bool(row["running"])

    await eventually(is_running)
    await mail.google.control("PUT", "pushes", {"paused": True})
    await mail.deliver(subject="meanwhile")
    assert await mail.forge() == 204
    await mail.told("received")


async def test_history_delivered_again_tells_nothing_twice(mail: Stand) -> None:
    await mail.connect()
    await mail.quiet()
    (feed,) = await mail.fetch("SELECT cursor FROM feeds WHERE kind = 'mail.live'")
    sent = await mail.deliver()
    await mail.told("received")
    await mail.edit(sent["id"], "read")
    await mail.told("received", "updated")
    await mail.quiet()
    await mail.fetch("UPDATE feeds SET cursor = $1 WHERE kind = 'mail.live'", feed["cursor"])
    assert await mail.forge() == 204
    await mail.quiet()
    assert mail.types() == ["received", "updated"]
    (again,) = await mail.fetch("SELECT cursor, state FROM feeds WHERE kind = 'mail.live'")
    assert int(again["cursor"]) > int(feed["cursor"])
    assert again["state"] == "active"


async def test_without_pushes_the_poll_finds_the_mail(stand: Stand) -> None:
    stand.settings = stand.settings.model_copy(update={"poll_interval": 0.3})
    await stand.google.control("PUT", "pushes", {"drop": 1000})
    async with stand.serving():
        await stand.connect()
        await stand.deliver(subject="polled")
        await stand.told("received")


async def test_google_failing_for_a_while_loses_nothing(mail: Stand) -> None:
    await mail.connect()
    rule = {"path_prefix": "/gmail/v1/users/me/messages/", "times": 4, "status": 503}
    await mail.google.control("PUT", "faults", {"rules": [rule]})
    await mail.deliver()
    await eventually(lambda: mail.types() == ["received"])


async def test_history_that_says_things_twice_tells_them_once(mail: Stand) -> None:
    await mail.connect()
    await mail.google.control("PUT", "settings", {"history_duplicates": True})
    sent = await mail.deliver(subject="once")
    await mail.told("received")
    await mail.edit(sent["id"], "star")
    await mail.told("received", "updated")
    await mail.quiet()
    assert len(await mail.messages()) == 1


async def test_a_message_that_is_announced_before_it_can_be_read_comes_in(mail: Stand) -> None:
    await mail.connect()
    await mail.google.control("PUT", "settings", {"vanish_gets": 1})
    await mail.deliver(subject="late")
    await mail.told("received")


async def test_what_was_worked_on_is_counted(mail: Stand) -> None:
    await mail.connect()
    await mail.deliver()
    await mail.told("received")
    answer = await mail.call("GET", "/metrics")
    metrics = answer.body.decode()
    assert 'causeway_mail_items_total{origin="live",outcome="changed"}' in metrics
    assert 'causeway_feed_runs_total{kind="mail.live",outcome="ok"}' in metrics
    assert 'causeway_quota_units_total{lane="live"}' in metrics
