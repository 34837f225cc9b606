"""The door: which notices get in, and what they leave behind."""

import asyncio
from uuid import uuid4

import asyncpg
from prometheus_client import REGISTRY

from services.calendar.domain.channel import ChannelKey, channel_token
from services.calendar.web.push import KEYS
from tests.integration.calendar.stand import Stand, at
from tests.logs import Recorder
from tests.support import bearer, caller_token, eventually

OTHER = ChannelKey("d", b"x" * 32)


def headers(
    calendar: Stand, channel: str, *, number: int = 1_000_000, resource: str = "any"
) -> dict[str, str | None]:
    """Return those of a genuine notice on a channel."""
    return {
        "X-Goog-Channel-ID": channel,
        "X-Goog-Channel-Token": channel_token(calendar.app[KEYS], channel),
        "X-Goog-Message-Number": str(number),
        "X-Goog-Resource-ID": resource,
        "X-Goog-Resource-State": "exists",
        "X-Goog-Resource-URI": "https://www.googleapis.com/calendar/v3/calendars/primary/events",
    }


def counted(outcome: str) -> float:
    name = "causeway_calendar_notices_total"
    return REGISTRY.get_sample_value(name, {"outcome": outcome}) or 0.0


RAISED = """
SELECT coalesce(sum(s.generation), 0)::int AS n
  FROM signals s JOIN feeds f ON f.tenant_id = s.tenant_id AND f.id = s.feed_id
 WHERE f.kind = 'calendar.events'
"""


async def raised(calendar: Stand) -> int:
    """Return how often a calendar was called; that it is connected is told more than once."""
    (row,) = await calendar.fetch(RAISED)
    return int(row["n"])


async def test_a_notice_without_the_right_token_is_refused_and_calls_nothing(
    calendar: Stand,
) -> None:
    await calendar.connect()
    await calendar.quiet()
    (channel,) = (await calendar.notifications())["channels"]
    right = headers(calendar, channel["id"], resource=channel["resourceId"])
    before = await raised(calendar)
    for wrong in (
        {"X-Goog-Channel-Token": None},
        {"X-Goog-Channel-Token": ""},
        {"X-Goog-Channel-Token": "d."},
        {"X-Goog-Channel-Token": channel_token([OTHER], channel["id"])},
        {"X-Goog-Channel-Token": channel_token(calendar.app[KEYS], str(uuid4()))},
        {"X-Goog-Channel-Token": "x" * 5000},
        {"X-Goog-Channel-ID": None},
        {"X-Goog-Channel-ID": str(uuid4())},
    ):
        assert await calendar.forge(headers={**right, **wrong}) == 401, wrong
    assert await raised(calendar) == before


async def test_a_callers_token_does_not_open_the_door(calendar: Stand) -> None:
    url = f"{calendar.origin}/webhooks/google/calendar"
    async with calendar.session.post(url, headers=bearer(caller_token())) as answer:
        assert answer.status == 401
        assert answer.content_type == "application/problem+json"


async def test_the_token_is_checked_before_the_database_is_asked(
    calendar: Stand, postgres_url_admin: str
) -> None:
    await calendar.connect()
    await calendar.quiet()
    (channel,) = (await calendar.notifications())["channels"]
    right = headers(calendar, channel["id"], resource=channel["resourceId"])
    name = calendar.settings.database_url.get_secret_value().rsplit("/", 1)[1].split("?")[0]
    admin = await asyncpg.connect(postgres_url_admin)
    try:
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name
        )
        assert await calendar.forge(headers={**right, "X-Goog-Channel-Token": "d.no"}) == 401
        assert await calendar.forge(headers=right) == 503  # Google comes again
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    finally:
        await admin.close()

    async def is_back() -> bool:
        return await calendar.forge(headers=right) == 204

    await eventually(is_back)


async def test_a_notice_of_an_unknown_channel_is_answered_and_calls_nothing(
    calendar: Stand,
) -> None:
    await calendar.connect()
    await calendar.quiet()
    before, left = await raised(calendar), counted("left")
    assert await calendar.forge(headers=headers(calendar, str(uuid4()))) == 204
    assert await raised(calendar) == before
    assert counted("left") == left + 1


async def test_a_notice_of_another_resource_is_answered_and_calls_nothing(calendar: Stand) -> None:
    await calendar.connect()
    await calendar.quiet()
    (channel,) = (await calendar.notifications())["channels"]
    before = await raised(calendar)
    assert await calendar.forge(headers=headers(calendar, channel["id"])) == 204
    assert await raised(calendar) == before


async def test_a_notice_with_an_old_number_is_answered_and_calls_nothing(calendar: Stand) -> None:
    await calendar.connect()
    made = await calendar.happens(at(3, summary="Lunch"))
    await calendar.told(made["id"], "created")
    await calendar.quiet()
    (channel,) = (await calendar.notifications())["channels"]
    before, left = await raised(calendar), counted("left")
    old = headers(
        calendar, channel["id"], resource=channel["resourceId"], number=channel["messageNumber"]
    )
    assert await calendar.forge(headers=old) == 204
    assert await raised(calendar) == before
    assert counted("left") == left + 1


async def test_a_genuine_notice_that_makes_no_sense_is_answered(calendar: Stand) -> None:
    await calendar.connect()
    await calendar.quiet()
    (channel,) = (await calendar.notifications())["channels"]
    right = headers(calendar, channel["id"], resource=channel["resourceId"])
    before = await raised(calendar)
    for wrong in (
        {"X-Goog-Message-Number": None},
        {"X-Goog-Message-Number": "one"},
        {"X-Goog-Message-Number": "9" * 19},
        {"X-Goog-Resource-ID": None},
    ):
        assert await calendar.forge(headers={**right, **wrong}) == 204, wrong
    assert await raised(calendar) == before


async def test_a_hundred_notices_cost_few_readings(calendar: Stand) -> None:
    await calendar.connect()
    await calendar.quiet()
    (channel,) = (await calendar.notifications())["channels"]
    await calendar.google.control("DELETE", "usage")
    at_once = [
        calendar.forge(
            headers=headers(calendar, channel["id"], resource=channel["resourceId"], number=number)
        )
        for number in range(1000, 1100)
    ]
    assert set(await asyncio.gather(*at_once)) == {204}
    await calendar.quiet()
    usage = await calendar.google.control("GET", "usage")
    calls = usage["people"]["alice@example.com"]["methods"]["calendar.events.list"]["calls"]
    assert 1 <= calls <= 20


async def test_notices_doubled_and_out_of_order_tell_once(calendar: Stand) -> None:
    await calendar.connect()
    await calendar.notifications(reorder=3)
    made = [await calendar.happens(at(3 + hour, summary="Lunch")) for hour in range(3)]
    for one in made:
        await calendar.told(one["id"], "created")
    await calendar.notifications(duplicate=5)
    await calendar.edit(made[0]["id"], "change", changes={"summary": "Late"})
    await calendar.told(made[0]["id"], "created", "updated")
    await calendar.quiet()
    assert len(calendar.events("calendar.event.")) == 4


async def test_notices_are_not_logged(calendar: Stand, logs: Recorder) -> None:
    await calendar.connect()
    made = await calendar.happens(at(3, summary="Lunch"))
    await calendar.told(made["id"], "created")
    assert not [line for line in logs.lines if "/webhooks/google/calendar" in line]
