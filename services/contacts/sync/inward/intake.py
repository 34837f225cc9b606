"""Taking people in: what an address book says becomes what contacts are, in the caller's turn."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from libs.common.events.base import Origin
from services.contacts.domain.card import Card
from services.contacts.domain.connection import Connection
from services.contacts.domain.contact import Contact, NewContact
from services.contacts.domain.items import led_card
from services.contacts.domain.merging import MergedCard, merge_cards
from services.contacts.domain.person import Known, Person
from services.contacts.domain.phones import dialled
from services.contacts.domain.preferences import Import
from services.contacts.google.answers import our_ids
from services.contacts.store import tenant_defaults
from services.contacts.sync.changing.turn import Turn
from services.contacts.sync.inward.chunk import Chunk, Found, Taken
from services.contacts.sync.inward.matching import Matcher, Unmatched
from services.contacts.sync.inward.renaming import Renaming


class Clashes(Protocol):
    """Keeps what both sides changed, each to another value, for a person who chooses."""

    async def note(
        self,
        turn: Turn,
        connection: Connection,
        contact: Contact,
        resource: str,
        merged: MergedCard,
        *,
        origin: Origin,
    ) -> None:
        """Keep the conflicts of a merge; without any, what a merge before left may be over."""


class Intake:
    """Decides what becomes of people; turns carry it out."""

    def __init__(self, clashes: Clashes, *, propagation: timedelta) -> None:
        """Keep what has to be chosen in `clashes`; for `propagation` lists may show the past."""
        self._clashes = clashes
        self._propagation = propagation

    async def take(
        self,
        turn: Turn,
        connection: Connection,
        people: Sequence[Person],
        *,
        origin: Origin,
        imports: bool | None = None,
    ) -> Taken:
        """Take in people as Google has them now; what is known already, or older, changes nothing.

        Args:
            turn: as `begin` made it.
            connection: whose address book it is.
            people: some of it; who is deleted there is passed over (see `parting`).
            origin: why it is looked at.
            imports: whether who is nobody's contact becomes one; None: as the connection wants.
        """
        newest = {one.resource: one for one in people if not one.is_deleted}
        known = await Renaming(turn, connection, origin=origin).known(newest.values())
        news = [
            one for name, one in newest.items() if self._is_news(known.get(name), one, turn.now)
        ]
        if not news:
            return Taken()
        defaults = await tenant_defaults.find_defaults(turn.conn, turn.tenant_id)
        found = [
            Found(
                before=known.get(one.resource),
                card=dialled(one.card, defaults.region),
                at=one.updated_at or turn.now,
                known=_now_known(connection, known.get(one.resource), one),
            )
            for one in news
        ]
        return await self._place(turn, connection, found, origin=origin, imports=imports)

    async def relook(
        self,
        turn: Turn,
        connection: Connection,
        people: Sequence[Known],
        *,
        origin: Origin,
        imports: bool | None = None,
    ) -> Taken:
        """Look again at people who are no contact: somebody may be one now, or want them as one."""
        found = [
            Found(before=one, card=one.base, at=one.google_updated or turn.now, known=one)
            for one in people
            if one.is_live and one.contact_id is None
        ]
        return await self._place(turn, connection, found, origin=origin, imports=imports)

    async def link(
        self, turn: Turn, connection: Connection, known: Known, contact: Contact, *, origin: Origin
    ) -> Contact:
        """Return a contact after a person, who is no contact, turned out to be it."""
        found = Found(
            before=known, card=known.base, at=known.google_updated or turn.now, known=known
        )
        chunk = await Chunk.begin(turn, connection, [found], origin=origin)
        after = await self._link(chunk, found, contact)
        await chunk.end()
        return after

    def _is_news(self, known: Known | None, person: Person, now: datetime) -> bool:
        """Say whether a read says something of a person that is not known, and newer.

        Lists lag behind what was written for some minutes: what they show may be the past.
        """
        if known is None:
            return True
        if known.erased_at is not None:
            return False
        if known.gone_at is not None and now - known.gone_at <= self._propagation:
            return _is_newer(person, known) and person.etag != known.etag
        if person.etag and person.etag == known.etag:
            return not known.is_live
        return not (
            known.google_updated and person.updated_at and person.updated_at < known.google_updated
        )

    async def _place(
        self,
        turn: Turn,
        connection: Connection,
        found: Sequence[Found],
        *,
        origin: Origin,
        imports: bool | None,
    ) -> Taken:
        """Merge those who are contacts, match the others, and import who is nobody's."""
        chunk = await Chunk.begin(turn, connection, found, origin=origin)
        unmatched: list[tuple[Found, Unmatched]] = []
        for one in found:
            contact_id = one.known.contact_id
            if contact_id is None:
                ids = our_ids(one.known.items)
                unmatched.append((one, Unmatched(one.card, ids)))
            elif (contact := chunk.contacts.get(contact_id)) is not None and contact.is_live:
                await self._merge(chunk, one, contact)
            elif one.before is not None and not one.before.is_live:
                # It went when the person did, who is back.
                unmatched.append((one, Unmatched(one.card, our_ids(one.known.items))))
            else:  # somebody deleted it on our side: the person stays, and is nobody new
                chunk.keep(one, contact_id)
        matcher = await Matcher.look_up(turn, connection, [one for _, one in unmatched])
        for one, wanted in unmatched:
            candidates = matcher.candidates(wanted)
            gone = None if one.before is not None else matcher.deleted(wanted)
            if gone is not None:
                # We wrote them there, without hearing of it, and deleted them since: they go.
                chunk.keep(one, gone, made_by_us=True)
            elif len(candidates) == 1:
                (contact,) = candidates
                matcher.take(contact.id)
                await self._link(chunk, one, contact)
            elif candidates:
                chunk.keep(one, None)
                await chunk.conflicts.ask(one.known.resource, one.card, candidates, origin=origin)
            else:
                wants = _imports(connection, one.known) if imports is None else imports
                await self._begin(chunk, one, wants=wants)
        return await chunk.end()

    async def _merge(self, chunk: Chunk, one: Found, contact: Contact) -> None:
        """Take in what changed of a person who is a contact."""
        base = one.known.base if one.before is None else one.before.base
        merged = self._merged(chunk, base, contact, one)
        after = chunk.turn.change(
            contact, led_card(merged.card), origin=chunk.origin, ours=False, at=one.at
        )
        chunk.changed(one, contact, after)
        chunk.keep(one, contact.id)
        await self._note(chunk, one, after, merged)

    async def _link(self, chunk: Chunk, one: Found, contact: Contact) -> Contact:
        """Let a person be a contact that is there: what only one side has, both have then."""
        merged = self._merged(chunk, Card(), contact, one)
        after = chunk.turn.change(
            contact, led_card(merged.card), origin=chunk.origin, ours=False, at=one.at
        )
        chunk.linked(one, contact)
        chunk.keep(one, contact.id)
        await chunk.conflicts.settle(one.known.resource, origin=chunk.origin)
        await self._note(chunk, one, after, merged)
        return after

    async def _begin(self, chunk: Chunk, one: Found, *, wants: bool) -> None:
        """Let a person be a contact that is new, if that is wanted."""
        contact_id = None
        if wants:
            new = NewContact(owner_user_id=chunk.connection.user_id, card=one.card)
            contact = chunk.turn.create(new, origin=chunk.origin, at=one.at)
            contact_id = contact.id
            chunk.added(one, contact)
        chunk.keep(one, contact_id)
        await chunk.conflicts.settle(one.known.resource, origin=chunk.origin)

    def _merged(self, chunk: Chunk, base: Card, contact: Contact, one: Found) -> MergedCard:
        return merge_cards(
            base,
            contact.card,
            one.card,
            policy=chunk.connection.preferences.conflict_policy,
            changed=contact.changed,
            theirs_at=one.at,
        )

    async def _note(self, chunk: Chunk, one: Found, contact: Contact, merged: MergedCard) -> None:
        if merged.conflicts:
            await self._clashes.note(
                chunk.turn,
                chunk.connection,
                contact,
                one.known.resource,
                merged,
                origin=chunk.origin,
            )


def _now_known(connection: Connection, before: Known | None, person: Person) -> Known:
    return Known(
        tenant_id=connection.tenant_id,
        connection_id=connection.id,
        resource=person.resource,
        account_id=connection.account_id,
        contact_id=None if before is None else before.contact_id,
        etag=person.etag,
        google_updated=person.updated_at,
        base=Card() if before is None else before.base,
        items=person.items,
        groups=person.groups,
        made_by_us=before is not None and before.made_by_us,
    )


def _is_newer(person: Person, known: Known) -> bool:
    if person.updated_at is None or known.google_updated is None:
        return True
    return person.updated_at > known.google_updated


def _imports(connection: Connection, known: Known) -> bool:
    preferences = connection.preferences
    if preferences.imports is Import.LABELS:
        return bool({*known.groups} & {*preferences.import_labels})
    return preferences.imports is Import.ALL
