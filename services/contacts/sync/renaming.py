"""People who have another resource name than before, by themselves or as a part of another one.

Source: https://developers.google.com/people/api/rest/v1/people#PersonMetadata
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from uuid import UUID

from libs.common.events.base import Origin
from services.contacts.domain.connection import Connection
from services.contacts.domain.person import Known, Person
from services.contacts.store import match_conflicts
from services.contacts.store import people as store
from services.contacts.sync.parting import let_go
from services.contacts.sync.turn import Turn
from services.contacts.sync.uniting import unite


class Renaming:
    """Follows the names of an address book's people within a turn."""

    def __init__(self, turn: Turn, connection: Connection, *, origin: Origin) -> None:
        """Tell of what changes under `origin`."""
        self._turn = turn
        self._connection = connection
        self._origin = origin

    async def known(self, people: Iterable[Person]) -> dict[str, Known]:
        """Return what is known of people, by the names that they have now."""
        found = list(people)
        names = {name for one in found for name in (one.resource, *one.former)}
        known = await store.find_people(*self._where, sorted(names))
        for one in found:
            for former in one.former:
                if former in known and former != one.resource:
                    await self._follow(known, former, one.resource)
        return known

    async def _follow(self, known: dict[str, Known], former: str, now_called: str) -> None:
        """Let a person be known under another name, where there may be somebody already."""
        old, there = known.pop(former), known.get(now_called)
        if there is not None and there.contact_id is not None:
            if old.is_live or old.contact_id is None:
                await self._become_one(old, there)
                known |= await store.find_people(*self._where, [now_called])
            return  # or it was let go already
        await store.forget_people(*self._where, [former])
        await match_conflicts.rename(*self._where, former, to=now_called)
        # Without its etag, so that whatever is read of it is news.
        known[now_called] = replace(
            old,
            resource=now_called,
            etag="",
            contact_id=old.contact_id if await self._stays(old) else None,
            gone_at=None,
        )

    async def _stays(self, old: Known) -> bool:
        """Say whether a person is still the contact they were; not one that went with them."""
        if old.is_live or old.contact_id is None:
            return True
        contact = (await self._turn.find([old.contact_id])).get(old.contact_id)
        return contact is not None and contact.is_live

    async def _become_one(self, old: Known, there: Known) -> None:
        """Unite the contacts of two people whom Google merged.

        Not two of the CRM's own: which of those are one, only the CRM says.
        """
        ids = [one for one in (old.contact_id, there.contact_id) if one is not None]
        contacts = [one for one in (await self._turn.find(ids)).values() if one.is_live]
        if len(contacts) > 1 and all(one.entity_id is not None for one in contacts):
            await let_go(self._turn, self._connection, [old], origin=self._origin, spare=True)
            return
        await store.forget_people(*self._where, [old.resource])
        if len(contacts) > 1:
            gone, stays = contacts if contacts[0].id == old.contact_id else reversed(contacts)
            await unite(self._turn, gone, stays, user_id=None, origin=self._origin)

    @property
    def _where(self) -> tuple[Any, str, UUID]:
        return self._turn.conn, self._turn.tenant_id, self._connection.id
