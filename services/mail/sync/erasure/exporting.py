"""What an export of mail shows of a person, page by page."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.privacy import Extract, Page, Person, Record, shown
from libs.common.privacy.shown import NOTHING
from libs.common.scrubbing import needles
from services.mail.domain import links as rules
from services.mail.store import privacy_export as store
from services.mail.store.privacy_messages import list_concerned
from services.mail.sync.erasure.erasing_rest import inside_push

MESSAGES_AT_ONCE = 50
"""Of which each may be long."""
LOOKED_THROUGH = 200
FIRST = str(UUID(int=0))


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


def extracts(hash_key: bytes) -> Mapping[str, Extract]:
    """Return all that mail shows of a person, in the order of an export."""
    more: dict[str, Extract] = {
        "user: message": _messages_of_user,
        "person: message": MessagesWith(hash_key),
        "person: suggestion": Suggestions(hash_key),
    }
    return shown.extracts(store.OF_A_USER, store.OF_A_CORRESPONDENT, more, hidden=inside_push)
