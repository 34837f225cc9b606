import base64
import json
from typing import Any

import pytest

from tests.emulator.google import ALICE, SUBSCRIPTION, TOPIC, Google, Mail, Receiver
from tests.support import eventually

PULLED = {"topic": TOPIC}


async def test_topics_are_created_once_listed_and_deleted(google: Google) -> None:
    name = "projects/proj-two/topics/things"

    made = await google.request("PUT", f"/v1/{name}", json={"labels": {"a": "b"}})
    again = await google.request("PUT", f"/v1/{name}", json={})
    listed = await google.request("GET", "/v1/projects/proj-two/topics")
    gone = await google.request("DELETE", f"/v1/{name}")

    assert made.json["labels"] == {"a": "b"}
    assert (again.status, again.json["error"]["status"]) == (409, "ALREADY_EXISTS")
    assert [t["name"] for t in listed.json["topics"]] == [name]
    assert (gone.status, gone.json) == (200, {})
    assert (await google.request("GET", f"/v1/{name}")).status == 404


async def test_subscriptions_are_created_once_listed_and_deleted(google: Google) -> None:
    made = await google.request("PUT", f"/v1/{SUBSCRIPTION}", json=PULLED)
    again = await google.request("PUT", f"/v1/{SUBSCRIPTION}", json=PULLED)
    listed = await google.request("GET", "/v1/projects/proj-one/subscriptions")
    of_topic = await google.request("GET", f"/v1/{TOPIC}/subscriptions")
    gone = await google.request("DELETE", f"/v1/{SUBSCRIPTION}")

    assert made.json["ackDeadlineSeconds"] == 10
    assert again.status == 409
    assert [s["name"] for s in listed.json["subscriptions"]] == [SUBSCRIPTION]
    assert of_topic.json["subscriptions"] == [SUBSCRIPTION]
    assert gone.status == 200
    assert (await google.request("GET", f"/v1/{SUBSCRIPTION}")).status == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"topic": f"{TOPIC}-missing"}, 404),
        ({"topic": TOPIC, "ackDeadlineSeconds": 5}, 400),
        ({"topic": TOPIC, "unheardOf": 1}, 400),
        ({"topic": TOPIC, "messageRetentionDuration": "a week"}, 400),
        ({"topic": TOPIC, "messageRetentionDuration": "60s"}, 400),
    ],
)
async def test_a_faulty_subscription_is_refused(
    google: Google, body: dict[str, object], status: int
) -> None:
    assert (await google.request("PUT", f"/v1/{SUBSCRIPTION}", json=body)).status == status


@pytest.mark.parametrize("name", ["ab", "1things", "google-things", "th!ngs"])
async def test_a_name_that_google_refuses_is_refused(google: Google, name: str) -> None:
    topic = await google.request("PUT", f"/v1/projects/proj-one/topics/{name}", json={})
    path = f"/v1/projects/proj-one/subscriptions/{name}"

    assert topic.status == 400
    assert (await google.request("PUT", path, json=PULLED)).status == 400


@pytest.mark.parametrize("mask", ["ackDeadlineSeconds", "ack_deadline_seconds"])
async def test_a_subscription_is_changed_where_the_mask_says(google: Google, mask: str) -> None:
    await google.request("PUT", f"/v1/{SUBSCRIPTION}", json={**PULLED, "labels": {"a": "b"}})
    new = {"name": SUBSCRIPTION, "ackDeadlineSeconds": 30, "labels": {}}

    await google.request(
        "PATCH", f"/v1/{SUBSCRIPTION}", json={"subscription": new, "updateMask": mask}
    )

    kept = (await google.request("GET", f"/v1/{SUBSCRIPTION}")).json
    assert (kept["ackDeadlineSeconds"], kept["labels"]) == (30, {"a": "b"})


@pytest.mark.parametrize("mask", ["", "topic", "ackDeadlineSeconds"])
async def test_a_faulty_change_leaves_the_subscription(google: Google, mask: str) -> None:
    made = await google.request("PUT", f"/v1/{SUBSCRIPTION}", json=PULLED)
    change = {"subscription": {"ackDeadlineSeconds": 5}, "updateMask": mask}

    refused = await google.request("PATCH", f"/v1/{SUBSCRIPTION}", json=change)

    assert refused.status == 400
    assert (await google.request("GET", f"/v1/{SUBSCRIPTION}")).json == made.json


async def test_a_changed_endpoint_gets_what_waited(google: Google, receiver: Receiver) -> None:
    await google.request("PUT", f"/v1/{SUBSCRIPTION}", json=PULLED)
    await google.request("POST", f"/v1/{TOPIC}:publish", json={"messages": [{"data": "aGk="}]})
    change = {"pushConfig": {"pushEndpoint": receiver.url}}

    await google.request(
        "PATCH",
        f"/v1/{SUBSCRIPTION}",
        json={"subscription": change, "updateMask": "pushConfig"},
    )

    await eventually(lambda: receiver.got)


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("pull", {}),
        ("pull", {"maxMessages": -1}),
        ("modifyAckDeadline", {"ackDeadlineSeconds": 601}),
    ],
)
async def test_pulling_without_measure_is_refused(
    google: Google, verb: str, body: dict[str, int]
) -> None:
    await google.request("PUT", f"/v1/{SUBSCRIPTION}", json=PULLED)

    assert (await google.request("POST", f"/v1/{SUBSCRIPTION}:{verb}", json=body)).status == 400


async def test_a_message_is_pulled_and_acknowledged(google: Google, mail: Mail) -> None:
    await google.request("PUT", f"/v1/{SUBSCRIPTION}", json=PULLED)
    await mail.post("watch", {"topicName": TOPIC})
    more = {"maxMessages": 10}

    pulled = (await google.request("POST", f"/v1/{SUBSCRIPTION}:pull", json=more)).json
    (received,) = pulled["receivedMessages"]
    acked = {"ackIds": [received["ackId"]]}
    await google.request("POST", f"/v1/{SUBSCRIPTION}:acknowledge", json=acked)
    await google.control("PUT", "clock", {"offset_s": 11})
    empty = await google.request("POST", f"/v1/{SUBSCRIPTION}:pull", json=more)

    assert json.loads(base64.b64decode(received["message"]["data"]))["emailAddress"] == ALICE
    assert empty.json == {}


async def test_a_message_that_is_not_acknowledged_comes_again(google: Google) -> None:
    await google.request("PUT", f"/v1/{SUBSCRIPTION}", json=PULLED)
    data = base64.b64encode(b"x").decode()
    published = await google.request(
        "POST",
        f"/v1/{TOPIC}:publish",
        json={"messages": [{"data": data, "attributes": {"a": "b"}}]},
    )
    pull = {"maxMessages": 1}
    first = (await google.request("POST", f"/v1/{SUBSCRIPTION}:pull", json=pull)).json

    ack_id = first["receivedMessages"][0]["ackId"]
    back = {"ackIds": [ack_id], "ackDeadlineSeconds": 0}
    await google.request("POST", f"/v1/{SUBSCRIPTION}:modifyAckDeadline", json=back)

    again = (await google.request("POST", f"/v1/{SUBSCRIPTION}:pull", json=pull)).json
    message = again["receivedMessages"][0]["message"]
    assert [message["messageId"]] == published.json["messageIds"]
    assert message["attributes"] == {"a": "b"}


async def test_a_message_is_kept_as_long_as_the_subscription_says(google: Google) -> None:
    body = {**PULLED, "messageRetentionDuration": "600s"}
    await google.request("PUT", f"/v1/{SUBSCRIPTION}", json=body)
    message = {"messages": [{"data": "eA=="}]}
    await google.request("POST", f"/v1/{TOPIC}:publish", json=message)
    await google.control("PUT", "clock", {"offset_s": 601})

    pulled = await google.request("POST", f"/v1/{SUBSCRIPTION}:pull", json={"maxMessages": 1})

    assert pulled.json == {}


async def test_published_messages_are_pushed_with_their_attributes(
    google: Google, receiver: Receiver
) -> None:
    await google.set_up_push(receiver.url)
    message = {"messages": [{"data": "eA==", "attributes": {"a": "b"}}]}

    await google.request("POST", f"/v1/{TOPIC}:publish", json=message)

    await eventually(lambda: receiver.got)
    assert receiver.got[0]["message"]["attributes"] == {"a": "b"}


async def test_an_empty_publish_is_refused(google: Google) -> None:
    faulty: list[Any] = [{}, {"messages": [{}]}, {"messages": [{"data": "!"}]}]
    for body in faulty:
        answer = await google.request("POST", f"/v1/{TOPIC}:publish", json=body)
        assert answer.status == 400


async def test_a_policy_is_kept(google: Google) -> None:
    policy = {"bindings": [{"role": "roles/pubsub.publisher", "members": ["user:a@b.c"]}]}

    await google.request("POST", f"/v1/{TOPIC}:setIamPolicy", json={"policy": policy})

    kept = await google.request("GET", f"/v1/{TOPIC}:getIamPolicy")
    assert kept.json["bindings"] == policy["bindings"]


async def test_a_subscription_outlives_its_topic(google: Google) -> None:
    await google.request("PUT", f"/v1/{SUBSCRIPTION}", json=PULLED)

    await google.request("DELETE", f"/v1/{TOPIC}")

    shown = await google.request("GET", f"/v1/{SUBSCRIPTION}")
    assert shown.json["topic"] == "_deleted-topic_"


async def test_a_backlog_is_delivered_to_the_last_message(
    google: Google, receiver: Receiver
) -> None:
    await google.set_up_push(receiver.url)
    messages = [{"data": base64.b64encode(str(n).encode()).decode()} for n in range(300)]

    await google.request("POST", f"/v1/{TOPIC}:publish", json={"messages": messages})

    await eventually(lambda: len({b["message"]["messageId"] for b in receiver.got}) == 300)
    waiting = (await google.control("GET", "pushes"))["waiting"]
    assert waiting == {SUBSCRIPTION: 0}
