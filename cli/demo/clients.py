"""The contacts' part of the story: a client goes out, and both sides change them."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from cli.demo.crm import Crm
from cli.demo.errors import StoryError
from cli.demo.google import Person
from cli.demo.letters import PERSON_NAME
from cli.demo.view import View

STEP_TIMEOUT_S = 30.0
POLL_S = 0.2
POLICY = "the newest"
NAME, PHONE = "Bia Ramos", "(11) 98765-4321"
TITLE, LATER = "Buyer", "Head of purchasing"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Clients:
    """Plays it with those who take part."""

    crm: Crm
    person: Person
    view: View
    connection_id: str

    async def play(self) -> None:
        """Play every step.

        Raises:
            StoryError: a step was not seen within STEP_TIMEOUT_S seconds.
        """
        await self._until("her contacts were not read", self._is_read)
        await self._confirm()
        client = await self._make()
        await self._merge(client)
        await self._collide(client)
        await self.view.drain()

    async def _confirm(self) -> None:
        self.view.step(f"{PERSON_NAME}'s contacts are read; what would be written is counted first")
        counted = await self.crm.try_contacts(self.connection_id)
        if counted["state"] != "done":
            raise StoryError(f"what would be written is not counted: {counted['state']}")
        await self.crm.confirm_contacts(self.connection_id)
        self.view.done("nothing is written before somebody says yes, which she does")

    async def _make(self) -> Json:
        """Let the CRM make a client; return the contact, which is at Google then."""
        given, _, family = NAME.partition(" ")
        self.view.step(f"the CRM makes a client: {NAME}")
        client = await self.crm.make_client(
            {
                "given_name": given,
                "family_name": family,
                "emails": [{"address": f"bia.ramos@{self.person.email}.example", "type": "work"}],
                "organization": "Padaria Central",
            }
        )
        found = await self._until("the client is not in Google Contacts", self._hers)
        self.view.done(f"she is in Google Contacts: {_name(found)}, {_job(found).get('name')}")
        return client

    async def _merge(self, client: Json) -> None:
        """Let both sides change another field each."""
        there = await self._hers()
        self.view.step(f"{PERSON_NAME} adds a number in Google, the CRM sets what {NAME} is there")
        await self.person.edit_contact(
            there["resourceName"], {"phoneNumbers": [{"value": PHONE, "type": "mobile"}]}
        )
        await self.crm.change_client(client["id"], {"title": TITLE})
        await self._settled(
            client,
            "the two changes did not come together",
            lambda shown, kept: (
                _phones(shown) == [one["number"] for one in kept["phones"]] == [PHONE]
                and _job(shown).get("title") == kept["title"] == TITLE
            ),
        )
        self.view.done(f"both sides have both: {PHONE}, and {TITLE!r}")

    async def _collide(self, client: Json) -> None:
        """Let both sides change the same field, the CRM later."""
        there = await self._hers()
        self.view.step(f"both change what {NAME} is there, the CRM last; {POLICY} change stays")
        job = {**_job(there), "title": "Baker"}
        await self.person.edit_contact(there["resourceName"], {"organizations": [_plain(job)]})
        await asyncio.sleep(POLL_S)
        await self.crm.change_client(client["id"], {"title": LATER})
        await self._settled(
            client,
            "the newest change did not stay",
            lambda shown, kept: _job(shown).get("title") == kept["title"] == LATER,
        )
        mine = [one for one in await self.person.contacts() if _name(one) == NAME]
        if len(mine) != 1:
            raise StoryError(f"she is {len(mine)} times in Google Contacts")
        self.view.done(f"both sides have {LATER!r}, and {NAME} is there once")

    async def _settled(
        self, client: Json, otherwise: str, is_so: Callable[[Json, Json], bool]
    ) -> None:
        """Let the address book be brought into step until both sides are as they should be."""

        async def both() -> bool:
            await self.crm.sync_contacts(self.connection_id)
            return is_so(await self._hers(), await self.crm.client(client["id"]))

        await self._until(otherwise, both)

    async def _is_read(self) -> bool:
        return await self.crm.has_read_contacts(self.connection_id)

    async def _hers(self) -> Json:
        """Return the client as Google has her; nothing while it does not."""
        found = [one for one in await self.person.contacts() if _name(one) == NAME]
        return found[0] if found else {}

    async def _until(self, otherwise: str, seen: Callable[[], Awaitable[Any]]) -> Any:
        deadline = time.monotonic() + STEP_TIMEOUT_S
        while time.monotonic() < deadline:
            if found := await seen():
                return found
            await asyncio.sleep(POLL_S)
        raise StoryError(f"{otherwise} within {STEP_TIMEOUT_S:.0f} s")


def _name(shown: Json) -> str:
    return next((str(one.get("displayName", "")) for one in shown.get("names", [])), "")


def _job(shown: Json) -> Json:
    return dict(next(iter(shown.get("organizations", [])), {}))


def _phones(shown: Json) -> list[str]:
    return [one["value"] for one in shown.get("phoneNumbers", [])]


def _plain(item: Json) -> Json:
    return {name: value for name, value in item.items() if name in ("name", "title")}
