"""Finding which contacts people are, a chunk of an address book at a time."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.contacts.domain.card import Card
from services.contacts.domain.connection import Connection
from services.contacts.domain.contact import Contact
from services.contacts.domain.matching import candidates
from services.contacts.store import matching as store
from services.contacts.store import people
from services.contacts.sync.changing.turn import Turn


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A person who is no contact yet."""

    card: Card
    our_ids: tuple[str, ...]


class Matcher:
    """Who the people of one address book can be; `look_up` makes it."""

    def __init__(
        self,
        by_key: Mapping[str, Sequence[UUID]],
        contacts: dict[UUID, Contact],
        deleted: frozenset[UUID] = frozenset(),
    ) -> None:
        """For `look_up` only."""
        self._by_key = by_key
        self._contacts = contacts
        self._deleted = deleted

    @classmethod
    async def look_up(
        cls, turn: Turn, connection: Connection, unmatched: Sequence[Unmatched]
    ) -> "Matcher":
        """Return what is needed to match these people of an address book."""
        if not unmatched:
            return cls({}, {})
        marked = {found for one in unmatched for found in _ids(one.our_ids)}
        sharing = await store.find_candidates(
            turn.conn,
            connection,
            emails=sorted({key for one in unmatched for key in one.card.email_keys}),
            phones=sorted({key for one in unmatched for key in one.card.phone_keys}),
        )
        found = await turn.find({*marked, *sharing})
        links = await people.list_links(turn.conn, turn.tenant_id, list(found))
        free = {
            one.id: one
            for one in found.values()
            if one.is_live
            and one.is_visible_to(connection.user_id)
            and all(link.connection_id != connection.id for link in links[one.id])
        }
        by_key: dict[str, list[UUID]] = defaultdict(list)
        for one in free.values():
            for key in (str(one.id), *one.card.email_keys, *one.card.phone_keys):
                by_key[key].append(one.id)
        return cls(by_key, free, frozenset(one.id for one in found.values() if not one.is_live))

    def candidates(self, one: Unmatched) -> tuple[Contact, ...]:
        """Return who a person can be; see `domain.matching`."""
        if not self._by_key:
            return ()
        keys = (*one.our_ids, *one.card.email_keys, *one.card.phone_keys)
        ids = dict.fromkeys(found for key in keys for found in self._by_key.get(key, ()))
        contacts = [self._contacts[found] for found in sorted(ids) if found in self._contacts]
        return candidates(one.card, one.our_ids, contacts)

    def take(self, contact_id: UUID) -> None:
        """Let a contact be nobody else of this address book any more."""
        self._contacts.pop(contact_id, None)

    def deleted(self, one: Unmatched) -> UUID | None:
        """Return the contact whose id a person carries, if that was deleted here."""
        return next((found for found in _ids(one.our_ids) if found in self._deleted), None)


def _ids(texts: Iterable[str]) -> Iterable[UUID]:
    """Yield the ids among texts that somebody else may have written."""
    for text in texts:
        try:
            found = UUID(text)
        except ValueError:
            continue
        if str(found) == text:
            yield found
