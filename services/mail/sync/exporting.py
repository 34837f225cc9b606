"""What an export of mail shows of a person, page by page."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.directory import EntityRef
from libs.common.directory import privacy as directory_privacy
from libs.common.privacy import Extract, Page, Person, Record
from libs.common.scrubbing import Scrubber, needles
from services.mail.domain import links as rules
from services.mail.store import privacy_export as store
from services.mail.store.privacy_messages import list_concerned
from services.mail.store.privacy_rest import list_dead_items
from services.mail.sync.erasing_rest import names_somebody

AT_ONCE = 100
MESSAGES_AT_ONCE = 50
"""Of which each may be long."""
LOOKED_THROUGH = 200
FIRST = str(UUID(int=0))
NOTHING = Page((), None)


@dataclass(frozen=True, slots=True)
class OfUser:
    """One kind of record about a user."""

    kind: str

    async def __call__(self, conn: Conn, person: Person, after: str, /) -> Page:
        """Return the next ones."""
        if person.user_id is None:
            return NOTHING
        rows = await store.read_of_user(
            conn, self.kind, person.tenant_id, person.user_id, after=after, limit=AT_ONCE
        )
        return _page(self.kind, rows)


@dataclass(frozen=True, slots=True)
class OfCorrespondent:
    """One kind of record about a correspondent."""

    kind: str

    async def __call__(self, conn: Conn, person: Person, after: str, /) -> Page:
        """Return the next ones."""
        if not person.addresses:
            return NOTHING
        wanted = needles(person.addresses)
        rows = await store.read_naming(
            conn, self.kind, person.tenant_id, wanted, after=after, limit=AT_ONCE
        )
        return _page(self.kind, rows)


def _page(kind: str, rows: store.Rows) -> Page:
    after = rows[-1][0] if len(rows) == AT_ONCE else None
    return Page([Record(kind, record) for _, record in rows], after)


async def _messages_of_user(conn: Conn, person: Person, after: str, /) -> Page:
    if person.user_id is None:
        return NOTHING
    ids = await store.list_messages_of(
        conn,
        person.tenant_id,
        person.user_id,
        after=UUID(after or FIRST),
        limit=MESSAGES_AT_ONCE,
    )
    found = await store.read_messages(conn, person.tenant_id, ids)
    last = str(ids[-1]) if len(ids) == MESSAGES_AT_ONCE else None
    return Page([Record("message", one) for one in found], last)


@dataclass(frozen=True, slots=True)
class MessagesWith:
    """All messages a correspondent takes part in, or is mentioned in."""

    hash_key: bytes

    async def __call__(self, conn: Conn, person: Person, after: str, /) -> Page:
        """Look through the next messages."""
        if not person.addresses:
            return NOTHING
        ids, last = await list_concerned(
            conn,
            person.tenant_id,
            after=UUID(after or FIRST),
            limit=LOOKED_THROUGH,
            hashes=rules.hashes_of(person.addresses, self.hash_key),
            needles=needles(person.addresses),
        )
        found = await store.read_messages(conn, person.tenant_id, ids)
        return Page([Record("message", one) for one in found], None if last is None else str(last))


@dataclass(frozen=True, slots=True)
class Suggestions:
    """That a correspondent was suggested as a contact."""

    hash_key: bytes

    async def __call__(self, conn: Conn, person: Person, _after: str, /) -> Page:
        """Return all: there is one for an address."""
        hashes = rules.hashes_of(person.addresses, self.hash_key)
        found = await store.list_suggestions(conn, person.tenant_id, hashes, limit=len(hashes))
        return Page([Record("suggestion", one) for one in found], None)


async def _dead_items_naming(conn: Conn, person: Person, after: str, /) -> Page:
    if not person.addresses:
        return NOTHING
    rows = await list_dead_items(conn, person.tenant_id, after=UUID(after or FIRST), limit=AT_ONCE)
    scrubber = Scrubber(person.addresses)
    records = [
        Record("dead item", {"id": str(one.id), "item": one.words, "payload": text})
        for one in rows
        if one.is_tenants and names_somebody(one, scrubber)
        for text in [(one.payload or b"").decode(errors="replace")]
    ]
    return Page(records, str(rows[-1].id) if len(rows) == AT_ONCE else None)


async def _entities_naming(conn: Conn, person: Person, after: str, /) -> Page:
    if not person.addresses:
        return NOTHING
    found = await directory_privacy.list_named(
        conn,
        person.tenant_id,
        person.addresses,
        after=EntityRef.from_subject(after) if after else None,
        limit=AT_ONCE,
    )
    records = [
        Record(
            "entity",
            {
                "type": one.ref.entity_type,
                "id": one.ref.entity_id,
                "name": one.name,
                "emails": one.emails,
                "phones": one.phones,
                "owner_user_id": one.owner_user_id,
                "version": one.version,
            },
        )
        for one in found
    ]
    return Page(records, str(found[-1].ref) if len(found) == AT_ONCE else None)


def extracts(hash_key: bytes) -> Mapping[str, Extract]:
    """Return all that mail shows of a person, in the order of an export."""
    of_user = {f"user: {kind}": OfUser(kind) for kind in store.OF_A_USER}
    of_others = {f"person: {kind}": OfCorrespondent(kind) for kind in store.OF_A_CORRESPONDENT}
    return {
        **of_user,
        "user: message": _messages_of_user,
        "person: message": MessagesWith(hash_key),
        **of_others,
        "person: dead item": _dead_items_naming,
        "person: entity": _entities_naming,
        "person: suggestion": Suggestions(hash_key),
    }
