from datetime import UTC, datetime
from uuid import UUID, uuid4

from services.contacts.domain.card import Card, Email, Phone
from services.contacts.domain.contact import Contact
from services.contacts.domain.matching import candidates

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def contact(*, email: str = "", phone: str = "", contact_id: UUID | None = None) -> Contact:
    """Return a contact with these keys."""
    return Contact(
        tenant_id="acme",
        id=contact_id or uuid4(),
        owner_user_id=None,
        entity_id=None,
        card=card(email=email, phone=phone),
        created_at=NOW,
        updated_at=NOW,
    )


def card(*, email: str = "", phone: str = "") -> Card:
    """Return a card with these keys."""
    return Card(
        emails=(Email(address=email),) if email else (),
        phones=(Phone(number=phone, e164=phone),) if phone else (),
    )


def test_an_id_counts_before_an_address() -> None:
    marked, other = contact(), contact(email="a@x.org")
    assert candidates(card(email="a@x.org"), [str(marked.id)], [marked, other]) == (marked,)


def test_an_address_counts_before_a_number() -> None:
    by_email, by_phone = contact(email="a@x.org"), contact(phone="+551")
    found = candidates(card(email="A@x.org", phone="+551"), [], [by_phone, by_email])
    assert found == (by_email,)


def test_several_with_one_address_are_all_candidates() -> None:
    first, second = contact(email="a@x.org"), contact(email="a@x.org")
    assert candidates(card(email="a@x.org"), [], [first, second]) == (first, second)


def test_a_number_that_nobody_understands_matches_nobody() -> None:
    typed = Card(phones=(Phone(number="12"),))
    known = contact()
    assert candidates(typed, [], [known]) == ()


def test_who_shares_nothing_is_somebody_new() -> None:
    assert candidates(card(email="b@x.org"), ["x"], [contact(email="a@x.org")]) == ()
