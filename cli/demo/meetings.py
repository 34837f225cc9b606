"""The calendar's part of the story: an appointment goes out and comes back, a guest is invited."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cli.demo.crm import Crm
from cli.demo.errors import StoryError
from cli.demo.google import Person
from cli.demo.letters import PERSON_NAME
from cli.demo.listener import Arrival, Listener
from cli.demo.view import View

CREATED = "calendar.event.created.v1"
CHANGED = "calendar.appointment.changed.v1"
STEP_TIMEOUT_S = 30.0
GUEST = "bob@partner.example"


@dataclass(frozen=True, slots=True)
class Meetings:
    """Plays it with those who take part."""

    crm: Crm
    person: Person
    listener: Listener
    view: View
    user_id: str

    async def play(self) -> None:
        """Play every step.

        Raises:
            StoryError: a step was not seen within STEP_TIMEOUT_S seconds.
        """
        if not await self.crm.await_calendar(timeout_s=STEP_TIMEOUT_S):
            raise StoryError("the calendar was not in step in time")
        appointment = await self._appoint()
        await self._drag(appointment)
        await self._invite()

    async def _appoint(self) -> dict[str, Any]:
        """Let the CRM keep an appointment; return its event at Google."""
        start = (datetime.now(UTC) + timedelta(days=1)).replace(minute=0, second=0, microsecond=0)
        appointment_id = secrets.token_hex(4)
        self.view.step(f"the CRM keeps an appointment for {PERSON_NAME}")
        kept = await self.crm.appoint(
            {
                "appointment_id": appointment_id,
                "version": 1,
                "service": "Consultation",
                "duration": 45,
                "start": start.isoformat(),
                "client": {"name": "Bia Ramos"},
                "professional": {"user_id": self.user_id, "name": PERSON_NAME},
            }
        )
        google_id = str(kept["google_event_id"])
        await self._seen(CREATED, lambda data: data.get("appointment_id") == appointment_id)
        found = [one for one in await self.person.agenda() if one["id"] == google_id]
        if len(found) != 1 or "Bia Ramos" not in found[0]["summary"]:
            raise StoryError("the appointment is not in Google's calendar")
        self.view.done(f"it is in her calendar at Google: {found[0]['summary']!r}")
        return {"id": google_id, "start": start, "appointment_id": appointment_id}

    async def _drag(self, appointment: dict[str, Any]) -> None:
        later = appointment["start"] + timedelta(hours=2)
        self.view.step(f"{PERSON_NAME} drags it two hours later, in Google's calendar")
        await self.person.drag(appointment["id"], later)
        arrival = await self._seen(
            CHANGED, lambda data: data["appointment_id"] == appointment["appointment_id"]
        )
        told = arrival.envelope.data["changes"].get("start")
        if told is None or datetime.fromisoformat(told) != later:
            raise StoryError("the CRM was not told the new time")
        self.view.done("the CRM heard of it: the appointment begins two hours later")

    async def _invite(self) -> None:
        """Let the CRM plan a meeting whose guest hears of it, since it says so."""
        self.view.step("the CRM plans a meeting with a guest, and has the invitation sent")
        start = (datetime.now(UTC) + timedelta(days=2)).replace(minute=0, second=0, microsecond=0)
        made = await self.crm.plan(
            {
                "title": "Project review",
                "time": {
                    "start": start.isoformat(),
                    "end": (start + timedelta(hours=1)).isoformat(),
                },
                "attendees": [{"email": GUEST}],
                "notify": "all",
            }
        )
        await self._seen(CREATED, lambda data: data["google_event_id"] == made["google_event_id"])
        sent = await self.person.invitations(made["google_event_id"])
        if [(one["to"], one["kind"]) for one in sent] != [(GUEST, "invitation")]:
            raise StoryError(f"{len(sent)} mails went out about the meeting, instead of one")
        self.view.done("one invitation went out, to the guest; for the appointment none did")

    async def _seen(self, kind: str, is_it: Callable[[dict[str, Any]], bool]) -> Arrival:
        def match(arrival: Arrival) -> bool:
            return arrival.envelope.type == kind and is_it(arrival.envelope.data)

        arrival = await self.listener.wait(match, timeout_s=STEP_TIMEOUT_S)
        if arrival is None:
            raise StoryError(f"no {kind} came within {STEP_TIMEOUT_S:.0f} s")
        await self.view.drain()
        return arrival
