"""What the CRM does in the story: its calls to the services."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import aiohttp

from cli.demo.errors import StoryError

POLL_S = 0.1
PAGE = 200
SEND_WAIT_S = 15
BACKFILL = "mail.backfill"
EVENTS = "calendar.events"
WATCHED = ("watching", "lapsing")


class Crm:
    """A CRM user's calls, each under that user's token."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        auth_url: str,
        mail_url: str,
        calendar_url: str,
        contacts_url: str | None = None,
        token: str,
    ) -> None:
        self._session = session
        self.connections_url = f"{auth_url}/v1/connections"
        self._mail_url = mail_url
        self._calendar_url = calendar_url
        self.contacts_url = contacts_url
        self._headers = {"Authorization": f"Bearer {token}"}

    async def start_connection(self, *, return_url: str, login_hint: str | None) -> str:
        """Ask for mail, calendars and, if they are served, contacts; return the URL.

        It is for the browser of the person whose they are.
        """
        body = {
            "products": [
                {"name": "mail", "access": "write"},
                {"name": "calendar", "access": "write"},
                *([{"name": "contacts", "access": "write"}] if self.contacts_url else []),
            ],
            "return_url": return_url,
            **({"login_hint": login_hint} if login_hint else {}),
        }
        answer = await self._call("POST", self.connections_url, body)
        url: str = answer["connect_url"]
        return url

    async def confirm(self, connection_id: str, confirmation: str | None) -> dict[str, Any]:
        """Confirm that the person who consented is our user; return the connection.

        `confirmation` is what the browser brought: only who was in that browser has it.
        """
        url = f"{self.connections_url}/{connection_id}/confirm"
        body = None if confirmation is None else {"confirmation": confirmation}
        connection: dict[str, Any] = await self._call("POST", url, body)
        return connection

    async def await_watch(self, connection_id: str, *, timeout_s: float) -> bool:
        """Return whether Gmail was asked to push for the connection within `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            page = await self._call("GET", f"{self._mail_url}/v1/mail/status")
            for mailbox in page["items"]:
                if mailbox["connection_id"] == connection_id and _is_live(mailbox):
                    return True
            await asyncio.sleep(POLL_S)
        return False

    async def backfill(self, connection_id: str) -> dict[str, Any] | None:
        """Return the feed that takes in the mail of before; None before there is one."""
        page = await self._call("GET", f"{self._mail_url}/v1/mail/status")
        for mailbox in page["items"]:
            if mailbox["connection_id"] == connection_id:
                feeds: list[dict[str, Any]] = mailbox["feeds"]
                return next((one for one in feeds if one["kind"] == BACKFILL), None)
        return None

    async def sync(self, connection_id: str, *, days: int) -> str:
        """Ask for the mail of so many days; return the id of the job."""
        body = {"connection_id": connection_id, "days": days}
        answer = await self._call("POST", f"{self._mail_url}/v1/mail/sync", body)
        return str(answer["id"])

    async def job(self, job_id: str) -> dict[str, Any]:
        """Return how far a job is."""
        answer: dict[str, Any] = await self._call("GET", f"{self._mail_url}/v1/mail/jobs/{job_id}")
        return answer

    async def answer(self, message_id: str, text: str) -> dict[str, Any]:
        """Answer a message out of the CRM; return the outgoing message once it has ended."""
        url = f"{self._mail_url}/v1/mail/messages?wait={SEND_WAIT_S}"
        body = {"reply_to_message_id": message_id, "text": text}
        sent: dict[str, Any] = await self._call("POST", url, body, key=secrets.token_hex(8))
        return sent

    async def await_calendar(self, *, timeout_s: float) -> bool:
        """Return whether a primary calendar was read, and is watched, within `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            page = await self._call("GET", f"{self._calendar_url}/v1/calendar/status")
            for one in page["items"]:
                read = [feed for feed in one["feeds"] if feed["kind"] == EVENTS]
                if read and all(feed["last_sync_at"] for feed in read):
                    return True
            await asyncio.sleep(POLL_S)
        return False

    async def appoint(self, appointment: dict[str, Any]) -> dict[str, Any]:
        """Keep an appointment; return where it is mirrored."""
        name = appointment["appointment_id"]
        url = f"{self._calendar_url}/v1/calendar/appointments/{name}"
        kept: dict[str, Any] = await self._call("PUT", url, appointment)
        return kept

    async def plan(self, event: dict[str, Any]) -> dict[str, Any]:
        """Make an event; return it once Google has it."""
        url = f"{self._calendar_url}/v1/calendar/events?wait={SEND_WAIT_S}"
        made: dict[str, Any] = await self._call("POST", url, event, key=secrets.token_hex(8))
        return made

    async def has_read_contacts(self, connection_id: str) -> bool:
        """Say whether an address book was read in full."""
        page = await self._call("GET", f"{self.contacts_url}/v1/contacts/status")
        mine = [one for one in page["items"] if one["connection_id"] == connection_id]
        return any(one["read_at"] is not None for one in mine)

    async def try_contacts(self, connection_id: str) -> dict[str, Any]:
        """Count what would be written into an address book; return the job that did."""
        return await self._sync_contacts(connection_id, "&dry_run=true")

    async def sync_contacts(self, connection_id: str) -> dict[str, Any]:
        """Bring an address book into step; return the job that did."""
        return await self._sync_contacts(connection_id, "")

    async def confirm_contacts(self, connection_id: str) -> None:
        """Say yes to what is written into an address book first."""
        url = f"{self.contacts_url}/v1/contacts/connections/{connection_id}/confirm"
        await self._call("POST", url)

    async def make_client(self, contact: dict[str, Any]) -> dict[str, Any]:
        """Make a contact."""
        url = f"{self.contacts_url}/v1/contacts"
        made: dict[str, Any] = await self._call("POST", url, contact, key=secrets.token_hex(8))
        return made

    async def change_client(self, contact_id: str, changes: dict[str, Any]) -> None:
        """Change some fields of a contact."""
        await self._call("PATCH", f"{self.contacts_url}/v1/contacts/{contact_id}", changes)

    async def client(self, contact_id: str) -> dict[str, Any]:
        """Return a contact."""
        url = f"{self.contacts_url}/v1/contacts/{contact_id}"
        found: dict[str, Any] = await self._call("GET", url)
        return found

    async def _sync_contacts(self, connection_id: str, more: str) -> dict[str, Any]:
        query = f"connection_id={connection_id}&wait={SEND_WAIT_S}{more}"
        url = f"{self.contacts_url}/v1/contacts/sync?{query}"
        job: dict[str, Any] = await self._call("POST", url)
        return job

    async def stored(self, connection_id: str) -> set[str]:
        """Return Google's ids of the mailbox's messages that the CRM can read."""
        url = f"{self._mail_url}/v1/mail/messages"
        return {one["google_message_id"] async for one in self._items(url, connection_id)}

    async def parked(self, connection_id: str) -> dict[str, str]:
        """Return Google's ids of the messages that were put aside, and why each was."""
        url = f"{self._mail_url}/v1/mail/dead-items"
        return {one["item"]: one["cause"] async for one in self._items(url, connection_id)}

    async def _items(self, url: str, connection_id: str) -> AsyncIterator[dict[str, Any]]:
        query = {"connection_id": connection_id, "limit": str(PAGE)}
        while True:
            page = await self._call("GET", f"{url}?{urlencode(query)}")
            for item in page["items"]:
                yield item
            if not (following := page.get("next_cursor")):
                return
            query["cursor"] = following

    async def _call(self, method: str, url: str, body: Any = None, *, key: str = "") -> Any:
        headers = {**self._headers, **({"Idempotency-Key": key} if key else {})}
        async with self._session.request(method, url, json=body, headers=headers) as answer:
            if not answer.ok:
                raise StoryError(f"{method} {answer.url.path} answered {answer.status}")
            return await answer.json()


def _is_live(mailbox: dict[str, Any]) -> bool:
    """Tell whether Gmail pushes and the history is read from a known point."""
    pinned = any(feed["has_cursor"] for feed in mailbox["feeds"])
    return mailbox["watch"]["state"] in WATCHED and pinned
