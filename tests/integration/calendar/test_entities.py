"""Meetings and the CRM's entities find each other, whichever comes first."""

from typing import Any

from libs.common.events import crm
from libs.common.events.crm import EntityDeleted, EntityUpserted
from tests import messaging
from tests.contacts_told import ANN, created, deleted, sealed, updated
from tests.integration.calendar.stand import Stand, at
from tests.integration.service_stand import ALICE, Json
from tests.support import caller_token, eventually, service_caller_token

EVE = "eve@client.example"
ONE = "entity_type=deal&entity_id=42"


async def crm_tells(calendar: Stand, *emails: str, version: int = 1, gone: bool = False) -> None:
    """Publish what the CRM would tell of the deal 42."""
    event: EntityUpserted | EntityDeleted
    if gone:
        event = EntityDeleted(entity_type="deal", entity_id="42", version=version)
    else:
        event = EntityUpserted(entity_type="deal", entity_id="42", version=version, emails=emails)
    envelope = crm.envelope_of(event, tenant_id="acme", time=messaging.NOON)
    amqp_url = calendar.settings.amqp_url.get_secret_value()
    await messaging.send(amqp_url, envelope.to_json(), key=envelope.type)


async def is_known(calendar: Stand) -> None:
    async def so() -> bool:
        rows = await calendar.fetch("SELECT 1 FROM entities")
        return bool(rows)

    await eventually(so)


def logged(calendar: Stand) -> list[Json]:
    return [one.data["activity"] for one in calendar.events("calendar.activity.logged")]


async def activities(calendar: Stand, query: str = ONE, *, token: str | None = None) -> list[Json]:
    found = await calendar.get(f"/v1/calendar/activities?{query}", token=token)
    return list(found["items"])


async def a_meeting(calendar: Stand, hours: float = 3, **more: Any) -> Json:
    guests = [{"email": EVE, "displayName": "Eve"}]
    made = await calendar.happens(at(hours, summary="Pitch", attendees=guests, **more))
    await calendar.told(made["id"], "created")
    return made


async def test_a_meeting_with_somebody_known_is_logged_as_it_comes(calendar: Stand) -> None:
    await calendar.connect()
    await crm_tells(calendar, EVE.upper())
    await is_known(calendar)
    await a_meeting(calendar, description="About the offer")
    await eventually(lambda: logged(calendar))
    (activity,) = logged(calendar)
    assert activity["type"] == "meeting"
    assert activity["title"] == "Pitch"
    assert activity["snippet"] == "About the offer"
    assert activity["direction"] == "outbound"
    assert activity["entities"] == [{"type": "deal", "id": "42"}]
    assert {one["email"] for one in activity["participants"]} >= {EVE}
    (event,) = await calendar.listed(f"?{ONE}")
    assert event["entities"] == [{"type": "deal", "id": "42"}]
    assert event["id"] == activity["event_id"]


async def test_an_entity_that_comes_later_finds_its_meetings(calendar: Stand) -> None:
    await calendar.connect()
    await a_meeting(calendar)
    stranger = await calendar.happens(at(5, summary="Other"))
    await calendar.told(stranger["id"], "created")
    assert logged(calendar) == []
    await crm_tells(calendar, EVE)
    await eventually(lambda: logged(calendar))
    await calendar.quiet()
    (activity,) = logged(calendar)
    assert activity["entities"] == [{"type": "deal", "id": "42"}]
    assert [one["title"] for one in await calendar.listed(f"?{ONE}")] == ["Pitch"]


async def test_what_is_told_again_is_logged_once(calendar: Stand) -> None:
    await calendar.connect()
    await a_meeting(calendar)
    await crm_tells(calendar, EVE)
    await eventually(lambda: logged(calendar))
    await crm_tells(calendar, EVE)
    await crm_tells(calendar, EVE, version=2)
    await calendar.quiet()
    assert len(logged(calendar)) == 1


async def test_an_address_that_is_taken_away_takes_its_meetings_away(calendar: Stand) -> None:
    await calendar.connect()
    await a_meeting(calendar)
    await crm_tells(calendar, EVE)
    await eventually(lambda: logged(calendar))
    await crm_tells(calendar, "other@client.example", version=2)
    await eventually(lambda: len(logged(calendar)) == 2)
    last = logged(calendar)[-1]
    assert last["entities"] == []
    assert last["participants"] == []
    assert last["snippet"] == ""
    assert await activities(calendar) == []
    assert await calendar.listed(f"?{ONE}") == []
    assert len(await calendar.listed()) == 1


async def test_an_entity_that_is_gone_takes_its_meetings_along(calendar: Stand) -> None:
    await calendar.connect()
    await a_meeting(calendar)
    await crm_tells(calendar, EVE)
    await eventually(lambda: logged(calendar))
    await crm_tells(calendar, version=2, gone=True)
    await eventually(lambda: len(logged(calendar)) == 2)
    assert logged(calendar)[-1]["entities"] == []


async def test_a_guest_who_is_taken_out_takes_the_entity_along(calendar: Stand) -> None:
    await calendar.connect()
    await crm_tells(calendar, EVE)
    await is_known(calendar)
    made = await a_meeting(calendar)
    await eventually(lambda: logged(calendar))
    await calendar.edit(made["id"], "change", changes={"attendees": []})
    await eventually(lambda: len(logged(calendar)) == 2)
    assert logged(calendar)[-1]["entities"] == []


async def test_a_meeting_that_is_cancelled_is_no_activity_any_more(calendar: Stand) -> None:
    await calendar.connect()
    await crm_tells(calendar, EVE)
    await is_known(calendar)
    made = await a_meeting(calendar)
    await eventually(lambda: logged(calendar))
    await calendar.edit(made["id"], "delete")
    await eventually(lambda: len(logged(calendar)) == 2)
    assert logged(calendar)[-1]["entities"] == []
    assert await activities(calendar) == []


async def test_a_colleague_is_no_client(calendar: Stand) -> None:
    await calendar.connect()
    await crm_tells(calendar, ALICE)
    await is_known(calendar)
    await a_meeting(calendar)
    await calendar.quiet()
    assert logged(calendar) == []


async def test_a_meeting_with_a_contact_is_logged_until_the_contact_is_gone(
    calendar: Stand,
) -> None:
    await calendar.connect()
    amqp_url = calendar.settings.amqp_url.get_secret_value()
    envelope = sealed(created(EVE), 1)
    await messaging.send(amqp_url, envelope.to_json(), key=envelope.type)
    await is_known(calendar)
    await a_meeting(calendar)
    await eventually(lambda: logged(calendar))
    assert logged(calendar)[0]["entities"] == [{"type": "contact", "id": str(ANN)}]

    envelope = sealed(updated(EVE, entity_id="c-7"), 2)
    await messaging.send(amqp_url, envelope.to_json(), key=envelope.type)
    named = [{"type": "contact", "id": "c-7"}]
    await eventually(lambda: logged(calendar)[-1]["entities"] == named)
    envelope = sealed(deleted(entity_id="c-7"), 3)
    await messaging.send(amqp_url, envelope.to_json(), key=envelope.type)
    await eventually(lambda: logged(calendar)[-1]["entities"] == [])


async def test_activities_come_latest_first_and_in_pages(calendar: Stand) -> None:
    await calendar.connect()
    await crm_tells(calendar, EVE)
    await is_known(calendar)
    for hours in (3, 9, 5, 7):
        await a_meeting(calendar, hours)
    await calendar.quiet()
    seen: list[Json] = []
    query = f"{ONE}&limit=3"
    while True:
        page = await calendar.get(f"/v1/calendar/activities?{query}")
        seen += page["items"]
        if page["next_cursor"] is None:
            break
        query = f"{ONE}&limit=3&cursor={page['next_cursor']}"
    starts = [one["occurred_at"] for one in seen]
    assert starts == sorted(starts, reverse=True)
    assert len({one["id"] for one in seen}) == 4
    assert {one["id"] for one in seen} == {one["id"] for one in logged(calendar)}


async def test_activities_are_of_ones_own_calendars_and_tenant(calendar: Stand) -> None:
    await calendar.connect()
    await crm_tells(calendar, EVE)
    await is_known(calendar)
    await a_meeting(calendar)
    await eventually(lambda: logged(calendar))
    assert len(await activities(calendar)) == 1
    assert len(await activities(calendar, token=service_caller_token())) == 1
    assert await activities(calendar, token=caller_token(user="bob")) == []
    foreign = service_caller_token(tenant="other")
    answer = await calendar.call("GET", f"/v1/calendar/activities?{ONE}", token=foreign)
    assert answer.status == 404
    unknown = await calendar.call("GET", "/v1/calendar/activities?entity_type=deal&entity_id=43")
    assert unknown.status == 404
    bad = await calendar.call("GET", "/v1/calendar/activities?entity_type=Deal&entity_id=43")
    assert (bad.status, bad.fields) == (400, ["entity_type"])
