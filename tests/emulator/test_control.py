import base64
from typing import Any

import pytest

from tests.emulator.google import (
    ALICE,
    BOB,
    MODIFY,
    SEND,
    TOPIC,
    Google,
    Mail,
    Receiver,
    refresh,
)
from tests.support import eventually


async def test_the_index_names_every_route(google: Google) -> None:
    index = await google.control("GET", "")

    assert "POST /_emulator/reset" in index["routes"]


async def test_a_person_is_created_once(google: Google) -> None:
    body = {"email": "Bob@Example.com", "name": "Bob Smith", "sub": "42"}
    first = await google.request("POST", "/_emulator/people", json=body)
    again = await google.request("POST", "/_emulator/people", json={"email": BOB})

    assert (first.status, again.status) == (201, 200)
    assert first.json == again.json
    assert first.json["email"] == BOB


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "people", {"email": "nobody"}, 400),
        ("POST", "people", {"mail": BOB}, 400),
        ("POST", f"people/{BOB}/messages", {}, 404),
        ("POST", f"people/{ALICE}/messages", {"labels": ["Label_404"]}, 400),
        ("POST", f"people/{ALICE}/messages", {"raw": "no message!"}, 400),
        ("POST", f"people/{ALICE}/messages", {"thread_id": "1234567890abcdef"}, 404),
        (
            "POST",
            f"people/{ALICE}/messages",
            {"attachments": [{"filename": "a", "content": "!"}]},
            400,
        ),
        ("POST", f"people/{ALICE}/edits", {"action": "read"}, 400),
        ("POST", f"people/{ALICE}/edits", {"message": "1234567890abcdef", "action": "read"}, 404),
        ("POST", f"people/{ALICE}/tokens", {"scopes": ["unheard.of"]}, 400),
        ("POST", f"people/{ALICE}/tokens", {"scopes": ["openid"], "client_id": "x"}, 404),
        ("PUT", "settings", {"units_per_minute": 0}, 400),
        ("PUT", "settings", ["x"], 400),
        ("PUT", "faults", {"rules": [{"status": 9}]}, 400),
        ("POST", "pushes", {}, 400),
        ("POST", "pushes", {"subscription": "projects/p/subscriptions/none"}, 404),
    ],
)
async def test_a_faulty_order_is_refused(
    google: Google, method: str, path: str, body: Any, status: int
) -> None:
    answer = await google.request(method, f"/_emulator/{path}", json=body)

    assert answer.status == status
    assert answer.json["error"]


async def test_web_pages_are_kept_out(google: Google) -> None:
    headers = {"Origin": "https://example.com"}

    assert (await google.request("GET", "/_emulator/state", headers=headers)).status == 403


async def test_raw_mail_arrives_as_text_base64_or_file(google: Google) -> None:
    text = "From: a@example.net\r\nSubject: Hi\r\nMessage-ID: <1@x>\r\n\r\nBody\r\n"
    path = f"/_emulator/people/{ALICE}/messages"

    as_text = await google.request("POST", path, json={"raw": text})
    as_base64 = await google.request(
        "POST", path, json={"raw": base64.b64encode(text.encode()).decode()}
    )
    as_file = await google.request(
        "POST", path, data=text, headers={"Content-Type": "message/rfc822"}
    )

    assert [a.json["messageId"] for a in (as_text, as_base64, as_file)] == ["<1@x>"] * 3


async def test_many_messages_arrive_in_one_order(google: Google, mail: Mail) -> None:
    answer = await google.arrive(subject="x", count=30)

    assert len(set(answer["ids"])) == 30
    shown = await google.control("GET", f"people/{ALICE}/mailbox")
    assert len({m["messageId"] for m in shown["messages"]}) == 30
    assert (await mail.get("profile"))["messagesTotal"] == 30


async def test_a_message_the_person_sent_is_under_sent(google: Google, mail: Mail) -> None:
    sent = await google.arrive(sent=True, to="carol@example.net", cc="dan@example.net")

    shown = await mail.get(f"messages/{sent['id']}", format="metadata")

    assert shown["labelIds"] == ["SENT"]
    headers = {h["name"]: h["value"] for h in shown["payload"]["headers"]}
    assert (headers["From"], headers["To"]) == (ALICE, "carol@example.net")


@pytest.mark.parametrize(
    ("action", "labels"),
    [
        ("read", {"INBOX"}),
        ("star", {"INBOX", "UNREAD", "STARRED"}),
        ("archive", {"UNREAD"}),
        ("trash", {"UNREAD", "TRASH"}),
        ("spam", {"UNREAD", "SPAM"}),
        ("not_spam", {"INBOX", "UNREAD"}),
    ],
)
async def test_people_edit_their_mail(google: Google, action: str, labels: set[str]) -> None:
    arrived = await google.arrive()

    edited = await google.edit(arrived["id"], action)

    assert set(edited["messages"][0]["labelIds"]) == labels
    assert edited["changed_at"] >= arrived["changed_at"]


async def test_people_put_their_own_labels_on_mail(google: Google, mail: Mail) -> None:
    label = (await mail.post("labels", {"name": "CRM"}))["id"]
    arrived = await google.arrive()

    edited = await google.edit(arrived["id"], "label", add=[label], remove=["INBOX"])

    assert set(edited["messages"][0]["labelIds"]) == {"UNREAD", label}


async def test_the_mailbox_can_be_looked_into(google: Google) -> None:
    arrived = await google.arrive(subject="Hello")

    shown = await google.control("GET", f"people/{ALICE}/mailbox")

    assert shown["messages"][0]["id"] == arrived["id"]
    assert shown["messages"][0]["subject"] == "Hello"


async def test_a_look_into_the_mailbox_can_show_a_header(google: Google) -> None:
    await google.arrive(subject="Hi", headers={"X-Mine": "7"})

    shown = await google.control("GET", f"people/{ALICE}/mailbox?header=X-Mine")

    assert [one["headers"] for one in shown["messages"]] == [{"X-Mine": "7"}]


async def test_a_new_address_keeps_the_mail_and_the_sub(google: Google, mail: Mail) -> None:
    await google.arrive()
    before = await google.control("GET", f"people/{ALICE}")

    after = await google.control("PATCH", f"people/{ALICE}", {"email": "alice@new.example"})

    assert after["sub"] == before["sub"]
    profile = await mail.get("profile")
    assert (profile["emailAddress"], profile["messagesTotal"]) == ("alice@new.example", 1)


async def test_an_address_belongs_to_one_person(google: Google) -> None:
    await google.control("POST", "people", {"email": BOB})

    answer = await google.request("PATCH", f"/_emulator/people/{BOB}", json={"email": ALICE})

    assert answer.status == 409


async def test_access_tokens_can_be_made_to_expire_early(google: Google, mail: Mail) -> None:
    await google.control("POST", f"people/{ALICE}/grants", {"action": "expire_access"})

    assert (await mail.call("GET", "profile")).status == 401


async def test_a_person_shows_what_they_granted(google: Google) -> None:
    await google.mailbox("openid")

    shown = await google.control("GET", f"people/{ALICE}")

    assert list(shown["grants"].values()) == [["openid"]]


async def test_the_state_can_be_dumped(google: Google, mail: Mail) -> None:
    await mail.post("watch", {"topicName": TOPIC})

    state = await google.control("GET", "state")

    assert state["watches"][0]["email"] == ALICE
    assert mail.token in [token["value"] for token in state["access_tokens"]]


async def test_a_reset_goes_back_to_the_start(
    google: Google, mail: Mail, receiver: Receiver
) -> None:
    await google.set_up_push(receiver.url)
    await mail.post("watch", {"topicName": TOPIC})
    await eventually(lambda: receiver.got)
    await google.control("PUT", "clock", {"offset_s": 5})

    await google.control("POST", "reset")

    assert (await mail.call("GET", "profile")).status == 401
    state = await google.control("GET", "state")
    assert [p["email"] for p in state["people"]] == [ALICE]
    assert (state["topics"], state["subscriptions"], state["watches"]) == ([TOPIC], [], [])
    assert state["clock"]["offset_s"] == 0


async def test_usage_can_be_counted_from_zero(google: Google, mail: Mail) -> None:
    await mail.get("profile")

    assert (await google.control("DELETE", "usage")) == {"people": {}}


async def test_unticked_scopes_are_gone_from_the_tokens_too(google: Google) -> None:
    mail = await google.mailbox(MODIFY, SEND)
    body = {"action": "untick", "scopes": [SEND]}

    left = await google.control("POST", f"people/{ALICE}/grants", body)

    assert left == {"scopes": [MODIFY]}
    info = await google.request("GET", "/tokeninfo", params={"access_token": mail.token})
    assert info.json["scope"] == MODIFY
    assert (await mail.call("GET", "profile")).status == 200


async def test_a_refresh_after_unticking_names_the_scopes_that_are_left(google: Google) -> None:
    wanted = {"scopes": [MODIFY, SEND]}
    tokens = await google.control("POST", f"people/{ALICE}/tokens", wanted)
    await google.control("POST", f"people/{ALICE}/grants", {"action": "untick", "scopes": [MODIFY]})

    refreshed = await refresh(google, tokens["refresh_token"])

    assert refreshed.json["scope"] == SEND
    mail = Mail(google, refreshed.json["access_token"], ALICE)
    assert (await mail.call("GET", "messages")).status == 403


async def test_unticking_names_its_scopes(google: Google) -> None:
    path = f"/_emulator/people/{ALICE}/grants"

    assert (await google.request("POST", path, json={"action": "untick"})).status == 400
