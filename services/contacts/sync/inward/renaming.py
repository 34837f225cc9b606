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
from services.contacts.sync.changing.turn import Turn
from services.contacts.sync.changing.uniting import unite
from services.contacts.sync.inward.parting import let_go


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
        others = await self._read_otherwise(one for one in found if one.resource not in known)
        known |= await store.find_people(*self._where, sorted({*others.values()} - known.keys()))
        for one in found:
            for former in one.former:
                if former in known and former != one.resource:
                    await self._follow(known, former, one.resource)
            if one.resource in others and one.resource not in known:
                await self._recognize(known, others[one.resource], one)
        return known

    async def _recognize(self, known: dict[str, Known], other: str, person: Person) -> None:
        """Let a person be who is known under another name, which may be the newer of the two."""
        there = known.get(other)
        if there is None:
            return
        if person.updated_at and there.google_updated and person.updated_at < there.google_updated:
            known[person.resource] = there
        else:
            await self._follow(known, other, person.resource)

    async def _read_otherwise(self, unknown: Iterable[Person]) -> dict[str, str]:
        """Return under which names people are known of whose names nothing is.

        Lists of all do not say what somebody was called before.
        """
        sources = {one.source_id: one.resource for one in unknown if one.source_id}
        found = await store.find_by_sources(*self._where, sorted(sources)) if sources else {}
        return {sources[source]: name for source, name in found.items()}

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
