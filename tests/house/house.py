"""The house: what runs in it, and what people do there."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlsplit
from uuid import UUID

import aiohttp
import asyncpg
import orjson
from aio_pika.abc import AbstractIncomingMessage
from aiohttp import web

from libs.common.events.envelope import Envelope
from libs.common.feeds.store import raise_signals
from services.auth.settings import AuthSettings
from services.calendar.consumers import DIRECTORY_QUEUE as CALENDAR_QUEUE
from services.contacts.consumers import CONTACTS_QUEUE
from services.contacts.sync.feeds import groups_address, people_address
from services.mail.consumers import DIRECTORY_QUEUE
from tests import messaging
from tests.emulated import Emulated
from tests.house.points import Watch
from tests.house.programs import Program
from tests.house.wires import Wire
from tests.integration.auth import stand as auth_stand
from tests.support import bearer, caller_token, eventually

Json = dict[str, Any]
LEASES_PASS = """
WITH feed AS (
    UPDATE feeds SET lease_until = lease_until - interval '1 minute'
     WHERE lease_until IS NOT NULL
)
UPDATE signals SET due_at = due_at - interval '1 minute' WHERE running
"""
WATCHES_PASS = """
UPDATE watches SET lease_until = lease_until - interval '1 minute' WHERE isfinite(lease_until)
"""
REFRESHES_PASS = """
UPDATE accounts SET lease_until = lease_until - interval '1 minute' WHERE lease_until IS NOT NULL
"""
BUSY = """
SELECT (SELECT count(*) FROM signals WHERE running OR due_at <= now()) AS feeds,
       (SELECT count(*) FROM outbox) AS outbox
"""
FEEDS = "SELECT kind, state, last_sync_at FROM feeds WHERE connection_id = $1"
BOOKS = "SELECT read_at FROM connections WHERE connection_id = $1"
QUEUES = {
    "consumer": DIRECTORY_QUEUE,
    "calendar-consumer": CALENDAR_QUEUE,
    "contacts-consumer": CONTACTS_QUEUE,
}


@dataclass
class House:
    """Everything that runs, and what came out of it."""

    google: Emulated
    programs: dict[str, Program]
    wires: dict[tuple[str, str], Wire]
    """By process, and `postgres`, `amqp`, `google`, `auth` or `inbound`."""
    watches: dict[str, Watch]
    doors: dict[str, str]
    """Where `auth` and `web` are called: one of those that are alike answers."""
    session: aiohttp.ClientSession
    auth_db: "asyncpg.Pool[asyncpg.Record]"
    mail_db: "asyncpg.Pool[asyncpg.Record]"
    amqp_url: str
    published: list[AbstractIncomingMessage]
    """Whatever left through the broker."""
    calendar_db: "asyncpg.Pool[asyncpg.Record] | None" = None
    """None: there are no calendars in this house."""
    contacts_db: "asyncpg.Pool[asyncpg.Record] | None" = None
    """None: there are no address books in this house."""
    mailboxes: dict[str, str] = field(default_factory=dict)
    """Addresses of those that are connected, by connection id."""
    agendas: dict[str, str] = field(default_factory=dict)
    """Addresses of whose calendars are connected, by connection id."""
    books: dict[str, str] = field(default_factory=dict)
    """Addresses of whose contacts are connected, by connection id."""
    invited: list[str] = field(default_factory=list)
    """Whom somebody wanted to be invited, once for each time."""
    read: list[Envelope] = field(default_factory=list, repr=False)
    """As much of `published` as was looked at: it is asked for again and again."""
    deleted: set[str] = field(default_factory=set)
    """What people deleted for good, by Google's id."""

    async def start(self, *names: str) -> None:
        """Start processes, by default all of them; return when they do what they are for."""
        started = names or tuple(self.programs)
        await asyncio.gather(*(self.programs[name].start() for name in started))
        # What is published before its queue is there is in nobody's.
        for name, queue in QUEUES.items():
            if name in started:
                await eventually(partial(self._is_consuming, queue), timeout_s=60)

    async def _is_consuming(self, queue: str) -> bool:
        return await messaging.listeners(self.amqp_url, queue) > 0

    async def connect(
        self, email: str, *, tenant: str = "acme", user: str = "ada", settled: bool = True
    ) -> str:
        """Connect a mailbox, whose owner is made if need be; return the connection's id."""
        await self.google.add_person(email, name=email.partition("@")[0])
        token = caller_token(tenant=tenant, user=user)
        connection = await self._auth().connect(person=email, token=token)
        self.mailboxes[connection["id"]] = email
        if settled:
            await eventually(lambda: self.in_step(connection["id"]), timeout_s=60)
        return str(connection["id"])

    async def connect_calendar(
        self, email: str, *, tenant: str = "acme", user: str = "ada", settled: bool = True
    ) -> str:
        """Connect somebody's calendars, who is made if need be; return the connection's id."""
        await self.google.add_person(email, name=email.partition("@")[0])
        token = caller_token(tenant=tenant, user=user)
        wish = [{"name": "calendar", "access": "write"}]
        connection = await self._auth().connect(person=email, token=token, products=wish)
        self.agendas[connection["id"]] = email
        if settled:
            await eventually(lambda: self.agenda_in_step(connection["id"]), timeout_s=60)
        return str(connection["id"])

    async def agenda_in_step(self, connection_id: str) -> bool:
        """Say whether somebody's calendars are read, and are well."""
        assert self.calendar_db
        rows = await self.calendar_db.fetch(FEEDS, UUID(connection_id))
        read = [row for row in rows if row["kind"] == "calendar.events"]
        return bool(read) and all(row["last_sync_at"] and row["state"] == "active" for row in read)

    async def connect_contacts(
        self, email: str, *, tenant: str = "acme", user: str = "ada", settled: bool = True
    ) -> str:
        """Connect somebody's contacts, who is made if need be; return the connection's id.

        Once they are read, somebody says yes to what is written first (`settled` only).
        """
        await self.google.add_person(email, name=email.partition("@")[0])
        token = caller_token(tenant=tenant, user=user)
        wish = [{"name": "contacts", "access": "write"}]
        connection = await self._auth().connect(person=email, token=token, products=wish)
        self.books[connection["id"]] = email
        if settled:
            await eventually(lambda: self.book_in_step(connection["id"]), timeout_s=60)
            await self.confirm(connection["id"], tenant=tenant, user=user)
        return str(connection["id"])

    async def book_in_step(self, connection_id: str) -> bool:
        """Say whether somebody's contacts are read, and are well."""
        assert self.contacts_db
        rows = await self.contacts_db.fetch(FEEDS, UUID(connection_id))
        read = [row for row in rows if row["kind"] in ("contacts.people", "contacts.groups")]
        is_read = await self.contacts_db.fetchval(BOOKS, UUID(connection_id))
        return (
            len(read) == 2
            and bool(is_read)
            and all(row["last_sync_at"] and row["state"] == "active" for row in read)
        )

    async def confirm(self, connection_id: str, *, tenant: str = "acme", user: str = "ada") -> None:
        """Let somebody say yes to what is written into an address book first."""
        path = f"/v1/contacts/connections/{connection_id}/confirm"
        status, said = await self.call_contacts("POST", path, tenant=tenant, user=user)
        assert status == 200, said

    async def look(self) -> None:
        """Let every address book, and its labels, be looked at now."""
        assert self.contacts_db
        async with self.contacts_db.acquire() as conn, conn.transaction():
            addresses = [
                address
                for one in self.books
                for address in (groups_address(UUID(one)), people_address(UUID(one)))
            ]
            await raise_signals(conn, addresses, now=datetime.now(UTC), timeout_s=5)

    async def reconnect(
        self, connection_id: str, email: str, *, tenant: str = "acme", user: str = "ada"
    ) -> None:
        """Give access again, as the person does who was asked to."""
        auth, path = self._auth(), f"/v1/connections/{connection_id}/reauthorize"
        answer = await auth.call("POST", path, token=caller_token(tenant=tenant, user=user))
        assert answer.status == 200, answer
        async with auth_stand.browser() as anyone:
            back = await anyone.consent(answer.body["connect_url"], person=email)
        assert back["status"] == "active", back

    async def disconnect(
        self,
        connection_id: str,
        *,
        tenant: str = "acme",
        user: str = "ada",
        purge: bool = False,
    ) -> None:
        """End a connection, as its user does."""
        path = f"/v1/connections/{connection_id}?purge={str(purge).lower()}"
        token = caller_token(tenant=tenant, user=user)
        answer = await self._auth().call("DELETE", path, token=token)
        assert answer.status < 300, answer
        self.mailboxes.pop(connection_id, None)
        self.books.pop(connection_id, None)

    async def call_mail(
        self, method: str, path: str, body: Any = None, *, tenant: str = "acme", user: str = "ada"
    ) -> tuple[int, Any]:
        """Call the mail service's API; return status and JSON."""
        return await self._call(method, f"{self.doors['web']}{path}", body, tenant, user)

    async def call_calendar(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        tenant: str = "acme",
        user: str = "ada",
        key: str = "",
        origin: str = "",
    ) -> tuple[int, Any]:
        """Call the calendar service's API; return status and JSON."""
        url = f"{origin or self.doors['calendar-web']}{path}"
        return await self._call(method, url, body, tenant, user, key=key)

    async def call_contacts(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        tenant: str = "acme",
        user: str = "ada",
        key: str = "",
        origin: str = "",
    ) -> tuple[int, Any]:
        """Call the contacts service's API; return status and JSON."""
        url = f"{origin or self.doors['contacts-web']}{path}"
        return await self._call(method, url, body, tenant, user, key=key)

    async def call_auth(
        self, method: str, path: str, body: Any = None, *, tenant: str = "acme", user: str = "ada"
    ) -> tuple[int, Any]:
        """Call the auth service's API; return status and JSON."""
        return await self._call(method, f"{self.doors['auth']}{path}", body, tenant, user)

    async def _call(
        self, method: str, url: str, body: Any, tenant: str, user: str, *, key: str = ""
    ) -> tuple[int, Any]:
        headers = bearer(caller_token(tenant=tenant, user=user))
        headers |= {"Idempotency-Key": key} if key else {}
        async with self.session.request(method, url, json=body, headers=headers) as answer:
            raw = await answer.read()
            return answer.status, orjson.loads(raw) if raw else None

    async def deliver(self, email: str, **message: Any) -> Json:
        """Let mail arrive at Google."""
        message.setdefault("from", "bob@example.org")
        return dict(await self.google.deliver(email, **message))

    async def edit(self, email: str, message: str, action: str, **more: Any) -> None:
        """Let the person change something in Gmail."""
        body = {"message": message, "action": action, **more}
        await self.google.control("POST", f"people/{email}/edits", body)
        if action == "delete":
            self.deleted.add(message)

    async def in_step(self, connection_id: str) -> bool:
        """Say whether the mailbox is read, is well, and has its past."""
        rows = await self.mail_db.fetch(FEEDS, UUID(connection_id))
        kinds = {row["kind"]: row for row in rows}
        live, past = kinds.get("mail.live"), kinds.get("mail.backfill")
        if live is None or live["last_sync_at"] is None or live["state"] != "active":
            return False
        return past is None or past["state"] == "closed"

    async def has_let_go(self, connection_id: str) -> bool:
        """Say whether a mailbox that was disconnected is read no more."""
        rows = await self.mail_db.fetch(FEEDS, UUID(connection_id))
        return bool(rows) and all(row["state"] == "closed" for row in rows)

    async def busy(self) -> Json:
        """Return what is still to be done: feeds running or due, events not published."""
        auth = await self.auth_db.fetchval("SELECT count(*) FROM outbox")
        busy = {"feeds": 0, "outbox": 0, "auth outbox": auth}
        for pool in self._feeding:
            row = await pool.fetchrow(BUSY)
            assert row
            busy["feeds"] += row["feeds"]
            busy["outbox"] += row["outbox"]
        return busy

    @property
    def _feeding(self) -> "list[asyncpg.Pool[asyncpg.Record]]":
        """The databases that have feeds."""
        all_of_them = (self.mail_db, self.calendar_db, self.contacts_db)
        return [one for one in all_of_them if one is not None]

    async def quiet(self, *, timeout_s: float = 60) -> None:
        """Wait until nothing is to be done."""

        async def is_quiet() -> bool:
            busy = await self.busy()
            assert not any(busy.values()), busy
            return True

        await eventually(is_quiet, timeout_s=timeout_s)

    async def leases_pass(self) -> None:
        """Let the leases that a killed process left run out now, not in half a minute."""
        for pool in self._feeding:
            await pool.execute(LEASES_PASS)
            if pool is not self.contacts_db:  # Google tells nobody of contacts
                await pool.execute(WATCHES_PASS)
        await self.auth_db.execute(REFRESHES_PASS)

    def events(self, kind: str = "") -> list[Envelope]:
        """Return the published events whose type begins so, in the order they came."""
        for message in self.published[len(self.read) :]:
            self.read.append(Envelope.from_json(message.body))
        return [one for one in self.read if one.type.startswith(kind)]

    def forget(self) -> None:
        """Begin anew: no mailboxes, and nothing was told yet."""
        self.mailboxes.clear()
        self.agendas.clear()
        self.books.clear()
        self.published.clear()
        self.read.clear()

    def _auth(self) -> auth_stand.Stand:
        """Return the CRM's view of auth."""
        port = urlsplit(self.doors["auth"]).port
        settings = cast("AuthSettings", SimpleNamespace(port=port))
        return auth_stand.Stand(cast("web.Application", None), settings, self.session)
