"""Which contact a person is: never a guess."""

from collections.abc import Iterable, Sequence

from services.contacts.domain.card import Card
from services.contacts.domain.contact import Contact


def candidates(
    card: Card, our_ids: Iterable[str], contacts: Sequence[Contact]
) -> tuple[Contact, ...]:
    """Return who a person can be: one is who they are; of several nobody knows; none: somebody new.

    Our own id in a person counts before an address, and an address before a number.

    Args:
        card: what is known of the person.
        our_ids: ids of contacts that were written into them.
        contacts: who comes into question: live, not somebody in that address book yet, and visible
            to whose it is.
    """
    marks = frozenset(our_ids)
    emails, phones = frozenset(card.email_keys), frozenset(card.phone_keys)
    marked = tuple(one for one in contacts if str(one.id) in marks)
    if marked:
        return marked
    by_email = tuple(one for one in contacts if emails.intersection(one.card.email_keys))
    if by_email:
        return by_email
    return tuple(one for one in contacts if phones.intersection(one.card.phone_keys))
