"""The stage of one story about calendars: a person at Google, and the tenant that has them."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

from libs.common import clock
from tests.integration.auth.stand import Answer
from tests.integration.calendar.stand import Stand, soon
from tests.integration.service_stand import Json
from tests.support import caller_token, eventually

PRODUCTS = [{"name": "calendar", "access": "write"}]
GUEST = "guest@example.org"
ZONES = ("Europe/Paris", "America/Sao_Paulo")


@dataclass
class Kept:
    """An appointment as the CRM has it."""

    body: Json
    cancelled: bool = False
    heard: int = 0
    """How many of the edits it was told of the CRM has followed."""


@dataclass
class CalendarStage:
    """One story."""

    stand: Stand
    restart: Any
    """Stops the service and starts it again."""
    number: int
    connection_id: str = ""
    asked: int = 0
    """Changes that the CRM may have had queued."""
    appointments: dict[str, Kept] = field(default_factory=dict)
    faults: list[Json] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    """What was really done, by rule."""
    reconnected: bool = False

    @property
    def tenant(self) -> str:
        """Return whose story it is."""
        return f"tenant-{self.number}"

    @property
    def person(self) -> str:
        """Return whose calendar."""
        return f"person-{self.number}@example.com"

    @property
    def friend(self) -> str:
        """Return who else is at Google, and invites them."""
        return f"friend-{self.number}@example.com"

    @property
    def token(self) -> str:
        """Return the token of the calendar's user, whatever time it is."""
        moment = int(clock.now().timestamp())
        return caller_token(tenant=self.tenant, iat=moment, exp=moment + 3600)

    async def connect(self) -> None:
        """Connect the calendar, and wait until it is read."""
        made = await self.stand.auth.connect(
            person=self.person, token=caller_token(tenant=self.tenant), products=PRODUCTS
        )
        self.connection_id = str(made["id"])
        await eventually(lambda: self.stand.in_step(self.connection_id), what="in step")

    async def call(self, method: str, path: str, body: Any = None) -> Answer:
        """Call the API as the calendar's user."""
        headers = {"Idempotency-Key": uuid4().hex} if method == "POST" else {}
        return await self.stand.call(method, path, body, token=self.token, headers=headers)

    async def shown(self) -> list[Json]:
        """Return what the CRM sees."""
        path = f"/v1/calendar/events?limit=100&connection_id={self.connection_id}"
        return list((await self.stand.get(path, token=self.token))["items"])

    async def at_google(self) -> list[Json]:
        """Return what is in the calendar at Google and takes place: single events and masters."""
        found = await self.stand.at_google(self.person)
        return [one for one in found if one["status"] != "cancelled"]


def hours(which: int, how: int, *, zone: str = ZONES[0]) -> Json:
    """Return times as the CRM gives them."""
    start = soon() + timedelta(days=1 + which % 5, hours=how % 8)
    end = start + timedelta(minutes=30 + 15 * (how % 4))
    return {"start": start.isoformat(), "end": end.isoformat(), "zone": zone}


def days(which: int, how: int) -> Json:
    """Return whole days as the CRM gives them."""
    start = soon().date() + timedelta(days=1 + which % 5)
    return {"start": str(start), "end": str(start + timedelta(days=1 + how % 3))}


def edges(times: Json) -> Json:
    """Return those times as Google has them."""
    if "T" not in times["start"]:
        return {name: {"date": times[name]} for name in ("start", "end")}
    return {name: {"dateTime": times[name], "timeZone": times["zone"]} for name in ("start", "end")}
