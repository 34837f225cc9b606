"""The whole product, a process for each role, with Google's emulator or a stub around it."""

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from bench.house.product import (
    CALLER_AUDIENCE,
    CALLER_ISSUER,
    HOST,
    PUSHER,
    TOPIC,
    House,
    answers,
)
from cli.local.programs import Emulator, Program, Push
from libs.common.db import Pool, open_pool
from services.auth.app import migrations as auth_migrations
from services.mail.app import migrations as mail_migrations
from tests.integration.auth.stand import RETURN_URL, browser
from tests.support import bearer, caller_token

ROLES = (
    ("auth", "web"),
    ("auth", "worker"),
    ("auth", "relay"),
    ("mail", "web"),
    ("mail", "worker"),
    ("mail", "relay"),
    ("mail", "consumer"),
)
CLIENT_ID = "bench.apps.googleusercontent.com"
TENANT = "acme"
AT_ONCE = 12
TIMEOUT = aiohttp.ClientTimeout(total=120)


class Stack:
    """Processes of both services on databases of their own; started and stopped together.

    Args:
        house: where they live.
        google: where Google is; None: an emulator is started, which pushes to mail.
        auth: where mail asks auth; None: the real one.
        settings: of mail, beside the usual ones.
    """

    def __init__(
        self,
        house: House,
        *,
        google: str | None = None,
        auth: str | None = None,
        **settings: str,
    ) -> None:
        self._house = house
        self._ports = {role: house.port() for role in ROLES}
        self._secret = secrets.token_urlsafe(16)
        self.google = google or f"http://{HOST}:{self._emulate()}"
        self.auth = f"http://{HOST}:{self._ports['auth', 'web']}"
        self.databases = {
            "auth": house.database(*auth_migrations()),
            "mail": house.database(*mail_migrations()),
        }
        self._mail = settings
        self._auth_for_mail = auth or self.auth
        self.programs: dict[tuple[str, str], Program] = {}

    def _emulate(self) -> int:
        port = self._house.port()
        origin = f"http://{HOST}:{port}"
        push = Push(
            topic=TOPIC,
            endpoint=f"http://{HOST}:{self._ports['mail', 'web']}/webhooks/google/gmail",
            audience="https://causeway.bench/push",
            service_account=PUSHER,
        )
        arguments = ["emulator", "--host", HOST, "--port", str(port)]
        client = {"GOOGLE_CLIENT_ID": CLIENT_ID, "GOOGLE_CLIENT_SECRET": self._secret}
        log = self._house.directory / "emulator.log"
        environment = self._house.inherited() | client
        self._house.add(Emulator(arguments, environment, log, origin=origin, push=push))
        return port

    def start(self) -> None:
        """Start every process; return when all are ready."""
        for role, port in self._ports.items():
            service, name = role
            environment = self._environment(service, port)
            arguments = (f"services.{service}", "--roles", name)
            self.programs[role] = self._house.start(*arguments, **environment)
        for port in self._ports.values():
            answers(f"http://{HOST}:{port}/readyz")

    def stop(self) -> None:
        """End every process of the product; Google goes on."""
        for program in self.programs.values():
            program.ask_to_stop()
        for program in self.programs.values():
            program.stop()

    def _environment(self, service: str, port: int) -> dict[str, str]:
        house = self._house
        if service == "mail":
            where = {"google": self.google, "auth": self._auth_for_mail}
            return house.mail(self.databases["mail"], **where, port=port) | self._mail
        return {
            **house.environment(google=self.google, auth=self.auth, port=port),
            "CAUSEWAY_AUTH_DATABASE_URL": self.databases["auth"],
            "CAUSEWAY_AUTH_PORT": str(port),
            "CAUSEWAY_SEALING_KEYS": f"one:{base64.b64encode(b'bench sealing'.ljust(32)).decode()}",
            "CAUSEWAY_RETURN_URLS": RETURN_URL,
            "GOOGLE_CLIENT_ID": CLIENT_ID,
            "GOOGLE_CLIENT_SECRET": self._secret,
        }

    @asynccontextmanager
    async def pool(self) -> AsyncIterator[Pool]:
        """Yield a pool of connections to mail's database."""
        pool = await open_pool(self.databases["mail"])
        try:
            yield pool
        finally:
            await pool.close()

    def _headers(self, user: str) -> dict[str, str]:
        token = caller_token(
            user=user,
            tenant=TENANT,
            issuer=CALLER_ISSUER,
            audience=CALLER_AUDIENCE,
            key=self._house.environment(google="", auth="", port=0)["CAUSEWAY_CALLER_KEY"],
        )
        return bearer(token)

    async def connect(self, people: list[str], *, access: str = "read") -> None:
        """Connect the people's mailboxes as people do: through auth's API and Google's consent."""
        waiting = iter(people)
        async with aiohttp.ClientSession(timeout=TIMEOUT) as session:

            async def some() -> None:
                for email in waiting:
                    await self.control(session, "POST", "people", {"email": email})
                    await self._connect_one(session, email, access)

            await asyncio.gather(*(some() for _ in range(AT_ONCE)))

    async def _connect_one(self, session: aiohttp.ClientSession, email: str, access: str) -> None:
        wish = {"products": [{"name": "mail", "access": access}], "return_url": RETURN_URL}
        headers = self._headers(email)
        url = f"{self.auth}/v1/connections"
        async with session.post(url, json=wish, headers=headers) as answer:
            answer.raise_for_status()
            created = await answer.json()
        async with browser() as anyone:
            await anyone.consent(created["connect_url"], person=email)
        async with session.post(f"{url}/{created['id']}/confirm", headers=headers) as answer:
            answer.raise_for_status()

    async def send(
        self, session: aiohttp.ClientSession, user: str, connection_id: str, *, key: str
    ) -> None:
        """Send a short message out of the CRM."""
        letter = {
            "connection_id": connection_id,
            "to": [{"address": "bob@customer.example", "name": "Bob"}],
            "subject": "Offer",
            "text": "Hello Bob,\n\nhere is the offer.\n",
        }
        url = f"http://{HOST}:{self._ports['mail', 'web']}/v1/mail/messages"
        headers = {**self._headers(user), "Idempotency-Key": key}
        async with session.post(url, json=letter, headers=headers) as answer:
            answer.raise_for_status()

    async def control(
        self, session: aiohttp.ClientSession, method: str, path: str, body: Any = None
    ) -> Any:
        """Call the emulator's control API."""
        url = f"{self.google}/_emulator/{path}"
        async with session.request(method, url, json=body) as answer:
            answer.raise_for_status()
            return await answer.json() if answer.status != 204 else None  # noqa: PLR2004 - no content

    async def deliver(self, people: list[str], *, count: int = 1) -> None:
        """Let mail arrive in each mailbox."""
        waiting = iter(people)
        mail = {"from": "Bob <bob@customer.example>", "subject": "Hi", "text": "Hello there"}
        async with aiohttp.ClientSession(timeout=TIMEOUT) as session:

            async def some() -> None:
                for email in waiting:
                    await self.control(
                        session, "POST", f"people/{email}/messages", mail | {"count": count}
                    )

            await asyncio.gather(*(some() for _ in range(AT_ONCE)))
