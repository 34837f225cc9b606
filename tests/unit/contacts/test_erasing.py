"""What stays of a contact without a person."""

import pytest

from libs.common.scrubbing import Scrubber
from services.contacts.domain.card import Card, Email, Phone
from services.contacts.domain.erasing import is_theirs, names_of, without, without_person

THEM = frozenset({"ann@x.test", "ann@y.test"})


@pytest.mark.parametrize(
    ("addresses", "verdict"),
    [
        (("Ann@X.test",), True),
        (("ann@x.test", "ann@y.test"), True),
        (("ann@x.test", "bob@x.test"), False),
        (("bob@x.test",), False),
        ((), False),
    ],
)
def test_a_card_is_theirs_if_all_its_addresses_are(
    addresses: tuple[str, ...], *, verdict: bool
) -> None:
    card = Card(emails=tuple(Email(address=one) for one in addresses))
    assert is_theirs(card, THEM) is verdict


def test_names_and_numbers_of_theirs_are_sought_elsewhere() -> None:
    card = Card(
        prefix="Dr",
        given_name="Ann",
        family_name="Lee",
        phones=(Phone(number="(11) 2345", e164="+55112345"),),
    )
    assert names_of([card, Card()]) == {"Dr Ann Lee", "Ann Lee", "(11) 2345", "+55112345"}


def test_a_card_of_others_loses_address_and_texts() -> None:
    card = Card(
        given_name="Both",
        emails=(Email(address="Ann@x.test"), Email(address="bob@x.test", primary=True)),
        notes="Ann Lee <ann@y.test>",
        custom={"referred": "ann@x.test"},
    )
    left = without(card, Scrubber(THEM, ["Ann Lee"]))
    assert left.emails == (Email(address="bob@x.test", primary=True),)
    assert left.notes == "[erased] <erased@invalid>"
    assert left.custom == {"referred": "erased@invalid"}
    assert without(left, Scrubber(THEM, ["Ann Lee"])) == left


def test_a_value_loses_keys_items_and_texts_that_name_them() -> None:
    value = {
        "emails/ann@x.test": {"address": "ann@x.test"},
        "list": [{"value": "ANN@x.test", "type": "home"}, "ann@y.test", "kept", 7],
        "notes": "write to ann@x.test",
    }
    assert without_person(value, Scrubber(THEM)) == {
        "list": ["kept", 7],
        "notes": "write to erased@invalid",
    }
