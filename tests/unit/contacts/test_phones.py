"""Numbers are understood where they can be, and kept as typed where they cannot."""

import pytest

from services.contacts.domain.card import Card, Phone
from services.contacts.domain.phones import dialled, e164_of, is_region, phone_of


@pytest.mark.parametrize(
    ("typed", "region", "expected"),
    [
        ("+55 11 98765-4321", "FR", "+5511987654321"),
        ("(11) 98765-4321", "BR", "+5511987654321"),
        ("0 11 98765-4321", "BR", "+5511987654321"),
        ("06 12 34 56 78", "FR", "+33612345678"),
        ("06.12.34.56.78", "FR", "+33612345678"),
        ("00 33 6 12 34 56 78", "FR", "+33612345678"),
        ("(202) 555-0143", "US", "+12025550143"),
        ("\uff0b33 6 12 34 56 78", "BR", "+33612345678"),
        ("1-800-FLOWERS", "US", "+18003569377"),
    ],
)
def test_a_number_is_understood_by_its_country_or_the_tenants(
    typed: str, region: str, expected: str
) -> None:
    assert e164_of(typed, region) == expected


@pytest.mark.parametrize(
    "typed",
    ["", "abc", "98765-4321", "190", "+999999", "+55", "call me", "1" * 65, "+55 11", "\0", "🙂"],
)
def test_what_is_no_number_has_no_form(typed: str) -> None:
    assert e164_of(typed, "BR") is None


@pytest.mark.parametrize("typed", ["+55 11 3333-4444 ext 12", "+55 11 3333-4444 ramal 12"])
def test_an_extension_is_not_the_switchboards_number(typed: str) -> None:
    assert e164_of(typed, "BR") is None


def test_a_number_is_kept_as_typed() -> None:
    assert phone_of("(11) 98765-4321", "BR", kind="mobile", primary=True) == Phone(
        number="(11) 98765-4321", e164="+5511987654321", type="mobile", primary=True
    )
    assert phone_of("ask Bob", "BR") == Phone(number="ask Bob")


def test_numbers_of_a_card_follow_the_region() -> None:
    card = Card(phones=(Phone(number="06 12 34 56 78"), Phone(number="+1 202 555 0143")))

    assert [one.e164 for one in dialled(card, "FR").phones] == ["+33612345678", "+12025550143"]
    assert [one.e164 for one in dialled(dialled(card, "FR"), "BR").phones] == [None, "+12025550143"]


def test_regions_are_codes_of_two_letters() -> None:
    assert is_region("BR")
    assert is_region("FR")
    assert not is_region("br")
    assert not is_region("XX")
    assert not is_region("001")
