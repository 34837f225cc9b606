"""One transaction's changes to contacts: kept, told of and queued for Google, all at its end.

Whoever changes contacts — a page of an address book, a call, an event of the CRM, a person who
settles a conflict — does it through a turn. What has to be written into which address book follows
from how contacts and people stand at the end, not from who changed them: a change that came from
one address book goes out to the others, and to that one only what it does not have.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common import outbox
from libs.common.db import Connection as Conn
from libs.common.directory import store as directory
from libs.common.events.base import Origin
from libs.common.ids import new_id
from services.contacts.domain.card import Card
from services.contacts.domain.contact import Contact, NewContact
from services.contacts.domain.flat import changed_fields, filled_fields
from services.contacts.domain.person import Known, Link
from services.contacts.store import contacts as store
from services.contacts.store import people, tenant_defaults
from services.contacts.store.groups import groups_of_contacts
from services.contacts.sync.changing.conflict_facts import end_conflicts_of
from services.contacts.sync.changing.facts import contact_event
from services.contacts.sync.outward.group_pushes import queue_group_pushes
from services.contacts.sync.outward.pushes import queue_pushes


class Turn:
    """Changes to a tenant's contacts within one transaction; `begin` makes it, `end` ends it.

    Rows that are read through it are as it will leave them.
    """

    def __init__(self, conn: Conn, tenant_id: str, *, now: datetime) -> None:
        """For `begin` only."""
        self.conn = conn
        self.tenant_id = tenant_id
        self.now = now
        self._contacts: dict[UUID, Contact] = {}
        self._before: dict[UUID, Contact | None] = {}
        self._origins: dict[UUID, Origin] = {}
        self._people: dict[tuple[UUID, str], Known] = {}
        self._silent: set[UUID] = set()
        self._touched: set[UUID] = set()
        self._groups: set[UUID] = set()
        self._linked: set[UUID] = set()
        self._back: set[UUID] = set()
        self._at_end: list[Callable[[], Awaitable[None]]] = []

    @classmethod
    async def begin(cls, conn: Conn, tenant_id: str, *, now: datetime) -> "Turn":
        """Return a turn in the caller's transaction, which has locked no row yet.

        Turns of a tenant come one after the other: two that match the same person would make two
        contacts of them.
        """
        await directory.lock_exclusive(conn, tenant_id)
        return cls(conn, tenant_id, now=now)

    async def find(self, ids: Iterable[UUID]) -> dict[UUID, Contact]:
        """Return these contacts as they are in this turn, deleted ones too."""
        wanted = list(dict.fromkeys(ids))
        missing = [one for one in wanted if one not in self._contacts]
        if missing:
            found = await store.find_contacts(self.conn, self.tenant_id, missing)
            self._contacts |= found
        return {one: self._contacts[one] for one in wanted if one in self._contacts}

    async def find_by_keys(self, *cards: Card) -> list[Contact]:
        """Return the contacts that share an address or a number with any of these cards."""
        emails = {key for one in cards for key in one.email_keys}
        phones = {key for one in cards for key in one.phone_keys}
        stored = await store.find_by_keys(
            self.conn, self.tenant_id, emails=sorted(emails), phones=sorted(phones)
        )
        found = await self.find([one.id for one in stored])
        found |= self._contacts
        return [
            one
            for _, one in sorted(found.items())
            if one.is_live
            and (emails & set(one.card.email_keys) or phones & set(one.card.phone_keys))
        ]

    def create(self, new: NewContact, *, origin: Origin, at: datetime | None = None) -> Contact:
        """Return a contact that is new.

        Args:
            new: what it begins with.
            origin: why it is there.
            at: when what it says was written; None: now.
        """
        contact = Contact(
            tenant_id=self.tenant_id,
            id=new_id(),
            owner_user_id=new.owner_user_id,
            entity_id=new.entity_id,
            card=new.card,
            changed=dict.fromkeys(filled_fields(new.card), at or self.now),
            crm_version=new.crm_version,
            created_at=self.now,
            updated_at=self.now,
        )
        return self._becomes(None, contact, origin)

    def change(
        self,
        contact: Contact,
        card: Card,
        *,
        origin: Origin,
        ours: bool,
        at: datetime | None = None,
        **more: Any,
    ) -> Contact:
        """Return a contact with another card; the same one if nothing is another.

        Args:
            contact: as `find` returned it.
            card: all that is known of it from now on.
            origin: of the change.
            ours: the CRM's side changed it, now.
            at: when Google's side changed it; None: what it changed keeps its times.
            more: other attributes that change: `owner_user_id`, `entity_id`, `crm_version`.
        """
        fields = changed_fields(contact.card, card)
        changed = dict(contact.changed)
        changed_at = self.now if ours else at
        if changed_at is not None:
            changed |= dict.fromkeys(fields, changed_at)
        after = replace(contact, card=card, changed=changed, **more)
        if after == contact:
            return contact
        if replace(after, crm_version=contact.crm_version) == contact:
            self._silent.add(after.id)  # the same content under another number of the CRM's
            self._contacts[after.id] = after
            return after
        if not contact.is_live:
            self._back.add(contact.id)
        after = replace(after, version=contact.version + 1, updated_at=self.now, deleted_at=None)
        return self._becomes(contact, after, origin)

    def delete(
        self, contact: Contact, *, origin: Origin, crm_version: int | None = None
    ) -> Contact:
        """Return a contact that is there no more; of its card nothing stays."""
        if not contact.is_live:
            return contact
        after = replace(
            contact,
            version=contact.version + 1,
            crm_version=crm_version or contact.crm_version,
            card=Card(),
            changed={},
            updated_at=self.now,
            deleted_at=self.now,
        )
        return self._becomes(contact, after, origin)

    def merge(self, contact: Contact, into: Contact, card: Card, *, origin: Origin) -> Contact:
        """Let a contact be a part of another, which has `card` then; return that one.

        The caller moves people, memberships and nicknames.
        """
        gone = self.delete(contact, origin=origin)
        self._becomes(contact, replace(gone, merged_into=into.id), origin)
        return self.change(into, card, origin=origin, ours=False)

    def keep_person(self, known: Known) -> None:
        """Keep what an address book has of a person, and look whether it is as it should be."""
        self._people[known.connection_id, known.resource] = known
        if known.contact_id is not None:
            self._touched.add(known.contact_id)

    def touch(self, contact_id: UUID) -> None:
        """Look at the end whether address books have this contact as they should."""
        self._touched.add(contact_id)

    def linked(self, contact_id: UUID) -> None:
        """Look at the end whether whom a contact has become in an address book has its labels."""
        self._linked.add(contact_id)

    def touch_group(self, group_id: UUID) -> None:
        """Look at the end whether address books have this group as they should."""
        self._groups.add(group_id)

    def at_end(self, step: Callable[[], Awaitable[None]]) -> None:
        """Do something more at the end: after contacts were told of, before writes are queued."""
        self._at_end.append(step)

    async def end(self) -> None:
        """Keep, tell and queue; after this the turn is over.

        Signals are raised here, the last rows but those of feeds that this transaction locks.
        """
        told = [
            (before, replace(self._contacts[one], sequence=self._contacts[one].sequence + 1))
            for one, before in sorted(self._before.items(), key=lambda pair: pair[0].int)
        ]
        self._contacts |= {after.id: after for _, after in told}
        kept = [self._contacts[one] for one in {**self._before, **dict.fromkeys(self._silent)}]
        await store.put_contacts(self.conn, self.tenant_id, kept)
        gone = [one.id for one in kept if not one.is_live]
        await store.forget_belongings(self.conn, self.tenant_id, gone)
        await end_conflicts_of(self.conn, self.tenant_id, gone, now=self.now)
        await self._agree_anew()
        known = list(self._people.values())
        await people.put_people(self.conn, self.tenant_id, known, now=self.now)
        await self._tell(told)
        for step in self._at_end:
            await step()
        touched = await self.find(self._touched | set(self._before))
        await queue_pushes(self.conn, self.tenant_id, list(touched.values()), now=self.now)
        if self._linked:
            linked = await groups_of_contacts(self.conn, self.tenant_id, sorted(self._linked))
            self._groups.update(*linked.values())
        await queue_group_pushes(self.conn, self.tenant_id, self._groups, now=self.now)

    async def _agree_anew(self) -> None:
        """Agree on nothing with the people whom contacts that are there again still are.

        They stayed at Google as the person's own: what the contact does not say is no change.
        """
        if not self._back:
            return
        linked = await people.list_of_contacts(self.conn, self.tenant_id, list(self._back))
        for one in (known for some in linked.values() for known in some if known.is_live):
            if (one.connection_id, one.resource) not in self._people:
                self.keep_person(replace(one, base=Card()))

    async def _tell(self, told: Sequence[tuple[Contact | None, Contact]]) -> None:
        """Append the events of contacts: as they were, None for new ones, and as they are."""
        if not told:
            return
        links = await self._links(told)
        defaults = await tenant_defaults.find_defaults(self.conn, self.tenant_id)
        envelopes = [
            envelope
            for before, after in told
            if (
                envelope := contact_event(
                    before,
                    after,
                    links=links[after.id],
                    defaults=defaults,
                    origin=self._origins[after.id],
                )
            )
        ]
        await outbox.append(self.conn, *envelopes)

    async def _links(
        self, told: Sequence[tuple[Contact | None, Contact]]
    ) -> dict[UUID, list[Link]]:
        """Return where contacts are at Google; of one that is new that is known without asking."""
        found: dict[UUID, list[Link]] = {after.id: [] for _, after in told}
        for one in self._people.values():
            if one.is_live and one.contact_id in found:
                found[one.contact_id].append(Link(one.connection_id, one.resource))
        ids = [after.id for before, after in told if before is not None]
        return found | await people.list_links(self.conn, self.tenant_id, ids)

    def _becomes(self, before: Contact | None, after: Contact, origin: Origin) -> Contact:
        self._before.setdefault(after.id, before)
        self._origins.setdefault(after.id, origin)
        self._contacts[after.id] = after
        return after
