"""What a person does to an appointment's event while nobody here knows yet that it is there."""

import pytest

from tests.integration.calendar.stand import Stand, at, span
from tests.integration.calendar.truth import all_right, at_rest, google_shows
from tests.integration.service_stand import ALICE, Json
from tests.support import eventually

INSERT = {"path_contains": "/events", "method": "POST", "times": 1}
LATE = {**INSERT, "late_s": 5.0}
"""The event is made, and Google's answer is on its way for some seconds."""
LOST = {**INSERT, "lose_answer": True}
MOVED = at(30)
EDITS: dict[str, Json] = {
    "drag": {"action": "drag", "start": MOVED["start"]},
    "title": {"action": "change", "changes": {"summary": "Theirs"}},
    "delete": {"action": "delete"},
}


async def made_unheard(stand: Stand, rule: Json) -> str:
    """Let an event be made whose answer is under way or lost, and no notice out; return its id."""
    await stand.google.control("PUT", "faults", {"rules": [rule]})
    await stand.notifications(paused=True)
    google_id = str((await stand.appoint())["google_event_id"])

    async def is_there() -> bool:
        return any(one["id"] == google_id for one in await stand.at_google())

    await eventually(is_there)
    assert await stand.fetch("SELECT google_id FROM events") == []
    assert [row["state"] for row in await stand.fetch("SELECT state FROM writes")] == ["sending"]
    return google_id


@pytest.mark.parametrize("first", ["notice", "answer", "settling"])
@pytest.mark.parametrize("edit", [*EDITS])
async def test_an_edit_of_an_event_that_is_not_known_to_be_there_is_told_once(
    stand: Stand, edit: str, first: str
) -> None:
    stand.settings = stand.settings.model_copy(update={"settle_after": 1.0})
    async with stand.serving():
        connection_id = await stand.connect()
        google_id = await made_unheard(stand, LOST if first == "settling" else LATE)
        await stand.edit(google_id, **EDITS[edit])
        if first != "notice":
            await eventually(lambda: at_rest(stand))
        await stand.notifications(paused=False)
        await eventually(lambda: stand.events("calendar.appointment.changed"))
        await all_right(stand, {ALICE: connection_id})

        (told,) = stand.events("calendar.appointment.changed")
        assert told.data["cancelled"] is (edit == "delete")
        assert [*told.data["changes"]] == {"drag": ["start"], "title": ["summary"]}.get(edit, [])


async def test_a_series_is_the_crms_although_a_person_moved_one_of_it_before_it_was_known(
    stand: Stand,
) -> None:
    async with stand.serving():
        connection_id = await stand.connect()
        await stand.google.control("PUT", "faults", {"rules": [LATE]})
        await stand.notifications(paused=True)
        body = {"title": "Demo", "time": span(3), "recurrence": ["RRULE:FREQ=DAILY;COUNT=3"]}
        headers = {"Idempotency-Key": "series"}
        await stand.call("POST", "/v1/calendar/events?wait=0", body, headers=headers)
        (series,) = await eventually(stand.at_google)
        await eventually(lambda: google_shows(stand))
        first = min(await google_shows(stand))
        await stand.edit(first, "drag", start=MOVED["start"])
        await stand.notifications(paused=False)
        await stand.told(series["id"], "created")
        await all_right(stand, {ALICE: connection_id})

        told = [
            (one.data["google_event_id"], one.data["origin"])
            for one in stand.events("calendar.event.")
        ]
        assert sorted(told) == sorted([(series["id"], "crm"), (first, "live")])
