"""Channels: how they are opened and closed, and what arrives through them."""

import uuid
from typing import Any

import pytest

from tests.emulator.google import ALICE, BOB, CALENDAR, HOUR, Channel, Diary, Google, Json
from tests.support import eventually

WATCH = "calendars/primary/events/watch"


def wanted(channel: Channel, **changes: Any) -> Json:
    body = {
        "id": str(uuid.uuid4()),
        "type": "web_hook",
        "address": channel.url,
        "token": "the-token",
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


async def opened(diary: Diary, channel: Channel, **changes: Any) -> Json:
    made: Json = await diary.send("POST", WATCH, wanted(channel, **changes))
    await eventually(lambda: "sync" in channel.states)
    return made


async def notifications(google: Google) -> Json:
    found: Json = await google.control("GET", "notifications")
    return found


async def test_a_channel_begins_with_a_sync_message(diary: Diary, channel: Channel) -> None:
    body = wanted(channel)
    made = await diary.send("POST", WATCH, body)
    await eventually(lambda: channel.got)

    headers = channel.got[0]
    assert made["kind"] == "api#channel"
    assert (made["id"], made["token"]) == (body["id"], "the-token")
    assert made["resourceUri"] == (
        "https://www.googleapis.com/calendar/v3/calendars/primary/events?alt=json"
    )
    assert headers["X-Goog-Channel-Id"] == body["id"]
    assert headers["X-Goog-Channel-Token"] == "the-token"
    assert headers["X-Goog-Message-Number"] == "1"
    assert headers["X-Goog-Resource-Id"] == made["resourceId"]
    assert headers["X-Goog-Resource-State"] == "sync"
    assert headers["X-Goog-Resource-Uri"] == made["resourceUri"]
    assert headers["X-Goog-Channel-Expiration"].endswith(" GMT")
    assert headers["Content-Length"] == "0"
    assert channel.bodies == [b""]


async def test_every_kind_of_change_is_told(diary: Diary, channel: Channel) -> None:
    await opened(diary, channel)

    made = await diary.insert()
    await eventually(lambda: channel.states.count("exists") == 1)
    await diary.patch(made["id"], {"summary": "x"})
    await eventually(lambda: channel.states.count("exists") == 2)
    await diary.delete(made["id"])
    await eventually(lambda: channel.states.count("exists") == 3)

    assert channel.numbers == sorted(set(channel.numbers))


async def test_guests_are_told_of_what_reaches_their_copies(
    google: Google, diary: Diary, channel: Channel
) -> None:
    bob = await google.diary(email=BOB)
    await opened(bob, channel)

    await diary.insert(attendees=[{"email": BOB}])

    await eventually(lambda: "exists" in channel.states)


async def test_many_changes_at_once_are_one_message(
    google: Google, diary: Diary, channel: Channel
) -> None:
    await opened(diary, channel)
    await google.control("POST", f"people/{ALICE}/events", {"event": HOUR, "count": 50})
    await eventually(lambda: "exists" in channel.states)

    assert (await notifications(google))["announced"] == 2


async def test_a_channel_can_be_told_of_some_types_only(diary: Diary, channel: Channel) -> None:
    await diary.send("POST", WATCH, wanted(channel), eventTypes="focusTime")
    await eventually(lambda: channel.got)

    await diary.insert()
    await diary.insert(eventType="focusTime")
    await eventually(lambda: "exists" in channel.states)

    assert channel.states == ["sync", "exists"]


async def test_the_calendar_list_can_be_watched(
    google: Google, diary: Diary, channel: Channel
) -> None:
    await diary.send("POST", "users/me/calendarList/watch", wanted(channel))

    await google.control("POST", f"people/{ALICE}/calendars", {"summary": "Team"})

    await eventually(lambda: sorted(channel.states) == ["exists", "sync"])


async def test_a_resource_has_one_id_for_each_person(
    google: Google, diary: Diary, channel: Channel
) -> None:
    bob = await google.diary(email=BOB)
    first = await opened(diary, channel)
    second = await diary.send("POST", WATCH, wanted(channel))
    other = await bob.send("POST", WATCH, wanted(channel))

    assert first["resourceId"] == second["resourceId"] != other["resourceId"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": None}, "required"),
        ({"id": "x" * 65}, "invalid"),
        ({"token": "x" * 257}, "invalid"),
        ({"type": "carrier_pigeon"}, "invalid"),
        ({"address": None}, "required"),
        ({"address": "ftp://127.0.0.1/x"}, "push.webhookUrlNotHttps"),
        ({"address": "http://example.com/x"}, "push.webhookUrlNotHttps"),
        ({"address": "not an address"}, "push.webhookUrlNotHttps"),
        ({"address": "http://[::1/"}, "invalid"),
        ({"expiration": "1000"}, "invalid"),
        ({"params": {"ttl": "soon"}}, "invalid"),
        ({"params": {"ttl": "0"}}, "invalid"),
    ],
)
async def test_what_is_no_channel_is_refused(
    diary: Diary, channel: Channel, changes: Any, reason: str
) -> None:
    answer = await diary.call("POST", WATCH, json=wanted(channel, **changes))

    assert (answer.status, answer.reason) == (400, reason)


async def test_the_longest_id_and_token_are_taken(diary: Diary, channel: Channel) -> None:
    await opened(diary, channel, id="x" * 64, token="y" * 256)


async def test_an_id_is_good_for_one_channel(diary: Diary, channel: Channel) -> None:
    made = await opened(diary, channel)

    again = await diary.call("POST", WATCH, json=wanted(channel, id=made["id"]))

    assert (again.status, again.reason) == (400, "channelIdNotUnique")


async def test_plain_http_can_be_forbidden_or_allowed(
    google: Google, diary: Diary, channel: Channel
) -> None:
    far = {"address": "http://example.com/x"}
    await google.control("PUT", "notifications", {"paused": True})
    await google.control("PUT", "settings", {"channel_http": "never"})
    never = await diary.call("POST", WATCH, json=wanted(channel))
    await google.control("PUT", "settings", {"channel_http": "anywhere"})
    anywhere = await diary.call("POST", WATCH, json=wanted(channel, **far))

    assert (never.status, anywhere.status) == (400, 200)


async def test_a_channel_lasts_a_week_unless_it_is_told_else(
    google: Google, diary: Diary, channel: Channel
) -> None:
    now = (await google.control("GET", "clock"))["now_ms"]
    week = await opened(diary, channel)
    hour = await opened(diary, channel, params={"ttl": "3600"})
    dated = await opened(diary, channel, expiration=str(now + 5_000_000))
    await google.control("PUT", "settings", {"channel_ttl_s": 60})
    short = await opened(diary, channel)

    lengths = [int(made["expiration"]) - now for made in (week, hour, dated, short)]
    assert [round(length, -4) for length in lengths] == [604_800_000, 3_600_000, 5_000_000, 60_000]


async def test_an_expired_channel_is_silent(google: Google, channel: Channel) -> None:
    await google.control("PUT", "settings", {"access_token_ttl_s": 10_000_000})
    lasting = await google.diary()
    await opened(lasting, channel)
    await google.control("PUT", "clock", {"offset_s": 604_801})

    await lasting.insert()
    found = await notifications(google)

    assert found["channels"] == []
    assert found["announced"] == 1


async def test_a_stopped_channel_is_silent(google: Google, diary: Diary, channel: Channel) -> None:
    made = await opened(diary, channel)
    body = {"id": made["id"], "resourceId": made["resourceId"]}

    await diary.send("POST", "channels/stop", body)
    again = await diary.call("POST", "channels/stop", json=body)
    await diary.insert()

    assert (await notifications(google))["announced"] == 1
    assert (again.status, again.reason) == (404, "notFound")


async def test_only_its_owner_stops_a_channel(
    google: Google, diary: Diary, channel: Channel
) -> None:
    made = await opened(diary, channel)
    bob = await google.diary(email=BOB)
    body = {"id": made["id"], "resourceId": made["resourceId"]}

    stranger = await bob.call("POST", "channels/stop", json=body)
    other = await diary.call("POST", "channels/stop", json={**body, "resourceId": "other"})
    bare = await diary.call("POST", "channels/stop", json={"id": made["id"]})

    assert [one.status for one in (stranger, other, bare)] == [404, 404, 400]


async def test_holidays_cannot_be_watched(google: Google, diary: Diary, channel: Channel) -> None:
    made = await google.control("POST", f"people/{ALICE}/calendars", {"holidays": True})
    path = f"calendars/{made['id'].replace('#', '%23')}/events"

    refused = await diary.call("POST", f"{path}/watch", json=wanted(channel))

    assert (refused.status, refused.reason) == (400, "pushNotSupportedForRequestedResource")
    assert (await diary.get(path))["accessRole"] == "reader"


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_message_is_tried_again_after_a_5xx(
    google: Google, diary: Diary, channel: Channel, status: int
) -> None:
    channel.statuses.extend([status, status])

    await diary.send("POST", WATCH, wanted(channel))
    await eventually(lambda: len(channel.got) == 3)

    assert channel.numbers == [1, 1, 1]
    await eventually(lambda: _delivered(google))
    found = await notifications(google)
    assert (found["retried"], found["lost"]) == (2, 0)


@pytest.mark.parametrize("status", [400, 401, 404, 429, 501, 302])
async def test_a_message_is_lost_after_any_other_answer(
    google: Google, diary: Diary, channel: Channel, status: int
) -> None:
    channel.statuses.append(status)

    await diary.send("POST", WATCH, wanted(channel))

    async def lost() -> bool:
        return bool((await notifications(google))["lost"])

    await eventually(lost)
    assert len(channel.got) == 1
    assert (await notifications(google))["deliveries"][0]["outcome"] == status


async def test_a_receiver_that_is_not_there_loses_the_message(
    google: Google, diary: Diary, channel: Channel
) -> None:
    await diary.send("POST", WATCH, wanted(channel, address="http://127.0.0.1:9/x"))

    async def lost() -> bool:
        return bool((await notifications(google))["lost"])

    await eventually(lost)


async def _delivered(google: Google) -> bool:
    return bool((await notifications(google))["delivered"])


async def test_messages_can_be_dropped_and_doubled(
    google: Google, diary: Diary, channel: Channel
) -> None:
    await opened(diary, channel)
    await google.control("PUT", "notifications", {"drop": 1})
    await diary.insert()
    await google.control("PUT", "notifications", {"duplicate": 1})
    await diary.insert()

    await eventually(lambda: channel.states.count("exists") == 2)

    assert len(set(channel.numbers)) == 2
    assert (await notifications(google))["dropped"] == 1


async def test_messages_can_be_held_and_let_go(
    google: Google, diary: Diary, channel: Channel
) -> None:
    await opened(diary, channel)
    await google.control("PUT", "notifications", {"paused": True})
    await diary.insert()
    held = await notifications(google)
    await google.control("PUT", "notifications", {})

    await eventually(lambda: "exists" in channel.states)

    assert held["waiting"] == 1


async def test_messages_can_overtake_each_other(
    google: Google, diary: Diary, channel: Channel
) -> None:
    await opened(diary, channel)
    await google.control("PUT", "notifications", {"reorder": 3})
    for _ in range(3):
        await diary.insert()

    await eventually(lambda: len(channel.got) == 4)

    assert channel.numbers[1:] == sorted(channel.numbers[1:], reverse=True)


async def test_the_sync_message_can_come_before_the_answer(
    google: Google, diary: Diary, channel: Channel
) -> None:
    await google.control("PUT", "notifications", {"early_sync": True})

    await diary.send("POST", WATCH, wanted(channel))

    assert channel.states == ["sync"]


async def test_a_message_can_be_forged(google: Google, diary: Diary, channel: Channel) -> None:
    made = await opened(diary, channel)
    forged = {"channel": made["id"], "headers": {"X-Goog-Channel-Token": "wrong"}}

    sent = await google.control("POST", "notifications", forged)
    plain = {"address": channel.url, "headers": {"X-Goog-Channel-ID": "stranger"}}
    await google.control("POST", "notifications", plain)

    assert sent == {"status": 204}
    assert channel.got[1]["X-Goog-Channel-Token"] == "wrong"
    assert channel.got[2]["X-Goog-Channel-Id"] == "stranger"


async def test_watching_needs_a_scope_and_a_calendar(google: Google, channel: Channel) -> None:
    free = await google.diary(f"{CALENDAR}.freebusy")
    reader = await google.diary(f"{CALENDAR}.events.readonly")

    refused = await free.call("POST", WATCH, json=wanted(channel))
    unknown = await reader.call("POST", "calendars/nobody@x.com/events/watch", json=wanted(channel))
    taken = await reader.call("POST", WATCH, json=wanted(channel))

    assert (refused.status, refused.reason) == (403, "insufficientPermissions")
    assert (unknown.status, taken.status) == (404, 200)
