"""Sending: from the request to the mailbox at Google, and back through its history, once."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email import policy
from email.parser import BytesParser
from typing import Any
from uuid import uuid4

import pytest

from libs.common.restored import put_right
from services.mail.app import RESTORABLE
from tests.databases import connected
from tests.emulated import Emulated
from tests.integration.mail.letters import (
    BOB,
    at_google,
    body_of,
    ended,
    fault,
    letter,
    post,
    raw_at_google,
    sent,
)
from tests.integration.mail.stand import Stand
from tests.integration.service_stand import ALICE
from tests.support import caller_token, eventually, service_caller_token

DRAFTS = "/upload/gmail/v1/users/me/drafts"
SEND = "/gmail/v1/users/me/drafts/send"


@pytest.fixture
async def quick(stand: Stand) -> AsyncIterator[Stand]:
    """The service, which is not patient with Google."""
    stand.settings = stand.settings.model_copy(update={"settle_after": 0.3, "write_timeout": 3.0})
    async with stand.serving():
        yield stand


async def settled(mail: Stand, *, messages: int = 1) -> None:
    """Check that so many messages were sent, each told once, and no draft is left."""
    await eventually(lambda: mail.types().count("sent") == messages)
    await mail.quiet()
    assert mail.types().count("sent") == messages
    assert len(await at_google(mail)) == messages
    assert await at_google(mail, label="DRAFT") == []


async def test_a_message_is_sent_and_logged_once(mail: Stand) -> None:
    connection_id = await mail.connect(access="write")
    done = await sent(mail, letter(connection_id=connection_id, html="<p>Hello <b>Bob</b></p>"))
    assert done["state"] == "sent"
    await settled(mail)
    (event,) = mail.events("mail.message.sent")
    assert event.data["message_id"] == event.data["send_id"] == done["id"]
    assert event.data["origin"] == "crm"
    message = await mail.get(f"/v1/mail/messages/{done['id']}")
    assert message["subject"] == "Offer"
    assert message["google_message_id"] == done["google_message_id"]
    raw = await raw_at_google(mail, done["google_message_id"])
    assert f"To: {BOB}\r\n".encode() in raw
    assert body_of(raw, "html") == "<p>Hello <b>Bob</b></p>"
    assert body_of(raw, "plain") == "Hello Bob"


async def test_sending_costs_no_more_units_than_a_draft_and_its_sending(mail: Stand) -> None:
    connection_id = await mail.connect(access="write")
    await sent(mail, letter(connection_id=connection_id))  # the first one asks for the aliases
    await settled(mail)
    await mail.google.control("DELETE", "usage")
    await sent(mail, letter(connection_id=connection_id))
    await settled(mail, messages=2)
    usage = (await mail.google.control("GET", "usage"))["people"][ALICE]
    calls = {name: one["calls"] for name, one in usage["methods"].items()}
    assert calls.pop("gmail.users.history.list") <= 2  # its own push may come in two
    assert calls == {
        "gmail.users.drafts.create": 1,
        "gmail.users.drafts.send": 1,
        "gmail.users.messages.get": 1,  # the message itself, once it is there
    }


async def test_an_answer_joins_the_thread(mail: Stand) -> None:
    await mail.connect(access="write")
    await mail.deliver(subject="Question", text="How much?", **{"from": f"Bob <{BOB}>"})
    await mail.told("received")
    (question,) = await mail.messages()
    body = letter(to=None, subject=None, reply_to_message_id=question["id"])
    done = await sent(mail, body)
    await eventually(lambda: mail.types().count("sent") == 1)
    assert done["subject"] == "Re: Question"
    assert [one["address"] for one in done["to"]] == [BOB]
    answer = await mail.get(f"/v1/mail/messages/{done['id']}")
    assert answer["thread_id"] == question["thread_id"]
    assert answer["in_reply_to"] == question_id(await mail.get(path_of(question)))


async def test_what_is_in_two_mailboxes_can_be_answered_from_the_other(mail: Stand) -> None:
    first = await mail.connect(access="write")
    await mail.google.add_person("ann@example.com", name="Ann")
    second = await mail.connect(person="ann@example.com", access="write")
    headers = {"Message-ID": "<question@example.org>"}
    for person in (ALICE, "ann@example.com"):
        await mail.deliver(person, subject="Question", headers=headers, **{"from": BOB})
    await mail.told("received", "received")
    (question,) = await mail.messages(f"?connection_id={first}")
    body = letter(to=None, subject=None, reply_to_message_id=question["id"], connection_id=second)
    done = await sent(mail, body)
    assert (done["state"], done["from"]["address"]) == ("sent", "ann@example.com")


def question_id(message: dict[str, Any]) -> str:
    return str(message["rfc822_message_id"])


def path_of(message: dict[str, Any]) -> str:
    return f"/v1/mail/messages/{message['id']}"


async def test_attachments_arrive_as_they_were(mail: Stand) -> None:
    connection_id = await mail.connect(access="write")
    content = os.urandom(700_000)
    files = (("Übersicht.pdf", "application/pdf", content), ("note.txt", "text/plain", b"x"))
    done = await sent(mail, letter(connection_id=connection_id), *files)
    assert done["state"] == "sent", done
    raw = BytesParser(policy=policy.default).parsebytes(
        await raw_at_google(mail, done["google_message_id"])
    )
    found = [(one.get_filename(), one.get_content()) for one in raw.iter_attachments()]
    assert found == [("Übersicht.pdf", content), ("note.txt", "x")]
    assert await mail.fetch("SELECT 1 FROM outgoing_chunks") == []


async def test_a_forwarded_message_takes_its_attachments_along(mail: Stand) -> None:
    await mail.connect(access="write")
    await mail.deliver(
        subject="Plans",
        text="see there",
        attachments=[{"filename": "plan.txt", "content": "cGxhbg==", "mime_type": "text/plain"}],
    )
    await mail.told("received")
    (plans,) = await mail.messages()
    body = letter(subject=None, text="For you", forward_message_id=plans["id"])
    done = await sent(mail, body)
    assert done["subject"] == "Fwd: Plans"
    assert [one["filename"] for one in done["attachments"]] == ["plan.txt"]
    text = body_of(await raw_at_google(mail, done["google_message_id"]), "plain")
    assert text.startswith("For you")
    assert "see there" in text


async def test_entities_that_were_named_are_logged_whoever_it_went_to(mail: Stand) -> None:
    connection_id = await mail.connect(access="write")
    body = {"version": 1, "name": "A deal", "emails": []}
    path = "/v1/mail/entities/deal/7"
    assert (await mail.call("PUT", path, body, token=service_caller_token())).status == 200
    wanted = letter(connection_id=connection_id, entities=[{"type": "deal", "id": "7"}])
    done = await sent(mail, wanted)
    (event,) = await eventually(lambda: mail.events("mail.activity.logged"))
    assert event.data["activity"]["entities"] == [{"type": "deal", "id": "7"}]
    assert event.data["activity"]["direction"] == "outbound"
    await mail.call("PUT", path, {**body, "version": 2}, token=service_caller_token())
    await mail.quiet()
    assert (await mail.get(f"/v1/mail/messages/{done['id']}"))["entities"]


async def test_what_the_crm_sends_is_kept_under_the_policy_known(stand: Stand) -> None:
    stand.settings = stand.settings.model_copy(update={"policy": "known"})
    async with stand.serving():
        connection_id = await stand.connect(access="write")
        done = await sent(stand, letter(connection_id=connection_id))
        await settled(stand)
        assert (await stand.get(f"/v1/mail/messages/{done['id']}"))["text"].strip() == "Hello Bob"


@pytest.mark.parametrize("path", [DRAFTS, SEND])
async def test_a_lost_answer_is_settled_and_nothing_goes_out_twice(quick: Stand, path: str) -> None:
    connection_id = await quick.connect(access="write")
    await fault(quick, path_prefix=path, method="POST", times=1, lose_answer=True)
    answer = await post(quick, letter(connection_id=connection_id))
    done = await ended(quick, answer.body["id"])
    assert done["state"] == "sent", done
    await settled(quick)


@pytest.mark.parametrize("path", [DRAFTS, SEND])
async def test_a_request_that_was_not_heard_is_made_again(quick: Stand, path: str) -> None:
    connection_id = await quick.connect(access="write")
    await fault(quick, path_prefix=path, method="POST", times=1, drop=True)
    answer = await post(quick, letter(connection_id=connection_id))
    assert (await ended(quick, answer.body["id"]))["state"] == "sent"
    await settled(quick)


async def test_a_send_whose_draft_vanished_is_unknown_and_never_sent_again(quick: Stand) -> None:
    connection_id = await quick.connect(access="write")
    await fault(quick, path_prefix=SEND, method="POST", times=1, drop=True)
    answer = await post(quick, letter(connection_id=connection_id))
    (draft,) = await eventually(lambda: at_google(quick, label="DRAFT"))
    await quick.edit(draft["id"], "delete")
    await quick.fetch("UPDATE writes SET progress = progress || '{\"looks\": 4}'")
    done = await ended(quick, answer.body["id"])
    assert (done["state"], done["reason"]) == ("unknown", "not-found")
    await quick.quiet()
    assert await at_google(quick) == []
    (event,) = quick.events("mail.send.")
    assert event.type == "mail.send.unsettled.v1"


async def test_what_google_refuses_fails_and_leaves_no_draft(mail: Stand) -> None:
    connection_id = await mail.connect(access="write")
    rule = {"path_prefix": SEND, "status": 400, "reason": "invalidArgument", "times": 1}
    await fault(mail, **rule)
    done = await sent(mail, letter(connection_id=connection_id))
    assert (done["state"], done["reason"]) == ("failed", "google-request-refused")
    await eventually(lambda: mail.events("mail.send.failed"))
    await eventually(lambda: no_drafts(mail))
    assert await at_google(mail) == []


async def no_drafts(mail: Stand) -> bool:
    return await at_google(mail, label="DRAFT") == []


async def test_a_message_waits_for_its_time_and_can_be_taken_back(mail: Stand) -> None:
    connection_id = await mail.connect(access="write")
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    answer = await post(mail, letter(connection_id=connection_id, send_at=later))
    assert answer.body["state"] == "scheduled"
    path = f"/v1/mail/sends/{answer.body['id']}"
    assert (await mail.call("DELETE", path)).status == 204
    assert (await mail.get(path))["state"] == "cancelled"
    assert (await mail.call("DELETE", path)).problem == "too-late"
    await mail.quiet()
    assert await at_google(mail) == []


async def test_a_message_leaves_at_its_time(mail: Stand) -> None:
    connection_id = await mail.connect(access="write")
    soon = (datetime.now(UTC) + timedelta(seconds=1.5)).isoformat()
    answer = await post(mail, letter(connection_id=connection_id, send_at=soon))
    assert answer.body["state"] == "scheduled"
    assert await at_google(mail) == []
    assert (await ended(mail, answer.body["id"]))["state"] == "sent"


async def test_the_same_key_sends_once(mail: Stand) -> None:
    connection_id = await mail.connect(access="write")
    first = await post(mail, letter(connection_id=connection_id), key="one")
    again = await post(mail, letter(connection_id=connection_id), key="one")
    assert again.body["id"] == first.body["id"]
    other = await post(mail, letter(connection_id=connection_id, text="else"), key="one")
    assert (other.status, other.problem) == (409, "idempotency-key-reused")
    await settled(mail)


async def test_the_same_form_with_the_same_key_sends_once(mail: Stand) -> None:
    connection_id = await mail.connect(access="write")
    body, file = letter(connection_id=connection_id), ("a.txt", "text/plain", b"one")
    first = await post(mail, body, file, key="one")
    again = await post(mail, body, file, key="one")  # under another boundary
    assert again.body["id"] == first.body["id"]
    other = await post(mail, body, ("a.txt", "text/plain", b"two"), key="one")
    assert other.problem == "idempotency-key-reused"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"to": [{"address": "nobody"}]}, "to[0].address"),
        ({"to": [{"address": "bob@example.org\r\nBcc: eve@example.org"}]}, "to[0].address"),
        ({"to": [{"address": BOB, "name": "Bob\r\nBcc: eve@example.org"}]}, "to[0].name"),
        ({"subject": "Offer\r\nBcc: eve@example.org"}, "subject"),
        ({"subject": "Offer\nX: y"}, "subject"),
        ({"to": []}, "to"),
        ({"to": [{"address": f"u{n}@example.org"} for n in range(101)]}, "to"),
        ({"html": "<p onclick=x>"}, "html"),
        ({"html": "<script>alert(1)</script>"}, "html"),
        ({"from": "boss@example.com"}, "from"),
        ({"connection_id": None}, "connection_id"),
        ({"connection_id": str(uuid4())}, "connection_id"),
        ({"reply_to_message_id": str(uuid4())}, "reply_to_message_id"),
        ({"forward_message_id": str(uuid4())}, "forward_message_id"),
        ({"entities": [{"type": "deal", "id": "404"}]}, "entities[0]"),
        ({"send_at": "2099-01-01T00:00:00Z"}, "send_at"),
        ({"text": None}, "body"),
        ({"more": 1}, "more"),
    ],
)
async def test_what_cannot_be_sent_is_refused_whole(
    mail: Stand, fields: dict[str, Any], named: str
) -> None:
    connection_id = await mail.connect(access="write")
    answer = await post(mail, letter(**{"connection_id": connection_id, **fields}))
    assert answer.status == 400, answer
    assert answer.fields == [named]
    assert await mail.fetch("SELECT id FROM outgoing") == []
    assert await mail.fetch("SELECT id FROM writes") == []


async def test_nobody_on_the_blocklist_is_written_to(mail: Stand) -> None:
    connection_id = await mail.connect(access="write")
    settings = {"policy": "all", "blocklist": ["example.org"]}
    path = f"/v1/mail/connections/{connection_id}/settings"
    assert (await mail.call("PUT", path, settings)).status in {200, 202}
    answer = await post(
        mail, letter(connection_id=connection_id, cc=[{"address": "eve@example.net"}])
    )
    assert (answer.status, answer.fields) == (400, ["to"])
    assert await mail.fetch("SELECT id FROM outgoing") == []


async def test_a_paused_mailbox_sends_nothing(mail: Stand) -> None:
    connection_id = await mail.connect(access="write")
    await mail.call("POST", f"/v1/mail/connections/{connection_id}/pause")
    answer = await post(mail, letter(connection_id=connection_id))
    assert (answer.status, answer.problem) == (409, "connection-paused")


async def test_what_the_crm_sent_stays_when_less_is_kept(mail: Stand) -> None:
    connection_id = await mail.connect(access="write")
    done = await sent(mail, letter(connection_id=connection_id))
    await mail.deliver(subject="a stranger's")
    await eventually(lambda: sorted(mail.types()) == ["received", "sent"])
    path = f"/v1/mail/connections/{connection_id}/settings?wait=15"
    assert (await mail.call("PUT", path, {"policy": "none"})).status in {200, 202}
    await eventually(lambda: mail.types().count("redacted") == 1)
    assert (await mail.get(f"/v1/mail/messages/{done['id']}"))["subject"] == "Offer"


async def test_sending_needs_a_key(mail: Stand) -> None:
    connection_id = await mail.connect(access="write")
    answer = await post(mail, letter(connection_id=connection_id), key=None)
    assert answer.fields == ["Idempotency-Key"]


async def test_a_read_connection_sends_nothing(mail: Stand) -> None:
    connection_id = await mail.connect(access="read")
    answer = await post(mail, letter(connection_id=connection_id))
    assert (answer.status, answer.problem) == (403, "read-only-connection")


async def test_a_mailbox_is_only_its_owners_to_send_from(mail: Stand) -> None:
    connection_id = await mail.connect(access="write")
    body = letter(connection_id=connection_id)
    for token in (caller_token(user="eve"), caller_token(tenant="umbrella")):
        assert (await post(mail, body, token=token)).fields == ["connection_id"]
    answer = await post(mail, body)
    path = f"/v1/mail/sends/{answer.body['id']}"
    for token in (caller_token(user="eve"), service_caller_token(tenant="umbrella")):
        assert (await mail.call("GET", path, token=token)).status == 404
        assert (await mail.call("DELETE", path, token=token)).status == 404


async def test_attachments_beyond_gmails_limit_are_refused(mail: Stand) -> None:
    connection_id = await mail.connect(access="write")
    big = ("big.bin", "application/octet-stream", bytes(27_500_000))
    answer = await post(mail, letter(connection_id=connection_id), big)
    assert answer.status == 413
    assert answer.fields == ["attachments"]
    assert await mail.fetch("SELECT id FROM outgoing") == []


async def test_a_body_that_is_too_long_or_of_another_kind_is_refused(mail: Stand) -> None:
    connection_id = await mail.connect(access="write")
    long = await post(mail, letter(connection_id=connection_id, text="x" * 700_000))
    assert (long.status, long.fields) == (400, ["text"])
    file = ("offer.pdf", "application/pdf", b"x")
    swapped = await post(mail, letter(connection_id=connection_id), file, swap=True)
    assert (swapped.status, swapped.fields) == (400, ["body"])
    assert await mail.fetch("SELECT id FROM outgoing") == []


async def test_the_limit_of_a_day_is_told_before_google_says_so(stand: Stand) -> None:
    stand.settings = stand.settings.model_copy(update={"sends_per_day": 1})
    async with stand.serving():
        connection_id = await stand.connect(access="write")
        await sent(stand, letter(connection_id=connection_id))
        answer = await post(stand, letter(connection_id=connection_id))
        assert (answer.status, answer.problem) == (429, "daily-send-limit")
        assert 80_000 < int(answer.headers["Retry-After"]) <= 86_400
        status = await stand.status(connection_id)
        assert status is not None
        assert status["sends"]["messages"] == status["sends"]["messages_allowed"] == 1


async def test_another_address_of_the_mailbox_can_be_the_sender(
    mail: Stand, emulator: Emulated
) -> None:
    connection_id = await mail.connect(access="write")
    alias = {"email": "sales@example.com", "name": "Sales"}
    await emulator.control("POST", f"people/{ALICE}/aliases", alias)
    body = letter(connection_id=connection_id, **{"from": "Sales@example.com"})
    done = await sent(mail, body)
    assert done["from"] == {"address": "sales@example.com", "name": "Sales"}


async def test_a_message_that_waited_too_long_fails(stand: Stand) -> None:
    stand.settings = stand.settings.model_copy(update={"send_expiry": 0.2})
    async with stand.serving(roles=frozenset({"web", "worker", "relay", "consumer"})):
        connection_id = await stand.connect(access="write")
    async with stand.serving(roles=frozenset({"web"})):
        answer = await post(stand, letter(connection_id=connection_id))
    await stand_long_enough()
    async with stand.serving():
        done = await ended(stand, answer.body["id"])
        assert (done["state"], done["reason"]) == ("failed", "expired")


async def test_a_message_that_google_keeps_waiting_fails_in_the_end(stand: Stand) -> None:
    stand.settings = stand.settings.model_copy(update={"send_expiry": 1.0})
    async with stand.serving():
        connection_id = await stand.connect(access="write")
        message = "User-rate limit exceeded.  Retry after 2020-01-01T00:00:00.000Z"
        await fault(
            stand,
            path_prefix=DRAFTS,
            status=429,
            reason="rateLimitExceeded",
            message=message,
        )
        answer = await post(stand, letter(connection_id=connection_id))
        done = await ended(stand, answer.body["id"])
        assert (done["state"], done["reason"]) == ("failed", "expired")


async def test_what_left_after_a_backup_is_not_sent_again_when_that_is_restored(
    stand: Stand,
) -> None:
    async with stand.serving():
        connection_id = await stand.connect(access="write")
        done = await sent(stand, letter(connection_id=connection_id))
        await settled(stand)
    outgoing = "UPDATE outgoing SET state = 'queued', ended_at = NULL, google_id = NULL"
    writes = "UPDATE writes SET state = 'queued', finished_at = NULL, progress = '{}'"
    async with connected(stand.settings.database_url.get_secret_value()) as conn:
        for statement in (outgoing, writes, "DELETE FROM messages"):
            await conn.execute(statement)  # as a backup from before it was sent has it
    await put_right(stand.settings.database_url, stand.settings.amqp_url, RESTORABLE, since=None)
    async with stand.serving():
        again = await ended(stand, done["id"])
        assert again["google_message_id"] == done["google_message_id"]
        assert len(await at_google(stand)) == 1


async def stand_long_enough() -> None:
    started = datetime.now(UTC)
    await eventually(lambda: datetime.now(UTC) - started > timedelta(seconds=0.3))


async def test_a_header_that_somebody_copied_is_nothing_to_us(mail: Stand) -> None:
    connection_id = await mail.connect(access="write")
    done = await sent(mail, letter(connection_id=connection_id))
    await settled(mail)
    header = {"X-Causeway-Send": done["id"]}
    await mail.deliver(subject="Offer", sent=True, headers=header, **{"from": ALICE})
    await mail.deliver(subject="Offer", headers=header)
    await eventually(lambda: sorted(mail.types()) == ["received", "sent", "sent"])
    first, second = mail.events("mail.message.sent")
    assert second.data["send_id"] is None
    assert first.data["message_id"] != second.data["message_id"]
    assert (await mail.get(f"/v1/mail/sends/{done['id']}"))["google_message_id"] == done[
        "google_message_id"
    ]


async def test_what_waits_when_a_person_disconnects_is_taken_back(mail: Stand) -> None:
    connection_id = await mail.connect(access="write")
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    file = ("a.txt", "text/plain", b"content")
    answer = await post(mail, letter(connection_id=connection_id, send_at=later), file)
    await mail.auth.call("DELETE", f"/v1/connections/{connection_id}")

    async def is_cancelled() -> bool:
        rows = await mail.fetch("SELECT state FROM outgoing")
        return [row["state"] for row in rows] == ["cancelled"]

    await eventually(is_cancelled)
    assert answer.status == 202
    assert await mail.fetch("SELECT 1 FROM outgoing_chunks") == []


async def test_what_is_taken_back_leaves_no_draft(mail: Stand) -> None:
    connection_id = await mail.connect(access="write")
    wait = {"Retry-After": "3"}
    await fault(
        mail, path_prefix=SEND, times=1, status=429, reason="rateLimitExceeded", headers=wait
    )
    answer = await post(mail, letter(connection_id=connection_id))
    path = f"/v1/mail/sends/{answer.body['id']}"
    await eventually(lambda: is_put_off(mail, path))
    assert (await mail.call("DELETE", path)).status == 204
    await eventually(lambda: no_drafts(mail))
    assert (await mail.get(path))["state"] == "cancelled"
    assert await at_google(mail) == []


async def is_put_off(mail: Stand, path: str) -> bool:
    return (await mail.get(path))["reason"] is not None


async def test_a_draft_that_cannot_be_thrown_away_yet_goes_later(quick: Stand) -> None:
    connection_id = await quick.connect(access="write")
    rules = [
        {"path_prefix": SEND, "status": 400, "reason": "invalidArgument", "times": 1},
        {"path_contains": "/drafts/", "method": "DELETE", "status": 503, "times": 5},
    ]
    await quick.google.control("PUT", "faults", {"rules": rules})
    answer = await post(quick, letter(connection_id=connection_id))
    done = await ended(quick, answer.body["id"])
    assert (done["state"], done["reason"]) == ("failed", "google-request-refused")
    await eventually(lambda: no_drafts(quick))
    assert await at_google(quick) == []


async def test_a_lost_draft_is_looked_for_although_google_has_enough_in_between(
    quick: Stand,
) -> None:
    connection_id = await quick.connect(access="write")
    wait = {"Retry-After": "1"}
    rules = [
        {"path_prefix": DRAFTS, "method": "POST", "times": 1, "lose_answer": True},
        # The first look at what may be our draft.
        {"path_contains": "/messages/", "times": 1, "status": 429, "headers": wait},
    ]
    await quick.google.control("PUT", "faults", {"rules": rules})
    answer = await post(quick, letter(connection_id=connection_id))
    assert (await ended(quick, answer.body["id"]))["state"] == "sent"
    await settled(quick)


async def test_a_refusal_to_look_is_no_proof_that_nothing_was_sent(quick: Stand) -> None:
    connection_id = await quick.connect(access="write")
    await quick.google.control("PUT", "pushes", {"paused": True})
    refused = {"status": 403, "reason": "insufficientPermissions"}
    rules = [
        {"path_prefix": SEND, "method": "POST", "times": 1, "lose_answer": True},
        {"path_contains": "/drafts/", "method": "GET", "times": 1, **refused},
    ]
    await quick.google.control("PUT", "faults", {"rules": rules})
    answer = await post(quick, letter(connection_id=connection_id))
    assert (await ended(quick, answer.body["id"]))["state"] == "unknown"
    await quick.google.control("PUT", "pushes", {})  # and then the message itself comes
    await settled(quick)
    assert (await quick.get(f"/v1/mail/sends/{answer.body['id']}"))["state"] == "sent"
