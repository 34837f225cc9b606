"""What happens at Google in the story, by the emulator's control API."""

import base64
import time
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import aiohttp

from cli.demo.errors import StoryError
from cli.demo.letters import Letter
from cli.demo.mailbag import Item

MILLISECONDS = 1000.0


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened to a message at Google, and when (Unix seconds)."""

    google_message_id: str
    at: float


class NotTakenError(Exception):
    """Google does not take a message; says why, without a word of the message."""


class Person:
    """A mailbox owner at the emulator."""

    def __init__(self, session: aiohttp.ClientSession, origin: str, email: str) -> None:
        self.email = email
        self._session = session
        self._people = f"{origin}/_emulator/people"
        self._mine = f"{self._people}/{quote(email)}"

    async def move_in(self, name: str) -> None:
        """Make the person known to Google."""
        await self._post(self._people, {"email": self.email, "name": name})

    async def put(self, item: Item) -> str:
        """Lay a message into the mailbox as if it had been there; return Google's id.

        Raises:
            NotTakenError: the emulator refused this one message.
        """
        body: dict[str, Any] = {
            "raw": base64.urlsafe_b64encode(item.raw).decode(),
            "labels": list(item.labels),
        }
        if item.internal_date_ms is not None:
            body["internal_date_ms"] = item.internal_date_ms
        async with self._session.post(f"{self._mine}/messages", json=body) as answer:
            if answer.ok:
                return str((await answer.json())["id"])
            if answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise NotTakenError(f"refused with {answer.status}")
            raise StoryError(f"the emulator answered {answer.status}")

    async def receive(self, letter: Letter) -> Change:
        """Let a message arrive."""
        return await self._message({"from": letter.other, "to": self.email}, letter)

    async def send(self, letter: Letter) -> Change:
        """Send a message, as the person does in Gmail."""
        return await self._message({"to": letter.other, "sent": True}, letter)

    async def read(self, message: Change) -> Change:
        """Open a message: it is unread no more."""
        return await self._edit(message, "read")

    async def delete(self, message: Change) -> Change:
        """Delete a message for good."""
        return await self._edit(message, "delete")

    async def in_thread(self, thread_id: str) -> list[list[str]]:
        """Return the labels of each message of a thread, oldest first."""
        found = (await self._get(f"{self._mine}/mailbox"))["messages"]
        return [one["labels"] for one in found if one["threadId"] == thread_id]

    async def agenda(self) -> list[dict[str, Any]]:
        """Return the events of the person's calendar."""
        found: list[dict[str, Any]] = (await self._get(f"{self._mine}/events"))["events"]
        return found

    async def drag(self, event_id: str, start: datetime) -> None:
        """Put an event to another time, as one does in Google's calendar."""
        body = {"event": event_id, "action": "drag", "start": {"dateTime": start.isoformat()}}
        await self._post(f"{self._mine}/event-edits", body)

    async def invitations(self, event_id: str) -> list[dict[str, Any]]:
        """Return the mails that Google has sent about an event."""
        url = f"{self._people.removesuffix('/people')}/invitations?event={quote(event_id)}"
        found: list[dict[str, Any]] = (await self._get(url))["invitations"]
        return found

    async def contacts(self) -> list[dict[str, Any]]:
        """Return the people in the person's address book."""
        found: list[dict[str, Any]] = (await self._get(f"{self._mine}/contacts"))["contacts"]
        return found

    async def edit_contact(self, resource: str, changes: dict[str, Any]) -> None:
        """Change somebody, as one does in Google Contacts."""
        body = {"contact": resource, "action": "change", "changes": changes}
        await self._post(f"{self._mine}/contact-edits", body)

    async def _message(self, way: dict[str, Any], letter: Letter) -> Change:
        body = {**way, "subject": letter.subject, "text": letter.text}
        answer = await self._post(f"{self._mine}/messages", body)
        return Change(answer["id"], _moment(answer))

    async def _edit(self, message: Change, action: str) -> Change:
        body = {"message": message.google_message_id, "action": action}
        answer = await self._post(f"{self._mine}/edits", body)
        return Change(message.google_message_id, _moment(answer))

    async def _get(self, url: str) -> Any:
        async with self._session.get(url) as answer:
            if not answer.ok:
                raise StoryError(f"the emulator answered {answer.status}")
            return await answer.json()

    async def _post(self, url: str, body: dict[str, Any]) -> Any:
        async with self._session.post(url, json=body) as answer:
            if not answer.ok:
                raise StoryError(f"the emulator answered {answer.status}")
            return await answer.json()


def _moment(answer: Any) -> float:
    if isinstance(answer, dict) and isinstance(answer.get("changed_at"), int | float):
        return float(answer["changed_at"]) / MILLISECONDS
    return time.time()


async def has_control_api(session: aiohttp.ClientSession, origin: str) -> bool:
    """Tell whether Google is our emulator, whose people we can play."""
    try:
        async with session.get(f"{origin}/_emulator") as answer:
            return answer.ok
    except aiohttp.ClientError:
        return False
