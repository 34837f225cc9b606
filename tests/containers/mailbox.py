"""Somebody whose mailbox is connected, and of whose mail nothing may be lost or told twice."""

import asyncio
import time
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass, field

import aiohttp

from cli.demo.browser import consent
from cli.demo.crm import Crm
from cli.demo.errors import StoryError
from cli.demo.stage import Stage
from libs.common import bus

RETURN_URL = "http://localhost:3000/crm/"
WATCHED_S = 60
TIMEOUT = aiohttp.ClientTimeout(total=30)
RECEIVED = "mail.message.received.v1"


@dataclass
class Mailbox:
    """A person at the emulator and what came of the person's mail."""

    session: aiohttp.ClientSession
    stage: Stage
    crm: Crm
    email: str
    connection_id: str = ""
    sent: list[str] = field(default_factory=list)

    async def connect(self) -> None:
        """Let the person consent, and wait until the mailbox is watched."""
        await self._control("people", {"email": self.email})
        url = await self.crm.start_connection(return_url=RETURN_URL, login_hint=self.email)
        told = await consent(url, return_url=RETURN_URL, person=self.email)
        connection = await self.crm.confirm(told["connection_id"], told.get("confirmation"))
        self.connection_id = str(connection["id"])
        assert await self.crm.await_watch(self.connection_id, timeout_s=WATCHED_S)

    async def receive(self) -> None:
        """Let one message arrive at Google."""
        letter = {"from": "bob@example.org", "subject": f"No. {len(self.sent)}", "text": "Hello"}
        answer = await self._control(f"people/{self.email}/messages", letter)
        self.sent.append(str(answer["id"]))

    async def receive_every(self, seconds: float) -> None:
        """Let mail arrive again and again, until cancelled."""
        while True:
            await self.receive()
            await asyncio.sleep(seconds)

    async def settled(self, timeout_s: float) -> float:
        """Return the seconds until every message that was sent so far is in the CRM.

        Raises:
            AssertionError: some are not, after `timeout_s` seconds.
        """
        wanted, began = set(self.sent), time.monotonic()
        missing = len(wanted)
        while time.monotonic() - began < timeout_s:
            try:
                missing = len(wanted - await self.crm.stored(self.connection_id))
            except (aiohttp.ClientError, TimeoutError, StoryError):
                missing = len(wanted)  # the proxy or a service is away: that is what is tried
            if not missing:
                return time.monotonic() - began
            await asyncio.sleep(0.25)
        raise AssertionError(f"{missing} of {len(wanted)} messages are not there")

    async def told(self, timeout_s: float) -> None:
        """See in the log of events that each message was told of once.

        Raises:
            AssertionError: one was not, or more often.
        """
        seen: dict[str, str] = {}
        async with asyncio.timeout(timeout_s):
            log = bus.tail(self.stage.amqp_url, (RECEIVED,), from_start=True)
            async with aclosing(log) as events:
                async for event in events:
                    if event.data.get("connection_id") == self.connection_id:
                        seen[str(event.id)] = event.data["google_message_id"]
                    if set(seen.values()) >= set(self.sent):
                        break
        twice = {key: count for key, count in Counter(seen.values()).items() if count > 1}
        assert not twice, f"told more than once: {twice}"

    async def _control(self, path: str, body: dict[str, str]) -> dict[str, object]:
        url = f"{self.stage.google_origin}/_emulator/{path}"
        async with self.session.post(url, json=body) as answer:
            assert answer.ok, f"{path}: {answer.status}"
            found: dict[str, object] = await answer.json()
            return found
