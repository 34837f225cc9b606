"""Whoever follows a calendar by its sync tokens has, in the end, what a full list shows."""

import random
from dataclasses import dataclass, field

import pytest

from tests.emulator.google import ALICE, BOB, HOUR, WEEKLY, Diary, Google, Json


@dataclass
class Follower:
    """A client that keeps a copy of a calendar, as Google's guide says."""

    diary: Diary
    token: str = ""
    events: dict[str, Json] = field(default_factory=dict)

    async def follow(self, rng: random.Random) -> None:
        params = {"syncToken": self.token} if self.token else {}
        page = await self.diary.events(maxResults=rng.choice([1, 3, 250]), **params)
        self.token = page["nextSyncToken"]
        for event in page["items"]:
            if event["status"] == "cancelled" and "recurringEventId" not in event:
                self.events.pop(event["id"], None)
            else:
                self.events[event["id"]] = event

    def seen(self) -> dict[str, Json]:
        """What is there to see: cancelled exceptions only matter while their series lives."""
        return {
            event_id: event
            for event_id, event in self.events.items()
            if event["status"] != "cancelled" or event["recurringEventId"] in self.events
        }


def plain(events: dict[str, Json]) -> dict[str, tuple[str, str]]:
    return {
        event_id: (event["status"], event["etag"])
        for event_id, event in events.items()
        if event["status"] != "cancelled"
    }


async def one_edit(google: Google, alice: Diary, bob: Diary, rng: random.Random) -> None:
    """Something that Alice or Bob does."""
    mine = [e for e in (await alice.events())["items"] if e["status"] != "cancelled"]
    roll = rng.random()
    if not mine or roll < 0.3:
        body = rng.choice([HOUR, WEEKLY])
        await alice.insert(**body, attendees=[{"email": BOB}] if rng.random() < 0.6 else [])
        return
    event = rng.choice(mine)
    event_id = event["id"]
    if "recurrence" in event and roll < 0.8:
        path = f"calendars/primary/events/{event_id}/instances"
        event_id = rng.choice((await alice.get(path))["items"] or [event])["id"]
    kind = rng.choice(["patch", "delete", "trim", "answer", "decline", "following"])
    if kind == "trim" and "recurrence" in event:
        until = f"202603{rng.randint(2, 31):02}T235959Z"
        body = {"recurrence": [f"RRULE:FREQ=WEEKLY;UNTIL={until}"]}
        answer = await alice.call("PATCH", f"calendars/primary/events/{event['id']}", json=body)
        assert answer.status in {200, 400}  # nothing may be left of it
    elif kind == "delete":
        await alice.delete(event_id)
    elif kind in {"answer", "decline"}:
        theirs = await bob.call("GET", f"calendars/primary/events/{event_id}")
        if theirs.status == 200 and theirs.json["status"] != "cancelled":
            if kind == "decline":
                await bob.delete(event_id)
                return
            edit = {"event": event_id, "action": "respond", "response": "accepted"}
            await google.control("POST", f"people/{BOB}/event-edits", edit)
    elif kind == "following":
        changes = {"summary": f"{rng.random()}"}
        split = {"event": event_id, "action": "change", "scope": "following", "changes": changes}
        await google.control("POST", f"people/{ALICE}/event-edits", split)
    else:
        attendees = [{"email": BOB}] if rng.random() < 0.5 else []
        await alice.patch(event_id, {"summary": f"{rng.random()}", "attendees": attendees})


@pytest.mark.parametrize("seed", range(12))
async def test_a_follower_has_what_a_full_list_shows(google: Google, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - a story, not a secret
    await google.control("PUT", "settings", {"enforce_quota": False})
    alice, bob = await google.diary(), await google.diary(email=BOB)
    followers = [Follower(alice), Follower(bob)]

    for _ in range(40):
        await one_edit(google, alice, bob, rng)
        if rng.random() < 0.4:
            await rng.choice(followers).follow(rng)

    for follower in followers:
        await follower.follow(rng)
        fresh = Follower(follower.diary)
        await fresh.follow(rng)
        assert plain(follower.seen()) == plain(fresh.seen())
        gone = {i for i, e in fresh.seen().items() if e["status"] == "cancelled"}
        assert gone <= {i for i, e in follower.seen().items() if e["status"] == "cancelled"}
