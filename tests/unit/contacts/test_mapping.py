"""The CRM's names in any language, and the tenant's own, mean fields of a person."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contacts.domain.card import Address, Card, Email, Phone, Url
from services.contacts.domain.mapping import card_of_crm, crm_fields
from services.contacts.domain.naming import is_target
from services.contacts.domain.preferences import Language, TenantDefaults

FR = TenantDefaults(region="FR")
PT = TenantDefaults(region="BR", language=Language.PORTUGUESE)
EN = TenantDefaults(region="US", language=Language.ENGLISH)

FRENCH: dict[str, Any] = {
    "nom": "Martin",
    "prenom": "Zoé",
    "email": "zoe@example.org",
    "telephone": "06 12 34 56 78",
    "adresse": "1 rue de la Paix",
    "ville": "Paris",
    "code_postal": "75002",
    "entreprise": "ACME",
    "fonction": "Directrice",
}
ZOE = Card(
    given_name="Zoé",
    family_name="Martin",
    organization="ACME",
    title="Directrice",
    emails=(Email(address="zoe@example.org", primary=True),),
    phones=(Phone(number="06 12 34 56 78", e164="+33612345678", primary=True),),
    addresses=(
        Address(street="1 rue de la Paix", city="Paris", postal_code="75002", primary=True),
    ),
)


def test_french_names_are_understood() -> None:
    assert card_of_crm(FRENCH, Card(), FR) == ZOE


def test_portuguese_names_are_understood() -> None:
    fields = {
        "nome": "Bia",
        "sobrenome": "Souza",
        "telefone": "(11) 98765-4321",
        "endereco": "Rua A, 1",
        "cidade": "São Paulo",
        "cep": "01000-000",
        "empresa": "ACME",
        "cargo": "Gerente",
    }
    card = card_of_crm(fields, Card(), PT)

    assert (card.given_name, card.family_name) == ("Bia", "Souza")
    assert (card.organization, card.title) == ("ACME", "Gerente")
    assert card.phones[0].e164 == "+5511987654321"
    assert card.addresses == (
        Address(street="Rua A, 1", city="São Paulo", postal_code="01000-000", primary=True),
    )


def test_english_names_are_understood() -> None:
    fields = {
        "first_name": "Eve",
        "last_name": "Doe",
        "company": "ACME",
        "job_title": "CEO",
        "phone": "(202) 555-0143",
        "address": "1 Main St",
        "zip": "20001",
        "city": "Washington",
        "country": "USA",
        "website": "https://eve.example",
    }
    card = card_of_crm(fields, Card(), EN)

    assert card.name == "Eve Doe"
    assert card.phones[0].e164 == "+12025550143"
    assert card.addresses[0].postal_code == "20001"
    assert card.urls == (Url(value="https://eve.example", primary=True),)


@pytest.mark.parametrize("language", list(Language))
def test_names_of_any_language_are_understood_in_every_other(language: Language) -> None:
    defaults = TenantDefaults(region="FR", language=language)

    assert card_of_crm(FRENCH, Card(), defaults) == ZOE


@pytest.mark.parametrize("name", ["Prénom", "PRENOM", "prénom"])
def test_accents_and_capitals_of_names_do_not_matter(name: str) -> None:
    assert card_of_crm({name: "Zoé"}, Card(), FR).given_name == "Zoé"


def test_what_is_told_has_the_names_of_the_tenants_language() -> None:
    assert crm_fields(ZOE, FR).items() >= FRENCH.items()
    told = crm_fields(ZOE, PT)
    assert told["sobrenome"] == "Martin"
    assert told["telefone"] == "06 12 34 56 78"
    assert told["telefones"] == [
        {"number": "06 12 34 56 78", "e164": "+33612345678", "primary": True}
    ]
    assert crm_fields(ZOE, EN)["job_title"] == "Directrice"


def test_notes_and_what_has_no_value_are_not_told() -> None:
    told = crm_fields(Card(given_name="Zoé", notes="secret"), FR)

    assert told == {"prenom": "Zoé"}


def test_the_tenants_own_names_come_first() -> None:
    defaults = TenantDefaults(
        region="FR", mapping={"nom": "organization", "GSM": "phone/mobile", "SIRET": "custom/siret"}
    )
    card = card_of_crm({"nom": "ACME", "GSM": "06 12 34 56 78", "SIRET": "1"}, Card(), defaults)

    assert card.organization == "ACME"
    assert card.family_name == ""
    assert card.phones[0].type == "mobile"
    assert card.custom == {"siret": "1"}
    told = crm_fields(card, defaults)
    assert told["nom"] == "ACME"
    assert told["GSM"] == "06 12 34 56 78"
    assert told["SIRET"] == "1"
    assert "telephone" not in told


def test_a_name_the_tenant_uses_otherwise_stands_for_nothing_else() -> None:
    defaults = TenantDefaults(mapping={"nom": "organization"})

    assert crm_fields(Card(family_name="Martin", organization="ACME"), defaults) == {
        "nom": "ACME",
        "family_name": "Martin",
    }


def test_what_nobody_knows_is_a_field_of_the_tenants_own() -> None:
    card = card_of_crm({"couleur": "bleu", "score": 7, "vip": True, "tags": ["a"]}, Card(), FR)

    assert card.custom == {"couleur": "bleu", "score": "7", "vip": "true", "tags": '["a"]'}
    assert crm_fields(card, FR)["couleur"] == "bleu"
    assert card_of_crm({"couleur": None, "score": ""}, card, FR).custom == {
        "vip": "true",
        "tags": '["a"]',
    }


def test_two_names_for_the_same_lose_nothing() -> None:
    card = card_of_crm({"last_name": "Dupont", "nom": "Martin"}, Card(), FR)

    assert card.family_name == "Martin"
    assert crm_fields(card, FR) == {"nom": "Martin"}
    assert card_of_crm({"nom": "", "last_name": "Dupont"}, Card(), FR).family_name == "Dupont"
    assert card.custom == {"last_name": "Dupont"}
    same = card_of_crm({"last_name": "Martin", "nom": "Martin", "sobrenome": None}, Card(), FR)
    assert same == Card(family_name="Martin")


def test_what_is_not_named_stays_and_null_empties() -> None:
    card = card_of_crm({"fonction": None, "ville": "Lyon"}, ZOE, FR)

    assert card.title == ""
    assert card.organization == "ACME"
    assert card.addresses[0].city == "Lyon"
    assert card.addresses[0].street == "1 rue de la Paix"


def test_an_address_without_anything_is_gone() -> None:
    assert card_of_crm({"adresse": None, "ville": "", "code_postal": None}, ZOE, FR).addresses == ()


def test_one_number_of_the_crm_replaces_the_primary_one_and_leaves_the_others() -> None:
    home = Phone(number="01 11 11 11 11", e164="+33111111111", type="home")
    work = Phone(number="02 22 22 22 22", e164="+33222222222", type="work", primary=True)
    card = card_of_crm({"telephone": "06 12 34 56 78"}, Card(phones=(home, work)), FR)

    assert card.phones == (
        home,
        Phone(number="06 12 34 56 78", e164="+33612345678", type="work", primary=True),
    )


def test_a_number_that_is_there_becomes_the_primary_one() -> None:
    first = Phone(number="01 11 11 11 11", e164="+33111111111", type="home", primary=True)
    second = Phone(number="06 12 34 56 78", e164="+33612345678", type="mobile")
    card = card_of_crm({"telephone": "+33 6 12 34 56 78"}, Card(phones=(first, second)), FR)

    assert [(one.e164, one.type, one.primary) for one in card.phones] == [
        ("+33111111111", "home", False),
        ("+33612345678", "mobile", True),
    ]


def test_a_number_that_goes_leaves_the_next_as_the_primary_one() -> None:
    first = Phone(number="01 11 11 11 11", e164="+33111111111", primary=True)
    second = Phone(number="06 12 34 56 78", e164="+33612345678")
    card = card_of_crm({"telephone": None}, Card(phones=(first, second)), FR)

    assert [(one.e164, one.primary) for one in card.phones] == [("+33612345678", True)]


def test_typed_names_and_the_untyped_one_do_not_meet() -> None:
    defaults = TenantDefaults(region="FR", mapping={"portable": "phone/mobile"})
    card = card_of_crm({"portable": "06 12 34 56 78"}, Card(), defaults)
    assert crm_fields(card, defaults)["portable"] == "06 12 34 56 78"
    both = card_of_crm(
        {"telephone": "01 11 11 11 11", "portable": "06 12 34 56 78"}, card, defaults
    )

    assert [(one.number, one.type) for one in both.phones] == [
        ("06 12 34 56 78", "mobile"),
        ("01 11 11 11 11", ""),
    ]
    told = crm_fields(both, defaults)
    assert (told["telephone"], told["portable"]) == ("01 11 11 11 11", "06 12 34 56 78")


def test_lists_replace_all_and_keep_types() -> None:
    card = card_of_crm(
        {
            "emails": ["zoe@example.org", {"address": "z@home.example", "type": "home"}],
            "telephones": ["ask Bob"],
        },
        Card(emails=(Email(address="ZOE@example.org", type="work", primary=True),)),
        FR,
    )

    assert card.emails == (
        Email(address="zoe@example.org", type="work", primary=True),
        Email(address="z@home.example", type="home"),
    )
    assert card.phones == (Phone(number="ask Bob", primary=True),)


def test_a_whole_address_may_be_an_object() -> None:
    card = card_of_crm({"adresse": {"rue": "?", "ville": "Paris", "street": "1 A"}}, Card(), FR)

    assert card.addresses == (Address(street="1 A", city="Paris", primary=True),)


def test_a_country_by_another_name_has_no_code_of_the_former() -> None:
    before = Card(addresses=(Address(country="France", country_code="FR", primary=True),))

    assert card_of_crm({"pays": "Belgique"}, before, FR).addresses[0].country_code == ""
    assert card_of_crm({"pays": "France"}, before, FR).addresses[0].country_code == "FR"


def test_a_whole_name_is_not_taken_apart() -> None:
    card = card_of_crm({"nom_complet": "Ana Maria da Silva"}, Card(family_name="X"), FR)

    assert card == Card(given_name="Ana Maria da Silva")
    assert card_of_crm({"name": "Zoé Martin"}, ZOE, FR) == ZOE
    assert card_of_crm({"name": "Z M", "prenom": "Zoé", "nom": "M"}, Card(), FR).name == "Zoé M"


@pytest.mark.parametrize(
    "text", ["given_name", "name", "phone", "phone/mobile", "street/home", "custom/siret", "emails"]
)
def test_these_are_what_a_name_may_mean(text: str) -> None:
    assert is_target(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "colour",
        "custom/",
        "custom",
        "given_name/x",
        "phone/",
        "custom/" + "x" * 100,
        "emails/work",
    ],
)
def test_these_are_not(text: str) -> None:
    assert not is_target(text)


TEXTS = st.text(max_size=12)
VALUES = st.recursive(
    st.none() | TEXTS | st.integers() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(
    [*FRENCH, "emails", "telephones", "adresses", "name", "pays", "x", "sobrenome", "notes", "site"]
)


@given(st.dictionaries(NAMES | TEXTS.filter(bool), VALUES, max_size=8))
def test_whatever_the_crm_says_makes_a_card_that_can_be_kept(fields: dict[str, Any]) -> None:
    card = card_of_crm(fields, ZOE, FR)

    assert card_of_crm({}, card, FR) == card
    for items in (card.emails, card.phones, card.addresses, card.urls):
        assert sum(one.primary for one in items) == bool(items)


@given(st.dictionaries(NAMES, TEXTS, max_size=8))
def test_what_is_told_and_said_again_changes_nothing(fields: dict[str, Any]) -> None:
    card = card_of_crm(fields, ZOE, FR)

    assert card_of_crm(crm_fields(card, FR), card, FR) == card
