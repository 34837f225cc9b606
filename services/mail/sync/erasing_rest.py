"""Erasing a correspondent from outgoing mail, changes, dead items and the directory's copy."""

import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from libs.common.db import Connection as Conn
from libs.common.directory import EntityRef
from libs.common.directory import privacy as directory_privacy
from libs.common.directory import store as directory
from libs.common.directory.privacy import Named
from libs.common.privacy import Person, Request, Step
from libs.common.scrubbing import Scrubber, needles
from services.mail.domain.links import hashes_of
from services.mail.domain.sending.outgoing import item_of
from services.mail.store import privacy_rest as store
from services.mail.store.privacy_rest import DeadThing

AT_ONCE = 100
FIRST = UUID(int=0)
UNDER_WAY_S = 2.0
AT_GOOGLE = "drafts-stay-in-gmail"
TO_CRM = "crm-entity:"
BLOCKED = "blocklist-keeps-them-out"


def _after(request: Request) -> UUID:
    return UUID(request.place["after"]) if request.place else FIRST


def _at(last: UUID | None) -> Mapping[str, Any] | None:
    return None if last is None else {"after": str(last)}


class ErasedOutgoing:
    """Drafts, messages that wait, and those that ended, as far as they name the person.

    What waits is taken back; what is under way at Google is waited for.
    """

    name = "outgoing"

    def __init__(self, *, now: Callable[[], datetime]) -> None:
        self._now = now

    async def step(self, conn: Conn, request: Request, person: Person) -> Step:
        """Look through the next outgoing messages."""
        if not person.addresses:
            return Step()
        of, after = person.tenant_id, _after(request)
        letters, last = await store.list_outgoing(
            conn, of, after=after, limit=AT_ONCE, needles=needles(person.addresses)
        )
        gone, notes = 0, set[str]()
        for one in letters:
            item = item_of(one.id)
            if request.erases:
                if not await store.stop_writes(conn, of, one.connection_id, item, now=self._now()):
                    # Those before it are gone: the next step begins with this one.
                    found = {"outgoing messages": gone} if gone else {}
                    return Step(
                        found=found, notes=sorted(notes), place=_at(after), wait_s=UNDER_WAY_S
                    )
                await store.delete_letter(conn, of, one, item)
            gone += 1
            if one.at_google:
                notes.add(AT_GOOGLE)
        found = {"outgoing messages": gone} if gone else {}
        return Step(found=found, notes=sorted(notes), place=_at(last))


class ErasedWrites:
    """Ended changes that name the person."""

    name = "writes"

    async def step(self, conn: Conn, request: Request, person: Person) -> Step:
        """Remove some."""
        if not person.addresses:
            return Step()
        gone, last = await store.drop_writes(
            conn,
            person.tenant_id,
            after=_after(request),
            limit=AT_ONCE,
            needles=needles(person.addresses),
            erase=request.erases,
        )
        return Step(found={"changes": gone} if gone else {}, place=_at(last))


class ErasedDeadItems:
    """What could not be taken in; also notifications that could not even be attributed."""

    name = "dead_items"

    async def step(self, conn: Conn, request: Request, person: Person) -> Step:
        """Look through the next dead items."""
        if not person.addresses:
            return Step()
        rows = await store.list_dead_items(
            conn, person.tenant_id, after=_after(request), limit=AT_ONCE
        )
        scrubber = Scrubber(person.addresses)
        named = [one for one in rows if names_somebody(one, scrubber)]
        if request.erases:
            await store.drop_dead_items(conn, [one.id for one in named])
        gone = sum(one.is_tenants for one in named)
        last = rows[-1].id if len(rows) == AT_ONCE else None
        return Step(found={"dead items": gone} if gone else {}, place=_at(last))


def names_somebody(one: DeadThing, scrubber: Scrubber) -> bool:
    """Say whether a dead item names the person, also inside a push, whose data is in base64."""
    if scrubber.mentions(one.words):
        return True
    if one.payload is None:
        return False
    if scrubber.mentions(one.payload.decode(errors="replace")):
        return True
    try:
        data = base64.b64decode(orjson.loads(one.payload)["message"]["data"])
    except (orjson.JSONDecodeError, binascii.Error, KeyError, TypeError, ValueError):
        return False
    return scrubber.mentions(data.decode(errors="replace"))


class ErasedSuggestions:
    """That somebody was suggested as a contact. A mailbox's blocklist stays: it keeps them out."""

    name = "suggestions"

    def __init__(self, *, hash_key: bytes) -> None:
        self._hash_key = hash_key

    async def step(self, conn: Conn, request: Request, person: Person) -> Step:
        """Forget it; the notes say whether a blocklist names them."""
        if not person.addresses:
            return Step()
        hashes = hashes_of(person.addresses, self._hash_key)
        gone = await store.drop_suggestions(conn, person.tenant_id, hashes, erase=request.erases)
        is_blocked = await store.is_blocked(conn, person.tenant_id, person.addresses)
        return Step(
            found={"suggestions": gone} if gone else {}, notes=[BLOCKED] if is_blocked else []
        )


class ErasedFromDirectory:
    """The directory's copy. The entity is the CRM's: the notes say which it must see to itself."""

    name = "directory"

    async def step(self, conn: Conn, request: Request, person: Person) -> Step:
        """Take the addresses from the next entities."""
        if not person.addresses:
            return Step()
        of, wanted = person.tenant_id, person.addresses
        after = EntityRef.from_subject(request.place["after"]) if request.place else None
        if request.erases:
            await directory.lock_exclusive(conn, of)
        named = await directory_privacy.list_named(conn, of, wanted, after=after, limit=AT_ONCE)
        scrubber = Scrubber(wanted)
        for one in named if request.erases else ():
            name, phones = _what_stays(one, person, scrubber)
            await directory_privacy.forget_person(
                conn, of, one.ref, wanted, name=name, phones=phones
            )
        return Step(
            found={"entities": len(named)} if named else {},
            notes=[f"{TO_CRM}{one.ref}" for one in named],
            place={"after": str(named[-1].ref)} if len(named) == AT_ONCE else None,
        )


def _what_stays(one: Named, person: Person, scrubber: Scrubber) -> tuple[str, tuple[str, ...]]:
    """Return an entity's name and phones: none of one that stood for nobody else."""
    if not one.others(person.addresses):
        return "", ()
    return scrubber.text(one.name), one.phones
