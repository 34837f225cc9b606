import asyncio
from typing import Any

import jwt
import pytest

from emulator.keys import signing_key
from tests.emulator.google import (
    ALICE,
    PUSHER,
    SUBSCRIPTION,
    TOPIC,
    Google,
    Mail,
    Receiver,
)
from tests.support import eventually


async def watching(google: Google, mail: Mail, receiver: Receiver, **more: Any) -> Any:
    """Watch the mailbox and wait for the greeting."""
    await google.control("PUT", "settings", {"notification_interval_s": 0})
    await google.set_up_push(receiver.url)
    answer = await mail.post("watch", {"topicName": TOPIC, **more})
    await eventually(lambda: len(receiver.got) == 1)
    return answer


async def test_a_watch_greets_at_once_with_the_mailbox_state(
    google: Google, mail: Mail, receiver: Receiver
) -> None:
    answer = await watching(google, mail, receiver)

    assert receiver.notifications == [
        {"emailAddress": ALICE, "historyId": int(answer["historyId"])}
    ]
    now_ms = (await google.control("GET", "clock"))["now_ms"]
    assert 0 <= now_ms + 7 * 86_400_000 - int(answer["expiration"]) < 60_000


async def test_new_mail_is_announced_with_its_history_id(
    google: Google, mail: Mail, receiver: Receiver
) -> None:
    await watching(google, mail, receiver)

    arrived = await google.arrive()

    await eventually(lambda: len(receiver.got) == 2)
    assert receiver.notifications[1]["historyId"] == int(arrived["historyId"])


async def test_the_push_body_has_both_spellings(
    google: Google, mail: Mail, receiver: Receiver
) -> None:
    await watching(google, mail, receiver)

    body = receiver.got[0]

    message = body["message"]
    assert body["subscription"] == SUBSCRIPTION
    assert message["messageId"] == message["message_id"]
    assert message["publishTime"] == message["publish_time"]


async def test_the_push_token_is_signed_for_audience_and_account(
    google: Google, mail: Mail, receiver: Receiver
) -> None:
    await watching(google, mail, receiver)
    certs = (await google.request("GET", "/oauth2/v3/certs")).json
    key = jwt.PyJWKSet.from_dict(certs).keys[0]
    token = receiver.tokens[0]
    assert token

    claims = jwt.decode(token, key, algorithms=["RS256"], audience="the-audience")

    assert claims["email"] == PUSHER
    assert claims["email_verified"] is True
    assert claims["iss"] == "https://accounts.google.com"
    assert claims["exp"] - claims["iat"] == 3600


async def test_the_audience_is_the_endpoint_when_none_is_configured(
    google: Google, mail: Mail, receiver: Receiver
) -> None:
    oidc = {"serviceAccountEmail": PUSHER}
    config = {"pushEndpoint": receiver.url, "oidcToken": oidc}
    await google.set_up_push(receiver.url, pushConfig=config)
    await mail.post("watch", {"topicName": TOPIC})
    await eventually(lambda: receiver.tokens)
    assert receiver.tokens[0]

    claims = jwt.decode(receiver.tokens[0], options={"verify_signature": False})

    assert claims["aud"] == receiver.url


async def test_a_refused_push_comes_again_until_it_is_accepted(
    google: Google, mail: Mail, receiver: Receiver
) -> None:
    receiver.statuses.extend([503, 302, 404])

    await google.set_up_push(receiver.url)
    await mail.post("watch", {"topicName": TOPIC})

    await eventually(lambda: len(receiver.got) == 4)
    assert len({body["message"]["messageId"] for body in receiver.got}) == 1
    log = await google.control("GET", "pushes")
    assert [d["outcome"] for d in log["deliveries"]] == [503, 302, 404, 204]


async def test_an_endpoint_that_appears_late_gets_what_waited(
    google: Google, mail: Mail, receiver: Receiver
) -> None:
    await google.set_up_push("http://127.0.0.1:9/nobody-listens")
    await mail.post("watch", {"topicName": TOPIC})

    config = {"pushConfig": {"pushEndpoint": receiver.url}}
    answer = await google.request("POST", f"/v1/{SUBSCRIPTION}:modifyPushConfig", json=config)

    assert answer.status == 200
    await eventually(lambda: receiver.got)
    assert receiver.tokens == [None]


async def test_a_burst_is_announced_at_its_start_and_when_the_second_is_over(
    google: Google, mail: Mail, receiver: Receiver
) -> None:
    await google.set_up_push(receiver.url)
    await google.control("PUT", "settings", {"notification_interval_s": 1.5})
    await mail.post("watch", {"topicName": TOPIC})

    last = (await google.arrive(count=50))["historyId"]

    await eventually(lambda: int(last) in [n["historyId"] for n in receiver.notifications])
    # The greeting, perhaps one at once (when the greeting's interval was over), and the last.
    assert len(receiver.got) in {2, 3}


async def test_without_coalescing_the_rest_of_a_burst_is_dropped(
    google: Google, mail: Mail, receiver: Receiver
) -> None:
    await google.set_up_push(receiver.url)
    settings = {"notification_interval_s": 600, "coalesce_notifications": False}
    await google.control("PUT", "settings", settings)
    await mail.post("watch", {"topicName": TOPIC})
    await eventually(lambda: receiver.got)

    await google.arrive()

    pushes = await google.control("GET", "pushes")
    assert (pushes["notifications_sent"], pushes["notifications_dropped"]) == (1, 1)


@pytest.mark.parametrize("behavior", ["include", "INCLUDE"])
async def test_a_watch_may_be_limited_to_labels(
    google: Google, mail: Mail, receiver: Receiver, behavior: str
) -> None:
    await watching(google, mail, receiver, labelIds=["INBOX"], labelFilterBehavior=behavior)

    await google.arrive(labels=["SENT"])
    wanted = await google.arrive(labels=["INBOX"])

    await eventually(lambda: len(receiver.got) == 2)
    assert receiver.notifications[1]["historyId"] == int(wanted["historyId"])


async def test_a_watch_may_exclude_labels(google: Google, mail: Mail, receiver: Receiver) -> None:
    await watching(google, mail, receiver, labelIds=["SPAM"], labelFilterBehavior="exclude")

    await google.arrive(labels=["SPAM"])
    wanted = await google.arrive(labels=["INBOX"])

    await eventually(lambda: len(receiver.got) == 2)
    assert receiver.notifications[1]["historyId"] == int(wanted["historyId"])


async def test_a_stopped_watch_is_silent(google: Google, mail: Mail, receiver: Receiver) -> None:
    await watching(google, mail, receiver)

    assert (await mail.call("POST", "stop")).status == 204

    await google.arrive()
    assert (await google.control("GET", "pushes"))["notifications_sent"] == 1


async def test_a_watch_lapses_after_a_week(google: Google, mail: Mail, receiver: Receiver) -> None:
    await watching(google, mail, receiver)
    await google.control("PUT", "clock", {"offset_s": 7 * 86_400 + 1})

    await google.arrive()

    assert (await google.control("GET", "pushes"))["notifications_sent"] == 1


async def test_the_same_topic_renews_and_another_is_refused(google: Google, mail: Mail) -> None:
    other = TOPIC + "-two"
    await google.request("PUT", f"/v1/{other}", json={})
    await mail.post("watch", {"topicName": TOPIC})
    await mail.post("watch", {"topicName": TOPIC})

    refused = await mail.call("POST", "watch", json={"topicName": other})

    assert (refused.status, refused.reason) == (400, "invalidArgument")
    assert "Only one user push notification client allowed" in refused.json["error"]["message"]


async def test_a_topic_has_to_have_the_form_of_one_and_to_exist(mail: Mail) -> None:
    formless = await mail.call("POST", "watch", json={"topicName": "gmail"})
    missing = await mail.call("POST", "watch", json={"topicName": f"{TOPIC}-missing"})

    assert (formless.status, formless.reason) == (400, "invalidArgument")
    assert (missing.status, missing.reason) == (404, "notFound")


async def test_the_publisher_binding_can_be_required(google: Google, mail: Mail) -> None:
    await google.control("PUT", "settings", {"require_publisher_binding": True})
    refused = await mail.call("POST", "watch", json={"topicName": TOPIC})
    member = "serviceAccount:gmail-api-push@system.gserviceaccount.com"
    policy = {"bindings": [{"role": "roles/pubsub.publisher", "members": [member]}]}
    await google.request("POST", f"/v1/{TOPIC}:setIamPolicy", json={"policy": policy})

    allowed = await mail.call("POST", "watch", json={"topicName": TOPIC})

    assert (refused.status, refused.reason) == (403, "forbidden")
    assert allowed.status == 200


async def test_pushes_can_be_paused_dropped_and_doubled(
    google: Google, mail: Mail, receiver: Receiver
) -> None:
    await watching(google, mail, receiver)
    await google.control("PUT", "pushes", {"paused": True, "drop": 1, "duplicate": 1})
    await google.arrive()
    await google.arrive()
    assert (await google.control("GET", "pushes"))["waiting"][SUBSCRIPTION] == 2

    await google.control("PUT", "pushes", {"drop": 1, "duplicate": 1})

    await eventually(lambda: len(receiver.got) == 3)
    assert receiver.got[1]["message"]["messageId"] == receiver.got[2]["message"]["messageId"]


@pytest.mark.parametrize(
    ("order", "check"),
    [
        ({"claims": {"email_verified": False}}, lambda c: c["email_verified"] is False),
        ({"claims": {"email": None}}, lambda c: "email" not in c),
        ({"audience": "elsewhere"}, lambda c: c["aud"] == "elsewhere"),
        ({"service_account": "x@y.z"}, lambda c: c["email"] == "x@y.z"),
    ],
)
async def test_a_push_can_be_forged_claim_by_claim(
    google: Google, receiver: Receiver, order: dict[str, Any], check: Any
) -> None:
    body = {"endpoint": receiver.url, "data": {"emailAddress": ALICE, "historyId": 1}, **order}

    answer = await google.control("POST", "pushes", body)

    assert answer == {"status": 204}
    assert receiver.tokens[0]
    assert check(jwt.decode(receiver.tokens[0], options={"verify_signature": False}))


async def test_a_push_can_be_signed_by_a_strangers_key(google: Google, receiver: Receiver) -> None:
    await google.control("POST", "pushes", {"endpoint": receiver.url, "key": "other"})
    token = receiver.tokens[0]
    assert token

    key = signing_key("federated-signon")
    assert jwt.get_unverified_header(token)["kid"] == key.kid
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(
            token, key.private.public_key(), algorithms=["RS256"], options={"verify_aud": False}
        )


async def test_a_push_can_go_out_unsigned_or_without_a_token(
    google: Google, receiver: Receiver
) -> None:
    await google.control("POST", "pushes", {"endpoint": receiver.url, "alg": "none"})
    await google.control("POST", "pushes", {"endpoint": receiver.url, "authorization": False})

    assert receiver.tokens[0]
    assert jwt.get_unverified_header(receiver.tokens[0])["alg"] == "none"
    assert receiver.tokens[1] is None


async def test_a_hanging_endpoint_does_not_hold_up_the_api(google: Google, mail: Mail) -> None:
    async def hang(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.close()

    released = asyncio.Event()
    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await google.set_up_push(f"http://127.0.0.1:{port}/")
    await mail.post("watch", {"topicName": TOPIC})

    arrived = await google.arrive()

    assert (await mail.get(f"messages/{arrived['id']}"))["id"] == arrived["id"]
    released.set()
    server.close()


async def test_a_push_in_flight_survives_a_change_of_endpoint(
    google: Google, mail: Mail, receiver: Receiver
) -> None:
    asked = asyncio.Event()

    async def hang(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await released.wait()
        writer.close()

    released = asyncio.Event()
    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await google.set_up_push(f"http://127.0.0.1:{port}/")
    await mail.post("watch", {"topicName": TOPIC})
    await asyncio.wait_for(asked.wait(), 10)

    config = {"pushConfig": {"pushEndpoint": receiver.url}}
    await google.request("POST", f"/v1/{SUBSCRIPTION}:modifyPushConfig", json=config)

    await eventually(lambda: receiver.got)
    released.set()
    server.close()


async def test_many_deliveries_share_a_token(
    google: Google, mail: Mail, receiver: Receiver
) -> None:
    await watching(google, mail, receiver)
    await google.arrive()
    await eventually(lambda: len(receiver.got) == 2)

    assert receiver.tokens[0] == receiver.tokens[1]


async def test_pushes_can_arrive_in_another_order(
    google: Google, mail: Mail, receiver: Receiver
) -> None:
    await watching(google, mail, receiver)
    await google.control("PUT", "pushes", {"reorder": 3})

    arrived = [await google.arrive() for _ in range(3)]

    await eventually(lambda: len(receiver.got) == 4)
    assert [n["historyId"] for n in receiver.notifications[1:]] == [
        int(message["historyId"]) for message in reversed(arrived)
    ]


async def test_held_pushes_go_when_the_switch_is_taken_back(
    google: Google, mail: Mail, receiver: Receiver
) -> None:
    await watching(google, mail, receiver)
    await google.control("PUT", "pushes", {"reorder": 3})
    arrived = [await google.arrive() for _ in range(2)]
    assert (await google.control("GET", "pushes"))["waiting"] == {SUBSCRIPTION: 2}

    await google.control("PUT", "pushes", {})

    await eventually(lambda: len(receiver.got) == 3)
    announced = {n["historyId"] for n in receiver.notifications[1:]}
    assert announced == {int(message["historyId"]) for message in arrived}
