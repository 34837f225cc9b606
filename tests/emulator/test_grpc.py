"""Pub/Sub over gRPC with Google's own clients, told of nothing but PUBSUB_EMULATOR_HOST."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from google.api_core import exceptions
from google.cloud import pubsub_v1
from google.iam.v1 import iam_policy_pb2
from google.iam.v1.policy_pb2 import Binding, Policy
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.pubsub_v1 import (
    DeadLetterPolicy,
    ExpirationPolicy,
    PublisherAsyncClient,
    PubsubMessage,
    PushConfig,
    ReceivedMessage,
    RetryPolicy,
    StreamingPullRequest,
    SubscriberAsyncClient,
    Subscription,
)

from emulator.config import Switches
from tests.emulated import running_emulator
from tests.emulator.google import ALICE, SUBSCRIPTION, TOPIC, Google, Receiver
from tests.support import eventually

DEAD = "projects/proj-one/topics/dead"
AGENT = "serviceAccount:service-112233445566@gcp-sa-pubsub.iam.gserviceaccount.com"
TIMEOUT_S = 10.0


@pytest.fixture
async def google(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Google]:
    """An emulator with its gRPC port, which the environment names."""
    switches = Switches(check_answers=True)
    async with (
        running_emulator(
            people=(ALICE,), topics=(TOPIC,), switches=switches, pubsub_port=0
        ) as emulated,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session,
    ):
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", emulated.pubsub)
        yield Google(emulated, session)


@pytest.fixture
async def subscriber(google: Google) -> AsyncIterator[SubscriberAsyncClient]:
    del google
    client = SubscriberAsyncClient()
    yield client
    await client.transport.close()  # type: ignore[no-untyped-call] # Google's


@pytest.fixture
async def publisher(google: Google) -> AsyncIterator[PublisherAsyncClient]:
    del google
    client = PublisherAsyncClient()
    yield client
    await client.transport.close()  # type: ignore[no-untyped-call] # Google's


async def publish(publisher: PublisherAsyncClient, *texts: str) -> list[str]:
    messages = [PubsubMessage(data=text.encode(), attributes={"n": text}) for text in texts]
    return list((await publisher.publish(topic=TOPIC, messages=messages)).message_ids)


async def pull(subscriber: SubscriberAsyncClient, most: int = 10) -> list[ReceivedMessage]:
    answer = await subscriber.pull(
        subscription=SUBSCRIPTION, max_messages=most, retry=None, timeout=TIMEOUT_S
    )
    return list(answer.received_messages)


async def test_topics_and_subscriptions_are_those_of_rest(
    google: Google, publisher: PublisherAsyncClient, subscriber: SubscriberAsyncClient
) -> None:
    await publisher.create_topic(name=DEAD)
    made = await subscriber.create_subscription(name=SUBSCRIPTION, topic=TOPIC)

    assert [topic.name async for topic in await publisher.list_topics(project="projects/proj-one")]
    assert (await google.request("GET", f"/v1/{SUBSCRIPTION}")).json["topic"] == TOPIC
    assert made.ack_deadline_seconds == 10
    assert (await subscriber.get_subscription(subscription=SUBSCRIPTION)) == made
    listed = await publisher.list_topic_subscriptions(topic=TOPIC)
    assert [name async for name in listed] == [SUBSCRIPTION]
    of_project = await subscriber.list_subscriptions(project="projects/proj-one")
    assert [one.name async for one in of_project] == [SUBSCRIPTION]
    await subscriber.delete_subscription(subscription=SUBSCRIPTION)
    await publisher.delete_topic(topic=DEAD)
    assert (await google.request("GET", f"/v1/{SUBSCRIPTION}")).status == 404


async def test_refusals_are_googles_exceptions(
    publisher: PublisherAsyncClient, subscriber: SubscriberAsyncClient
) -> None:
    with pytest.raises(exceptions.AlreadyExists):
        await publisher.create_topic(name=TOPIC)
    with pytest.raises(exceptions.NotFound):
        await publisher.get_topic(topic=DEAD)
    with pytest.raises(exceptions.NotFound):
        await pull(subscriber)
    with pytest.raises(exceptions.InvalidArgument):
        await subscriber.create_subscription(name=SUBSCRIPTION, topic=TOPIC, ack_deadline_seconds=5)


async def test_every_setting_of_a_subscription_is_kept_and_changed(
    publisher: PublisherAsyncClient, subscriber: SubscriberAsyncClient
) -> None:
    await publisher.create_topic(name=DEAD)
    wanted = Subscription(
        name=SUBSCRIPTION,
        topic=TOPIC,
        ack_deadline_seconds=30,
        expiration_policy=ExpirationPolicy(),
        retry_policy=RetryPolicy(minimum_backoff=Duration(seconds=1)),
        dead_letter_policy=DeadLetterPolicy(dead_letter_topic=DEAD, max_delivery_attempts=7),
        labels={"a": "b"},
    )

    made = await subscriber.create_subscription(request=wanted)
    wanted.ack_deadline_seconds, wanted.labels = 60, {}
    mask = FieldMask(paths=["ack_deadline_seconds"])
    changed = await subscriber.update_subscription(subscription=wanted, update_mask=mask)

    assert made.dead_letter_policy.max_delivery_attempts == 7
    assert "expiration_policy" in made
    assert not made.expiration_policy.ttl
    assert (changed.ack_deadline_seconds, dict(changed.labels)) == (60, {"a": "b"})


async def test_a_policy_is_kept_and_permissions_can_be_asked_for(
    google: Google, publisher: PublisherAsyncClient
) -> None:
    policy = Policy(bindings=[Binding(role="roles/pubsub.publisher", members=[AGENT])])

    await publisher.set_iam_policy(
        iam_policy_pb2.SetIamPolicyRequest(resource=TOPIC, policy=policy)
    )

    kept = await publisher.get_iam_policy(iam_policy_pb2.GetIamPolicyRequest(resource=TOPIC))
    asked = iam_policy_pb2.TestIamPermissionsRequest(
        resource=TOPIC, permissions=["pubsub.topics.publish"]
    )
    answer = await publisher.test_iam_permissions(asked)
    assert kept.bindings[0].members == [AGENT]
    assert answer.permissions == ["pubsub.topics.publish"]
    shown = await google.request("GET", f"/v1/{TOPIC}:getIamPolicy")
    assert shown.json["bindings"][0]["members"] == [AGENT]


async def test_what_gmail_announces_is_pulled_and_acknowledged(
    google: Google, subscriber: SubscriberAsyncClient
) -> None:
    await subscriber.create_subscription(name=SUBSCRIPTION, topic=TOPIC)
    await (await google.mailbox()).post("watch", {"topicName": TOPIC})

    (received,) = await pull(subscriber)
    await subscriber.acknowledge(subscription=SUBSCRIPTION, ack_ids=[received.ack_id])
    await google.control("PUT", "clock", {"offset_s": 11})
    await publish_rest(google, "next")

    assert json.loads(received.message.data)["emailAddress"] == ALICE
    assert received.message.publish_time
    assert [one.message.data for one in await pull(subscriber)] == [b"next"]


async def publish_rest(google: Google, text: str) -> None:
    data = base64.b64encode(text.encode()).decode()
    body = {"messages": [{"data": data}]}
    assert (await google.request("POST", f"/v1/{TOPIC}:publish", json=body)).status == 200


async def test_a_pull_waits_for_a_first_message(
    google: Google, subscriber: SubscriberAsyncClient
) -> None:
    await subscriber.create_subscription(name=SUBSCRIPTION, topic=TOPIC)
    waiting = asyncio.create_task(pull(subscriber))
    await eventually(lambda: not waiting.done())

    await publish_rest(google, "late")

    assert [one.message.data for one in await waiting] == [b"late"]


async def test_a_lease_that_ends_makes_the_message_come_again(
    google: Google, publisher: PublisherAsyncClient, subscriber: SubscriberAsyncClient
) -> None:
    await subscriber.create_subscription(name=SUBSCRIPTION, topic=TOPIC)
    (sent,) = await publish(publisher, "x")

    (first,) = await pull(subscriber)
    await subscriber.modify_ack_deadline(
        subscription=SUBSCRIPTION, ack_ids=[first.ack_id], ack_deadline_seconds=60
    )
    await google.control("PUT", "clock", {"offset_s": 30})
    assert not (await google.control("GET", "pushes"))["waiting"][SUBSCRIPTION]
    await google.control("PUT", "clock", {"offset_s": 61})
    (again,) = await pull(subscriber)

    assert again.message.message_id == sent
    assert again.ack_id != first.ack_id


async def test_a_message_given_back_waits_as_the_retry_policy_says(
    google: Google, publisher: PublisherAsyncClient, subscriber: SubscriberAsyncClient
) -> None:
    policy = RetryPolicy(minimum_backoff=Duration(seconds=20))
    request = Subscription(name=SUBSCRIPTION, topic=TOPIC, retry_policy=policy)
    await subscriber.create_subscription(request=request)
    await publish(publisher, "first")
    (first,) = await pull(subscriber)

    await subscriber.modify_ack_deadline(
        subscription=SUBSCRIPTION, ack_ids=[first.ack_id], ack_deadline_seconds=0
    )
    await publish(publisher, "second")
    (second,) = await pull(subscriber)
    await google.control("PUT", "clock", {"offset_s": 21})

    assert second.message.data == b"second"
    assert b"first" in [one.message.data for one in await pull(subscriber)]


@pytest.mark.parametrize("granted", [True, False])
async def test_what_fails_too_often_is_a_dead_letter_if_pubsub_may_write_there(
    publisher: PublisherAsyncClient, subscriber: SubscriberAsyncClient, *, granted: bool
) -> None:
    await publisher.create_topic(name=DEAD)
    policy = DeadLetterPolicy(dead_letter_topic=DEAD, max_delivery_attempts=5)
    request = Subscription(name=SUBSCRIPTION, topic=TOPIC, dead_letter_policy=policy)
    await subscriber.create_subscription(request=request)
    await subscriber.create_subscription(name=f"{SUBSCRIPTION}-dead", topic=DEAD)
    if granted:
        for resource, role in ((DEAD, "publisher"), (SUBSCRIPTION, "subscriber")):
            binding = Binding(role=f"roles/pubsub.{role}", members=[AGENT])
            await publisher.set_iam_policy(
                iam_policy_pb2.SetIamPolicyRequest(
                    resource=resource, policy=Policy(bindings=[binding])
                )
            )
    await publish(publisher, "poison")

    for attempt in range(1, 6):
        (received,) = await pull(subscriber)
        assert received.delivery_attempt == attempt
        await subscriber.modify_ack_deadline(
            subscription=SUBSCRIPTION, ack_ids=[received.ack_id], ack_deadline_seconds=0
        )

    where = f"{SUBSCRIPTION}-dead" if granted else SUBSCRIPTION
    answer = await subscriber.pull(
        subscription=where, max_messages=1, retry=None, timeout=TIMEOUT_S
    )
    (found,) = answer.received_messages
    assert found.message.data == b"poison"
    counted = found.message.attributes.get("CloudPubSubDeadLetterSourceDeliveryCount")
    assert counted == ("5" if granted else None)


async def test_a_push_subscription_cannot_be_pulled_until_it_is_none(
    publisher: PublisherAsyncClient, subscriber: SubscriberAsyncClient, receiver: Receiver
) -> None:
    config = PushConfig(push_endpoint=receiver.url)
    await subscriber.create_subscription(name=SUBSCRIPTION, topic=TOPIC, push_config=config)
    with pytest.raises(exceptions.FailedPrecondition):
        await pull(subscriber)

    await subscriber.modify_push_config(subscription=SUBSCRIPTION, push_config=PushConfig())
    await publish(publisher, "pulled")

    assert [one.message.data for one in await pull(subscriber)] == [b"pulled"]


async def test_a_stream_takes_no_more_than_it_has_room_for(
    publisher: PublisherAsyncClient, subscriber: SubscriberAsyncClient
) -> None:
    await subscriber.create_subscription(name=SUBSCRIPTION, topic=TOPIC)
    await publish(publisher, "1", "2", "3")
    acks: asyncio.Queue[list[str]] = asyncio.Queue()

    async def requests() -> AsyncIterator[StreamingPullRequest]:
        yield StreamingPullRequest(
            subscription=SUBSCRIPTION, stream_ack_deadline_seconds=10, max_outstanding_messages=2
        )
        while ids := await acks.get():
            yield StreamingPullRequest(ack_ids=ids)

    got: list[bytes] = []
    stream = await subscriber.streaming_pull(requests=requests(), timeout=TIMEOUT_S)
    sizes = []
    async for answer in stream:
        sizes.append(len(answer.received_messages))
        got += [one.message.data for one in answer.received_messages]
        acks.put_nowait([one.ack_id for one in answer.received_messages])
        if len(got) == 3:
            acks.put_nowait([])

    assert sizes == [2, 1]
    assert got == [b"1", b"2", b"3"]


async def test_googles_threaded_client_takes_every_message_and_comes_back(
    google: Google, publisher: PublisherAsyncClient, subscriber: SubscriberAsyncClient
) -> None:
    await subscriber.create_subscription(name=SUBSCRIPTION, topic=TOPIC)
    got: list[str] = []

    def take(message: Any) -> None:
        first = message.data.decode() not in got
        got.append(message.data.decode())
        message.ack() if got.count("7") > 1 or not first or got[-1] != "7" else message.nack()

    def run() -> Any:
        client = pubsub_v1.SubscriberClient()
        return client, client.subscribe(SUBSCRIPTION, callback=take)

    client, future = await asyncio.to_thread(run)
    try:
        await publish(publisher, *(str(n) for n in range(50)))
        await eventually(lambda: len(set(got)) == 50 and got.count("7") == 2)

        async def is_settled() -> bool:
            shown = await google.control("GET", "pushes")
            return not shown["leased"][SUBSCRIPTION] and not shown["waiting"][SUBSCRIPTION]

        await eventually(is_settled)
    finally:
        await asyncio.to_thread(lambda: (future.cancel(), future.result(), client.close()))


async def test_a_pull_is_refused_as_often_as_a_fault_says(
    google: Google, publisher: PublisherAsyncClient, subscriber: SubscriberAsyncClient
) -> None:
    await subscriber.create_subscription(name=SUBSCRIPTION, topic=TOPIC)
    await publish(publisher, "x")
    rule = {"path_prefix": "/google.pubsub.v1.Subscriber/Pull", "times": 1, "status": 503}
    await google.control("PUT", "faults", {"rules": [rule]})

    with pytest.raises(exceptions.ServiceUnavailable):
        await pull(subscriber)

    assert len(await pull(subscriber)) == 1


async def test_an_answer_can_be_lost_after_the_messages_were_leased(
    google: Google, publisher: PublisherAsyncClient, subscriber: SubscriberAsyncClient
) -> None:
    await subscriber.create_subscription(name=SUBSCRIPTION, topic=TOPIC)
    await publish(publisher, "x")
    rule = {"path_contains": "Subscriber/Pull", "times": 1, "lose_answer": True}
    await google.control("PUT", "faults", {"rules": [rule]})

    with pytest.raises(exceptions.ServiceUnavailable):
        await pull(subscriber)

    assert (await google.control("GET", "pushes"))["leased"][SUBSCRIPTION] == 1
    await google.control("PUT", "clock", {"offset_s": 11})
    assert len(await pull(subscriber)) == 1


async def test_a_delivery_can_be_duplicated_dropped_and_held(
    google: Google, publisher: PublisherAsyncClient, subscriber: SubscriberAsyncClient
) -> None:
    await subscriber.create_subscription(name=SUBSCRIPTION, topic=TOPIC)
    await google.control("PUT", "pushes", {"drop": 1, "duplicate": 1})
    await publish(publisher, "lost", "twice")

    assert [one.message.data for one in await pull(subscriber)] == [b"twice", b"twice"]

    await google.control("PUT", "pushes", {"paused": True})
    await publish(publisher, "held")
    waiting = asyncio.create_task(pull(subscriber))
    await eventually(lambda: not waiting.done())
    await google.control("PUT", "pushes", {})
    assert [one.message.data for one in await waiting] == [b"held"]


async def test_the_front_page_names_the_port(google: Google) -> None:
    assert (await google.request("GET", "/")).json["pubsub"] == google.emulated.pubsub
