"""Contacts under test: the whole service on a loopback port, auth, Google and a broker around."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import orjson
from aiohttp import test_utils

from libs.common import clock
from libs.common.db import POOL, transaction
from libs.common.events import crm
from libs.common.events.envelope import Envelope
from libs.common.web import ALL_ROLES
from services.contacts.app import create_app
from services.contacts.consumers import CONTACTS_QUEUE, QUEUE
from services.contacts.domain.preferences import preferences_of
from services.contacts.settings import ContactsSettings
from services.contacts.store import connections
from services.contacts.sync.feeds import groups_address, people_address, wake, work_address
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
)

CONTACTS = [{"name": "contacts", "access": "write"}]
GENEROUS = {
    "contact_critical_reads_per_minute": 100_000,
    "contact_critical_writes_per_minute": 100_000,
    "contact_full_syncs_per_minute": 100_000,
}
"""Polling is much quicker here than Google would like."""
LIVE_FEEDS = ("contacts.people", "contacts.groups")

FEEDS = """
SELECT kind, state, reason, last_sync_at FROM feeds
 WHERE connection_id = $1 AND kind = ANY($2::text[]) AND state <> 'closed'
"""
WAITING = """
SELECT NOT s.running AND s.due_at > $3 AS waits
  FROM signals s JOIN feeds f ON f.tenant_id = s.tenant_id AND f.id = s.feed_id
 WHERE f.connection_id = $1 AND f.kind = ANY($2::text[])
"""
TOLD_AND_READ = """
SELECT event_sequence > 0 AND read_at IS NOT NULL AS told_and_read FROM connections
 WHERE connection_id = $1
"""
SELDOM_S = 60
BUSY = """
SELECT (SELECT count(*) FROM signals WHERE running OR due_at <= $1)
       + (SELECT count(*) FROM outbox) AS busy
"""
PEOPLE = """
SELECT * FROM people WHERE ($1::uuid IS NULL OR connection_id = $1) ORDER BY resource
"""
CONTACTS_SQL = """
SELECT * FROM contacts WHERE tenant_id = $1 AND ($2 OR deleted_at IS NULL) ORDER BY id
"""


def settings_for(
    database_url: str, amqp_url: str, google: str, **overrides: Any
) -> ContactsSettings:
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
        "shortest_poll": 0.2,
        "longest_poll": 0.4,
        "critical_reads_per_minute": 100_000,
        "critical_writes_per_minute": 100_000,
        **overrides,
    }
    return ContactsSettings(**given)


def human(name: str = "Ada Byron", *emails: str, phone: str = "", **more: Any) -> Json:
    """Return a contact as the People API has it; `more` are its other fields."""
    given, _, family = name.partition(" ")
    shown: Json = {}
    if name:
        shown["names"] = [{"givenName": given, "familyName": family}]
    if emails:
        shown["emailAddresses"] = [{"value": one} for one in emails]
    if phone:
        shown["phoneNumbers"] = [{"value": phone}]
    return {**shown, **more}


@dataclass
class Stand(ServiceStand):
    """The running services and those around them."""

    create = staticmethod(create_app)
    queue = QUEUE
    settings: ContactsSettings

    async def connect(
        self,
        *,
        person: str = ALICE,
        preferences: Mapping[str, Any] | None = None,
        confirmed: bool = False,
        **wish: Any,
    ) -> str:
        """Connect somebody's contacts and wait until they are read; return the id.

        Args:
            person: at Google.
            preferences: of the new connection, as a column keeps them, before anything is read.
            confirmed: somebody has said yes to what is written first.
            wish: of the connection, as auth takes it.
        """
        wish.setdefault("products", CONTACTS)
        await self._begin_with(preferences or {})
        await self.hears()
        connection = await self.auth.connect(person=person, **wish)
        found = str(connection["id"])
        await self.read_in_full(found)
        if confirmed:
            await self.confirm(found)
        return found

    async def is_known(self, connection_id: str) -> bool:
        """Say whether the service has heard of a connection."""
        return bool(await self.fetch(TOLD_AND_READ, UUID(connection_id)))

    async def _begin_with(self, preferences: Mapping[str, Any]) -> None:
        """Let new connections have these preferences from the first moment on."""
        wanted = orjson.dumps(preferences_of(preferences).stored()).decode()
        quoted = await self.fetch("SELECT quote_literal($1::text) AS text", wanted)
        sql = "ALTER TABLE connections ALTER COLUMN preferences SET DEFAULT"
        await self.fetch(f"{sql} {quoted[0]['text']}::jsonb")

    async def prefer(self, connection_id: str, **preferences: Any) -> None:
        """Set what is wanted of a connection, as a column keeps it."""
        async with transaction(self.app[POOL]) as conn:
            tenant_id = await self._tenant_of(conn, connection_id)
            current = await connections.find_connection(conn, tenant_id, UUID(connection_id))
            assert current is not None
            wanted = preferences_of({**current.preferences.stored(), **preferences})
            await conn.execute(connections.SET_PREFERENCES, tenant_id, current.id, wanted.stored())
            await wake(conn, work_address(current.id), now=clock.now())

    async def confirm(self, connection_id: str) -> None:
        """Let somebody say yes to what is written first."""
        async with transaction(self.app[POOL]) as conn:
            tenant_id = await self._tenant_of(conn, connection_id)
            await connections.confirm(
                conn, tenant_id, UUID(connection_id), by="ada", now=clock.now()
            )

    async def read_in_full(self, connection_id: str) -> None:
        """Wait until a connection's address book and its labels were read in full."""
        await eventually(lambda: self.in_step(connection_id), what="contacts in step")

    async def in_step(self, connection_id: str) -> bool:
        """Say whether the address book and its labels were read, and are not again at once.

        What auth's list showed first is read once more when auth's event comes.
        """
        given, feeds = UUID(connection_id), list(LIVE_FEEDS)
        rows = await self.fetch(FEEDS, given, feeds)
        known = await self.fetch(TOLD_AND_READ, given)
        polls_seldom = self.settings.shortest_poll >= SELDOM_S
        waiting = await self.fetch(WAITING, given, feeds, clock.now()) if polls_seldom else []
        return (
            len(rows) == len(LIVE_FEEDS)
            and all(row["last_sync_at"] for row in rows)
            and all(row["told_and_read"] for row in known)
            and all(row["waits"] for row in waiting)
        )

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

    async def look(self, connection_id: str) -> None:
        """Let an address book and its labels be read now, and wait until both were."""
        given = UUID(connection_id)
        async with transaction(self.app[POOL]) as conn:
            await wake(conn, groups_address(given), people_address(given), now=clock.now())

        async def both() -> bool:
            # Whatever ran when it was woken is due again at once.
            rows = await self.fetch(WAITING, given, list(LIVE_FEEDS), clock.now())
            return len(rows) == len(LIVE_FEEDS) and all(row["waits"] for row in rows)

        await eventually(both, what="read once more")

    async def feed(self, kind: str = "contacts.people", connection_id: str | None = None) -> Any:
        """Return the one feed of a kind (of one connection)."""
        (row,) = await self.fetch(
            "SELECT * FROM feeds WHERE kind = $1 AND ($2::uuid IS NULL OR connection_id = $2)",
            kind,
            None if connection_id is None else UUID(connection_id),
        )
        return row

    async def kept(self, *, tenant: str = "acme", deleted: bool = False) -> list[Any]:
        """Return the rows of a tenant's contacts, the live ones by default."""
        return await self.fetch(CONTACTS_SQL, tenant, deleted)

    async def named(self, name: str, *, tenant: str = "acme") -> Any:
        """Wait until the tenant has exactly one live contact with that name; return its row."""

        async def one() -> Any:
            found = [row for row in await self.kept(tenant=tenant) if row["name"] == name]
            assert len(found) == 1, [row["name"] for row in await self.kept(tenant=tenant)]
            return found[0]

        return await eventually(one, what=f"contact {name}")

    async def people(self, connection_id: str | None = None) -> list[Any]:
        """Return the rows of people (of one connection)."""
        given = None if connection_id is None else UUID(connection_id)
        return await self.fetch(PEOPLE, given)

    async def add(self, contact: Json, *, person: str = ALICE, **how: Any) -> Json:
        """Let a person add a contact in Google; return it (or the names of several)."""
        body = {"contact": contact, **how}
        return dict(await self.google.control("POST", f"people/{person}/contacts", body))

    async def edit(self, resource: str, action: str, *, person: str = ALICE, **how: Any) -> Json:
        """Let a person do something to a contact in Google: see the emulator's README."""
        body = {"contact": resource, "action": action, **how}
        return dict(await self.google.control("POST", f"people/{person}/contact-edits", body))

    async def at_google(self, person: str = ALICE) -> list[Json]:
        """Return somebody's contacts at Google, as they are."""
        return list((await self.google.control("GET", f"people/{person}/contacts"))["contacts"])

    async def one_at_google(self, resource: str, person: str = ALICE) -> Json:
        """Return one contact at Google."""
        (found,) = [one for one in await self.at_google(person) if one["resourceName"] == resource]
        return found

    async def labels_at_google(self, person: str = ALICE) -> dict[str, list[str]]:
        """Return who has which of a person's own labels at Google, by name."""
        shown = await self.google.control("GET", f"people/{person}/contact-groups")
        return {
            one["name"]: list(one["memberResourceNames"])
            for one in shown["groups"]
            if one["groupType"] == "USER_CONTACT_GROUP"
        }

    async def label(self, name: str, *, person: str = ALICE) -> Json:
        """Let a person make a label in Google."""
        path = f"people/{person}/contact-groups"
        return dict(await self.google.control("POST", path, {"name": name}))

    async def expire_tokens(self, person: str = ALICE) -> None:
        """Let Google forget the sync tokens of somebody's contacts."""
        body = {"action": "expire", "of": "contacts"}
        await self.google.control("POST", f"people/{person}/sync-tokens", body)

    async def google_settings(self, **settings: Any) -> None:
        """Change how this Google behaves: see the emulator's README."""
        await self.google.control("PUT", "settings", settings)

    async def make(self, *, status: int = 201, token: str | None = None, **contact: Any) -> Json:
        """Let the CRM make a contact through the API; return the answer."""
        headers = {"Idempotency-Key": uuid4().hex}
        answer = await self.call("POST", "/v1/contacts", contact, token=token, headers=headers)
        assert answer.status == status, answer
        return dict(answer.body)

    async def change(
        self, contact_id: str, *, status: int = 200, token: str | None = None, **changes: Any
    ) -> Json:
        """Let the CRM change a contact through the API; return the answer."""
        answer = await self.call("PATCH", f"/v1/contacts/{contact_id}", changes, token=token)
        assert answer.status == status, answer
        return dict(answer.body)

    async def crm_says(self, what: str, *, tenant: str = "acme", **data: Any) -> None:
        """Let the CRM publish an event of a contact: upserted or deleted."""
        kind = crm.CONTACTS_BY_TYPE[f"crm.contact.{what}.v1"]
        envelope = crm.contact_envelope(kind(**data), tenant_id=tenant, time=clock.now())
        await self.crm_sends(envelope)

    async def crm_sends(self, *envelopes: Envelope) -> None:
        """Let the CRM publish events of contacts, once somebody listens."""
        await self.hears(CONTACTS_QUEUE)
        url = self.settings.amqp_url.get_secret_value()
        for one in envelopes:
            await messaging.send(url, one.to_json(), key=one.type)

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

    def events(self, kind: str = "contacts.") -> list[Envelope]:
        """Return the published events whose type begins so, in the order they came, each once.

        A relay that is stopped before the broker's answer publishes the same event again: consumers
        know it by its id.
        """
        return list({one.id: one for one in super().events(kind)}.values())

    def told_of(self, contact_id: object) -> list[str]:
        """Return the short names of the events on one contact."""
        return [
            one.type.split(".")[2]
            for one in self.events("contacts.contact.")
            if one.data["contact_id"] == str(contact_id)
        ]

    async def told(self, contact_id: object, *types: str) -> None:
        """Wait until exactly these events came out of a contact."""
        await eventually(
            lambda: self.told_of(contact_id) == list(types),
            what=f"{types} of {contact_id}, not {self.told_of(contact_id)}",
        )

    @asynccontextmanager
    async def serving(self, *, roles: frozenset[str] = ALL_ROLES) -> AsyncIterator["Stand"]:
        """Run the contacts service until the block ends."""
        async with self.running(roles=roles):
            yield self

    @staticmethod
    async def _tenant_of(conn: Any, connection_id: str) -> str:
        sql = "SELECT tenant_id FROM connections WHERE connection_id = $1"
        return str(await conn.fetchval(sql, UUID(connection_id)))


@asynccontextmanager
async def standing(
    *, contacts_url: str, auth_url: str, amqp_url: str, google: Emulated, **overrides: Any
) -> AsyncIterator[Stand]:
    """Yield everything but the contacts service itself: see `Stand.serving`."""
    auth_roles = overrides.pop("auth_roles", frozenset({"web", "relay"}))
    auth_settings = auth_stand.settings_for(
        auth_url, google.origin, amqp_url=amqp_url, worker_interval=0.2
    )
    overrides.setdefault("auth_url", f"http://127.0.0.1:{auth_settings.port}")
    settings = settings_for(contacts_url, amqp_url, google.origin, **overrides)
    await google.add_person(ALICE, name="Alice")
    await google.control("PUT", "settings", GENEROUS)
    async with AsyncExitStack() as stack:
        published = await stack.enter_async_context(messaging.listening(amqp_url))
        auth = await stack.enter_async_context(auth_stand.running(auth_settings, roles=auth_roles))
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=TIMEOUT))
        yield Stand(settings, google, auth, session, published)
