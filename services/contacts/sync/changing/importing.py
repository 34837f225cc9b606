"""Taking in contacts of files; in a turn that the caller begins and ends."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from libs.common.events.base import Origin
from services.contacts.domain.card import Card
from services.contacts.domain.contact import Contact, NewContact
from services.contacts.domain.items import united
from services.contacts.domain.matching import candidates
from services.contacts.sync.changing.turn import Turn

Action = Literal["created", "updated", "unchanged", "ambiguous"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a card."""

    action: Action
    contact_id: UUID | None = None
    """None: it could be several contacts, and became none."""


async def take_cards(
    turn: Turn, cards: Sequence[Card], *, owner_user_id: str | None
) -> list[Outcome]:
    """Take in cards, and return what became of each: who is a contact already gets what is new.

    Args:
        turn: as `begin` made it.
        cards: of people.
        owner_user_id: whose they are; None: the tenant's.
    """
    known = await turn.find_by_keys(*cards)
    book = _Book(one for one in known if _is_known_to(one, owner_user_id))
    return [_take(turn, book, card, owner_user_id) for card in cards]


def _is_known_to(contact: Contact, owner_user_id: str | None) -> bool:
    """Say whether somebody of the file can be a contact: of the tenant's file not a private one."""
    return not contact.is_private if owner_user_id is None else contact.is_visible_to(owner_user_id)


def _take(turn: Turn, book: "_Book", card: Card, owner_user_id: str | None) -> Outcome:
    found = candidates(card, (), book.sharing(card))
    if len(found) > 1:
        return Outcome("ambiguous")
    if not found:
        new = NewContact(owner_user_id=owner_user_id, card=card)
        made = turn.create(new, origin=Origin.CRM)
        book.put(made)
        return Outcome("created", made.id)
    before = found[0]
    after = turn.change(before, united(before.card, card), origin=Origin.CRM, ours=True)
    book.put(after)
    return Outcome("unchanged" if after is before else "updated", after.id)


class _Book:
    """Contacts by what they can be known by."""

    def __init__(self, contacts: Iterable[Contact]) -> None:
        self._contacts: dict[UUID, Contact] = {}
        self._by_key: dict[str, dict[UUID, None]] = defaultdict(dict)
        for one in contacts:
            self.put(one)

    def put(self, contact: Contact) -> None:
        self._contacts[contact.id] = contact
        for key in (*contact.card.email_keys, *contact.card.phone_keys):
            self._by_key[key][contact.id] = None

    def sharing(self, card: Card) -> list[Contact]:
        keys = (*card.email_keys, *card.phone_keys)
        ids = dict.fromkeys(one for key in keys for one in self._by_key[key])
        return [self._contacts[one] for one in ids]
