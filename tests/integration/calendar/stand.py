"""Calendar under test: the whole service on a loopback port, auth, Google and a broker around."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import aiohttp
from aiohttp import test_utils

from libs.common import clock
from libs.common.events import crm
from libs.common.events.envelope import Envelope
from libs.common.web import ALL_ROLES
from services.calendar.app import create_app
from services.calendar.consumers import QUEUE
from services.calendar.settings import CalendarSettings
from tests import messaging
from tests.emulated import Emulated
from tests.integration.auth import stand as auth_stand
from tests.integration.service_stand import ALICE, TIMEOUT, Json, ServiceStand
from tests.support import (
    CALLER_AUDIENCE,
    CALLER_ISSUER,
    CALLER_KEY,
    SERVICE_KEY,
    caller_token,
    eventually,
    service_caller_token,
)

CALENDAR = [{"name": "calendar", "access": "write"}]

FEEDS = """
SELECT state, last_sync_at FROM feeds
 WHERE connection_id = $1 AND kind = 'calendar.events' AND state <> 'closed'
"""

FEED = """
SELECT * FROM feeds WHERE kind = $1 AND ($2::text IS NULL OR resource = $2)
"""
BUSY = """
SELECT (SELECT count(*) FROM signals WHERE running OR due_at <= $1)
       + (SELECT count(*) FROM outbox) AS busy
"""


def settings_for(
    database_url: str, amqp_url: str, google: str, **overrides: Any
) -> CalendarSettings:
    """Return settings of a service on a port of its own; `overrides` by field name."""
    port = test_utils.unused_port()
    given: Json = {
        "port": port,
        "public_url": f"http://127.0.0.1:{port}",
        "database_url": database_url,
        "amqp_url": amqp_url,
        "google_origin": google,
        "service_key": SERVICE_KEY,
        "caller_key": CALLER_KEY,
        "caller_issuer": CALLER_ISSUER,
        "caller_audience": CALLER_AUDIENCE,
        **overrides,
    }
    return CalendarSettings(**given)


def at(hours: float, *, minutes: int = 60, zone: str = "Europe/Paris", **more: Any) -> Json:
    """Return an event's times: so many hours from the next full hour on."""
    start = soon() + timedelta(hours=hours)
    end = start + timedelta(minutes=minutes)
    return {
        "start": {"dateTime": start.isoformat(), "timeZone": zone},
        "end": {"dateTime": end.isoformat(), "timeZone": zone},
        **more,
    }


def span(hours: float, *, minutes: int = 60) -> Json:
    """Return times as the CRM gives them: so many hours from the next full hour on."""
    start = soon() + timedelta(hours=hours)
    return {
        "start": start.isoformat(),
        "end": (start + timedelta(minutes=minutes)).isoformat(),
        "zone": "Europe/Paris",
    }


def appointment(**changes: Any) -> Json:
    """Return an appointment of the CRM's user ada."""
    return {
        "appointment_id": "a1",
        "version": 1,
        "service": "Corte",
        "duration": 45,
        "start": (soon() + timedelta(hours=5)).isoformat(),
        "zone": "America/Sao_Paulo",
        "client": {"name": "Bia", "phone": "+55 11 98765-4321", "email": "bia@example.org"},
        "professional": {"user_id": "ada", "name": "Ada"},
        **changes,
    }


def soon() -> datetime:
    """Return the full hour after the next."""
    return (datetime.now(UTC) + timedelta(hours=2)).replace(minute=0, second=0, microsecond=0)


@dataclass
class Stand(ServiceStand):
    """The running services and those around them."""

    create = staticmethod(create_app)
    queue = QUEUE
    settings: CalendarSettings

    async def connect(self, *, person: str = ALICE, **wish: Any) -> str:
        """Connect somebody's calendars and wait until they are in step; return the id."""
        wish.setdefault("products", CALENDAR)
        await self.hears()
        connection = await self.auth.connect(person=person, **wish)
        await eventually(lambda: self.in_step(connection["id"]), what="calendars in step")
        return str(connection["id"])

    async def in_step(self, connection_id: str) -> bool:
        """Say whether every calendar that is read was read at least once."""
        rows = await self.fetch(FEEDS, UUID(connection_id))
        return bool(rows) and all(row["last_sync_at"] and row["state"] == "active" for row in rows)

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> auth_stand.Answer:
        """Call the API, by default as the user ada of the tenant acme, whatever time it is."""
        moment = int(clock.now().timestamp())
        token = token or caller_token(iat=moment, exp=moment + 3600)
        return await super().call(method, path, body, token=token, headers=headers)

    async def later(self, **passed: float) -> None:
        """Let time pass, here and at Google: as `timedelta` takes it."""
        seconds = (clock.now() - datetime.now(UTC) + timedelta(**passed)).total_seconds()
        await self.google.control("PUT", "clock", {"offset_s": round(seconds)})
        clock.set_offset(round(seconds))

    async def quiet(self) -> None:
        """Wait until no feed runs or is due, and nothing waits to be published."""

        async def is_quiet() -> bool:
            (row,) = await self.fetch(BUSY, clock.now())
            return bool(row["busy"] == 0)

        await eventually(is_quiet)

    async def feed(self, kind: str = "calendar.events", resource: str | None = None) -> Any:
        """Return the one feed of a kind (of one calendar)."""
        (row,) = await self.fetch(FEED, kind, resource)
        return row

    async def notifications(self, **switches: Any) -> Json:
        """Set the faults of notices, and return what there is to know of them."""
        if switches:
            await self.google.control("PUT", "notifications", switches)
        return dict(await self.google.control("GET", "notifications"))

    async def forge(self, **notice: Any) -> int:
        """Send one notice at once; return the status it was answered with."""
        notice.setdefault("address", f"{self.origin}/webhooks/google/calendar")
        return int((await self.google.control("POST", "notifications", notice))["status"])

    async def happens(self, event: Json, *, person: str = ALICE, **how: Any) -> Json:
        """Let a person put an event into their calendar in Google."""
        body = {"event": event, **how}
        return dict(await self.google.control("POST", f"people/{person}/events", body))

    async def make(self, *, status: int = 201, **event: Any) -> Json:
        """Let the CRM make an event; return the answer."""
        body = {"title": "Demo", "time": span(3), **event}
        headers = {"Idempotency-Key": uuid4().hex}
        answer = await self.call("POST", "/v1/calendar/events", body, headers=headers)
        assert answer.status == status, answer
        return dict(answer.body)

    async def change(self, event_id: str, *, status: int = 200, **changes: Any) -> Json:
        """Let the CRM change an event; return the answer."""
        answer = await self.call("PATCH", f"/v1/calendar/events/{event_id}", changes)
        assert answer.status == status, answer
        return dict(answer.body)

    async def appoint(self, *, status: int = 200, **changes: Any) -> Json:
        """Let the CRM keep an appointment; return the answer."""
        body = appointment(**changes)
        path = f"/v1/calendar/appointments/{body['appointment_id']}"
        answer = await self.call("PUT", path, body, token=service_caller_token())
        assert answer.status == status, answer
        return dict(answer.body)

    async def crm_says(self, what: str, **data: Any) -> None:
        """Let the CRM publish an event of an appointment: scheduled, changed or cancelled."""
        kind = crm.APPOINTMENTS_BY_TYPE[f"crm.appointment.{what}.v1"]
        envelope = crm.appointment_envelope(kind(**data), tenant_id="acme", time=soon())
        url = self.settings.amqp_url.get_secret_value()
        await messaging.send(url, envelope.to_json(), key=envelope.type)

    async def disconnect(self, connection_id: str, query: str = "") -> None:
        """End a connection, and wait until that was heard of."""
        answer = await self.auth.call("DELETE", f"/v1/connections/{connection_id}{query}")
        assert answer.status == 200, answer

        async def is_over() -> bool:
            rows = await self.fetch(
                "SELECT state FROM connections WHERE connection_id = $1", UUID(connection_id)
            )
            return [row["state"] for row in rows] == ["disconnected"]

        await eventually(is_over)

    async def edit(self, event: str, action: str, *, person: str = ALICE, **how: Any) -> Json:
        """Let a person do something to an event in Google."""
        body = {"event": event, "action": action, **how}
        return dict(await self.google.control("POST", f"people/{person}/event-edits", body))

    async def at_google(self, person: str = ALICE, calendar: str = "primary") -> list[Json]:
        """Return the events of somebody's calendar at Google, deleted ones among them."""
        path = f"people/{person}/events?calendar={calendar}"
        return list((await self.google.control("GET", path))["events"])

    async def one_at_google(self, event_id: str, person: str = ALICE) -> Json:
        """Return one event of somebody's primary calendar at Google."""
        (found,) = [one for one in await self.at_google(person) if one["id"] == event_id]
        return found

    async def invitations(self) -> list[Json]:
        """Return the mails that Google has sent about events."""
        return list((await self.google.control("GET", "invitations"))["invitations"])

    async def listed(self, query: str = "", *, token: str | None = None) -> list[Json]:
        """Return a page of events."""
        return list((await self.get(f"/v1/calendar/events{query}", token=token))["items"])

    def events(self, kind: str = "calendar.") -> list[Envelope]:
        """Return the published events whose type begins so, in the order they came, each once.

        A relay that is stopped before the broker's answer publishes the same event again: consumers
        know it by its id.
        """
        return list({one.id: one for one in super().events(kind)}.values())

    def told_of(self, google_id: str) -> list[str]:
        """Return the short names of the events on one event of Google's."""
        return [
            one.type.split(".")[2]
            for one in self.events("calendar.event.")
            if one.data["google_event_id"] == google_id
        ]

    async def told(self, google_id: str, *types: str) -> None:
        """Wait until exactly these events came out of an event of Google's."""
        await eventually(
            lambda: self.told_of(google_id) == list(types),
            what=f"{types} of {google_id}",
        )

    @asynccontextmanager
    async def serving(self, *, roles: frozenset[str] = ALL_ROLES) -> AsyncIterator["Stand"]:
        """Run the calendar service until the block ends."""
        async with self.running(roles=roles):
            yield self


@asynccontextmanager
async def standing(
    *, calendar_url: str, auth_url: str, amqp_url: str, google: Emulated, **overrides: Any
) -> AsyncIterator[Stand]:
    """Yield everything but the calendar service itself: see `Stand.serving`."""
    auth_roles = overrides.pop("auth_roles", frozenset({"web", "relay"}))
    auth_settings = auth_stand.settings_for(
        auth_url, google.origin, amqp_url=amqp_url, worker_interval=0.2
    )
    overrides.setdefault("auth_url", f"http://127.0.0.1:{auth_settings.port}")
    settings = settings_for(calendar_url, amqp_url, google.origin, **overrides)
    await google.add_person(ALICE, name="Alice")
    async with AsyncExitStack() as stack:
        published = await stack.enter_async_context(messaging.listening(amqp_url))
        auth = await stack.enter_async_context(auth_stand.running(auth_settings, roles=auth_roles))
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=TIMEOUT))
        yield Stand(settings, google, auth, session, published)
