"""Erasing a correspondent from contacts, address books and whatever was made of them.

A contact whose addresses are all the person's is the person's, and goes; another one stays without
them. At Google nothing is written and nothing is deleted: what a contact is there is kept as a row
without content, which says that it is to be left alone and never taken in again.

Every contact of the tenant is looked at, since what mentions an address is in no index. The place
is in the request's row: a step that breaks off is done again, and finds what is left.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.events.base import Origin
from libs.common.privacy import Person, Request, Step
from libs.common.privacy.parts import FIRST
from libs.common.privacy.records import UNDER_WAY_S, behind, counted, next_rows
from libs.common.scrubbing import Scrubber, needles
from libs.common.writes import store as ledger
from services.contacts.domain.contact import Contact
from services.contacts.domain.erasing import is_theirs, names_of, without, without_person
from services.contacts.domain.person import Known
from services.contacts.store import conflicts, connections, people
from services.contacts.store import privacy as store
from services.contacts.sync.changing.conflicts import end_conflict
from services.contacts.sync.changing.turn import Turn

LOOKED_THROUGH: Final = 500
MOST_CARDS: Final = 50
AT_GOOGLE: Final = "people-stay-in-google"
TO_CRM: Final = "crm-entity:"
BY: Final = "erasure"


async def begin(conn: Conn, person: Person) -> Mapping[str, Any]:
    """Return where a request begins: at the first row, with the names the person has here."""
    cards = await store.list_cards(conn, person.tenant_id, person.addresses, limit=MOST_CARDS)
    addresses = frozenset(person.addresses)
    names = names_of(one for one in cards if is_theirs(one, addresses))
    return {"id": str(FIRST), "book": str(FIRST), "after": "", "names": sorted(names)}


class ErasedNicknames:
    """What others are called, where that names the person; their own go with their contact."""

    name = "nicknames"

    async def step(self, conn: Conn, request: Request, person: Person) -> Step:
        """Look through the next nicknames."""
        if not person.addresses:
            return Step()
        of, place = person.tenant_id, request.place or await begin(conn, person)
        text = Scrubber(person.addresses, place["names"]).text
        rows = await store.lock_nicknames(conn, of, **next_rows(place, person))
        for row in rows if request.erases else ():
            await store.rewrite_nickname(
                conn,
                of,
                row["id"],
                text=text(row["text"]),
                keywords=[text(one) for one in row["keywords"]],
                context=text(row["context"]),
            )
        return Step(found=counted("nicknames", len(rows)), place=behind(place, rows))


class ErasedGroupNames:
    """Names of groups and labels: here only, and of both alike, so that none is written."""

    name = "groups"

    async def step(self, conn: Conn, request: Request, person: Person) -> Step:
        """Take the person out of all of them: there are few."""
        if not person.addresses:
            return Step()
        of, scrubber, found = person.tenant_id, Scrubber(person.addresses), 0
        for row in await store.list_names(conn, of, needles(person.addresses)):
            left = scrubber.text(row["name"])
            if left == row["name"]:
                continue
            found += 1
            if request.erases:
                mark = "" if row["id"] is None else f" {str(row['id'])[-6:]}"
                await store.rename(conn, of, row, left + mark)
        return Step(found=counted("names of groups", found))


class ErasedContacts:
    """Contacts, with what they are in address books; what is left is told."""

    name = "contacts"

    def __init__(self, *, now: Callable[[], datetime]) -> None:
        self._now = now

    async def step(self, conn: Conn, request: Request, person: Person) -> Step:
        """Look through the next contacts."""
        if not person.addresses:
            return Step()
        of, place = person.tenant_id, request.place or await begin(conn, person)
        turn = await Turn.begin(conn, of, now=self._now())
        some = await store.look_through_contacts(
            conn,
            of,
            after=UUID(place["id"]),
            limit=LOOKED_THROUGH,
            needles=needles(person.addresses),
            addresses=person.addresses,
        )
        scrubber = Scrubber(person.addresses, place["names"])
        contacts = [
            one for one in (await turn.find(some.ids)).values() if _is_concerned(one, scrubber)
        ]
        links = await people.list_of_contacts(conn, of, [one.id for one in contacts])
        if request.erases and not await _quieted(turn, _theirs(contacts, scrubber)):
            return Step(place=place, wait_s=UNDER_WAY_S)
        held = 0
        for one in contacts:
            is_gone = is_theirs(one.card, scrubber.addresses)
            for known in links[one.id]:
                held += await _of_person(turn, known, scrubber, request, gone=is_gone)
            if request.erases:
                await _of_contact(turn, one, links[one.id], scrubber, gone=is_gone)
        if request.erases:
            await turn.end()
        notes = [f"{TO_CRM}contact/{one.entity_id}" for one in contacts if one.entity_id]
        return Step(
            found={
                **counted("contacts", len(contacts)),
                **counted("people of address books", held),
            },
            notes=[*notes, *([AT_GOOGLE] if held else [])],
            place=None if some.last is None else {**place, "id": str(some.last)},
        )


class ErasedPeople:
    """People of address books who are no contact, or whose contact says nothing of the person."""

    name = "people"

    def __init__(self, *, now: Callable[[], datetime]) -> None:
        self._now = now

    async def step(self, conn: Conn, request: Request, person: Person) -> Step:
        """Look through the next people."""
        if not person.addresses:
            return Step()
        of, place = person.tenant_id, request.place or await begin(conn, person)
        turn = await Turn.begin(conn, of, now=self._now())
        some, last = await store.look_through_people(
            conn,
            of,
            after=(UUID(place["book"]), place["after"]),
            limit=LOOKED_THROUGH,
            needles=needles(person.addresses),
            addresses=person.addresses,
        )
        scrubber = Scrubber(person.addresses, place["names"])
        contacts = await turn.find(one.contact_id for one in some if one.contact_id is not None)
        gone: list[Known] = []
        held = 0
        for known in some:
            contact = contacts.get(known.contact_id) if known.contact_id else None
            is_contact = contact is not None and contact.is_live
            if contact is not None and _is_concerned(contact, scrubber):
                continue  # counted with it, by a dry run
            is_gone = not is_contact and is_theirs(known.base, scrubber.addresses)
            held += await _of_person(turn, known, scrubber, request, gone=is_gone)
            gone += [known] if is_gone else []
        if request.erases:
            await _end_conflicts(turn, [], gone)
            await turn.end()
        return Step(
            found=counted("people of address books", held),
            notes=[AT_GOOGLE] if held else [],
            place=None if last is None else {**place, "book": str(last[0]), "after": last[1]},
        )


def _is_concerned(contact: Contact, scrubber: Scrubber) -> bool:
    """Say whether a contact is the person's, or names them."""
    return contact.is_live and (
        is_theirs(contact.card, scrubber.addresses)
        or without(contact.card, scrubber) != contact.card
    )


def _theirs(contacts: Sequence[Contact], scrubber: Scrubber) -> list[Contact]:
    return [one for one in contacts if is_theirs(one.card, scrubber.addresses)]


async def _quieted(turn: Turn, contacts: Sequence[Contact]) -> bool:
    """Take back what waits to be written of contacts; False: something is under way."""
    ids = [one.id for one in contacts]
    waiting, under_way = await store.list_open_writes(turn.conn, turn.tenant_id, ids)
    for one in () if under_way else waiting:
        await ledger.cancel(turn.conn, turn.tenant_id, one, now=turn.now)
    return not under_way


async def _of_contact(
    turn: Turn, contact: Contact, links: Sequence[Known], scrubber: Scrubber, *, gone: bool
) -> None:
    if gone:
        turn.delete(contact, origin=Origin.REPAIR)
        await _end_conflicts(turn, [contact], links)
    else:
        card = without(contact.card, scrubber)
        turn.change(contact, card, origin=Origin.REPAIR, ours=False)


async def _of_person(
    turn: Turn, known: Known, scrubber: Scrubber, request: Request, *, gone: bool
) -> bool:
    """Take somebody out of a row of an address book; say whether there was anything to take."""
    if known.erased_at is not None:
        return False
    base, items = without(known.base, scrubber), without_person(known.items, scrubber)
    if not gone and (base, items) == (known.base, known.items):
        return False
    if request.erases and gone:
        await store.erase_person(turn.conn, known, now=turn.now)
    elif request.erases:
        await store.rewrite_person(turn.conn, known, base, items)
    return True


async def _end_conflicts(turn: Turn, contacts: Sequence[Contact], links: Sequence[Known]) -> None:
    """Let nobody choose any more between values that are gone."""
    ids = [one.id for one in contacts]
    for conflict_id in await store.empty_conflicts(turn.conn, turn.tenant_id, ids, links):
        found = await conflicts.find_conflict(turn.conn, turn.tenant_id, conflict_id)
        if found is None:
            continue
        connection = await connections.find_connection(
            turn.conn, turn.tenant_id, found.connection_id
        )
        if connection is not None:
            await end_conflict(turn, connection, found, {}, by=BY, origin=Origin.REPAIR)
