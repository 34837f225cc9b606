from typing import Any

import pytest

from libs.common.google.wire import AnswerUnreadable
from services.contacts.domain.card import Address, Card
from services.contacts.domain.label import LabelKind
from services.contacts.google.answers import (
    labels_page,
    our_ids,
    people_of,
    people_page,
    person_of,
)

CONTACT = {"source": {"type": "CONTACT", "id": "1"}}


def answer(**fields: Any) -> dict[str, Any]:
    """Return a person as the People API answers them."""
    source = {"type": "CONTACT", "id": "1", "etag": "#a", "updateTime": "2026-01-02T03:04:05Z"}
    return {
        "resourceName": "people/c1",
        "etag": "%a",
        "metadata": {"sources": [source]},
        **fields,
    }


def card(**fields: Any) -> Card:
    """Return what is read of a person with these fields."""
    return person_of(answer(**fields)).card


def test_a_person_is_read_with_all_that_a_card_knows() -> None:
    found = card(
        names=[
            {
                "honorificPrefix": "Dr",
                "givenName": "Ada",
                "middleName": "K",
                "familyName": "Byron",
                "honorificSuffix": "II",
            }
        ],
        organizations=[{"name": "Engines", "title": "Countess", "department": "Maths"}],
        birthdays=[{"date": {"year": 1815, "month": 12, "day": 10}}],
        biographies=[{"value": "Notes"}],
        urls=[{"value": "https://ada.example", "type": "blog"}],
        userDefined=[{"key": "Shoe", "value": "38"}],
    )
    assert found.name == "Dr Ada K Byron II"
    assert (found.organization, found.title, found.department) == ("Engines", "Countess", "Maths")
    assert (found.birthday, found.notes, found.custom) == ("1815-12-10", "Notes", {"Shoe": "38"})
    assert found.urls[0].type == "blog"


def test_the_time_and_etag_are_those_of_the_contact() -> None:
    found = person_of(answer())
    assert found.etag == "%a"
    assert found.updated_at is not None
    assert found.updated_at.isoformat() == "2026-01-02T03:04:05+00:00"
    assert found.items["metadata"]["sources"][0]["etag"] == "#a"


def test_what_a_profile_says_is_not_the_contacts() -> None:
    profile = {"primary": True, "source": {"type": "PROFILE", "id": "9"}}
    found = card(
        names=[
            {"givenName": "Profile", "metadata": profile},
            {"givenName": "Contact", "metadata": CONTACT},
        ],
        emailAddresses=[{"value": "profile@example.org", "metadata": profile}],
    )
    assert found.given_name == "Contact"
    assert found.emails == ()


def test_of_two_names_the_main_one_is_taken() -> None:
    main = {"primary": True, "source": {"type": "CONTACT", "id": "1"}}
    names = [
        {"givenName": "First", "metadata": CONTACT},
        {"givenName": "Main", "metadata": main},
    ]
    assert card(names=names).given_name == "Main"


def test_a_name_that_nobody_took_apart_is_a_given_name() -> None:
    assert card(names=[{"unstructuredName": "Prince"}]).given_name == "Prince"


def test_exactly_one_item_of_a_list_is_primary() -> None:
    found = card(emailAddresses=[{"value": "a@x.org"}, {"value": "b@x.org"}])
    assert [one.primary for one in found.emails] == [True, False]


def test_an_address_twice_is_one() -> None:
    found = card(emailAddresses=[{"value": "A@x.org"}, {"value": "a@x.org"}])
    assert [one.address for one in found.emails] == ["A@x.org"]


@pytest.mark.parametrize("text", ["not an address", "@", "ada@@example..org", "é@é"])
def test_malformed_addresses_and_numbers_are_kept_as_typed(text: str) -> None:
    found = card(emailAddresses=[{"value": text}], phoneNumbers=[{"value": text}])
    assert found.emails[0].address == text
    assert found.phones[0].number == text


def test_items_without_a_value_are_none() -> None:
    found = card(emailAddresses=[{"type": "home"}, {"value": " "}], urls=[{}], addresses=[{}])
    assert found == Card()


def test_what_google_made_of_an_address_is_its_street_if_there_is_no_more() -> None:
    only = card(addresses=[{"formattedValue": "Rua A, 1\nSão Paulo"}])
    assert only.addresses == (Address(street="Rua A, 1\nSão Paulo", primary=True),)
    more = card(addresses=[{"formattedValue": "Rua A, 1\nSão Paulo", "city": "São Paulo"}])
    assert more.addresses == (Address(city="São Paulo", primary=True),)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"date": {"month": 5, "day": 2}}, "--05-02"),
        ({"date": {"year": 1980, "month": 5, "day": 2}, "text": "x"}, "1980-05-02"),
        ({"text": "in May"}, "in May"),
        ({"date": {"year": 1980}, "text": "1980"}, "1980"),
        ({"date": {"year": 1980, "month": 13, "day": 40}}, ""),
    ],
)
def test_birthdays_are_days_or_what_was_typed(given: dict[str, Any], shown: str) -> None:
    assert card(birthdays=[given]).birthday == shown


def test_of_fields_under_one_key_the_first_is_taken() -> None:
    found = card(userDefined=[{"key": "a", "value": "1"}, {"key": "a", "value": "2"}])
    assert found.custom == {"a": "1"}


def test_our_ids_are_read_of_whichever_tenant() -> None:
    marks = [
        {"key": "causeway", "value": "one"},
        {"key": "other", "value": "x"},
        {"key": "causeway", "value": "two"},
        {"key": "causeway"},
    ]
    assert person_of(answer(clientData=marks)).our_ids == ("one", "two")
    assert our_ids({}) == ()


def test_memberships_are_groups_and_no_domains() -> None:
    memberships = [
        {"contactGroupMembership": {"contactGroupResourceName": "contactGroups/b"}},
        {"contactGroupMembership": {"contactGroupResourceName": "contactGroups/a"}},
        {"domainMembership": {"inViewerDomain": True}},
    ]
    found = person_of(answer(memberships=memberships))
    assert found.groups == ("contactGroups/a", "contactGroups/b")


def test_fields_are_kept_as_google_has_them() -> None:
    email = {"value": "a@x.org", "displayName": "A", "metadata": {"verified": True}, "new": [1]}
    found = person_of(answer(emailAddresses=[email], photos=[{"url": "x"}]))
    assert found.items["emailAddresses"] == [email]
    assert "photos" not in found.items


def test_a_deleted_person_has_a_name_only() -> None:
    page = people_page(
        {
            "connections": [
                {
                    "resourceName": "people/c1",
                    "metadata": {"deleted": True, "previousResourceNames": ["people/c0"]},
                }
            ],
            "nextSyncToken": "t",
        }
    )
    (found,) = page.people
    assert found.is_deleted
    assert found.former == ("people/c0",)
    assert page.next_sync_token == "t"


@pytest.mark.parametrize(
    "item",
    [
        None,
        [],
        {},
        {"resourceName": "contactGroups/x"},
        {"resourceName": "people/"},
        {"resourceName": "people/c1", "names": {}},
        {"resourceName": "people/c1", "emailAddresses": [{"value": 5}]},
        {"resourceName": "people/c1", "metadata": {"sources": [{"updateTime": "soon"}]}},
    ],
)
def test_who_cannot_be_read_does_not_lose_the_others(item: Any) -> None:
    page = people_page({"connections": [item, answer()]})
    assert len(page.unreadable) == 1
    assert [one.resource for one in page.people] == ["people/c1"]


@pytest.mark.parametrize("page", [None, [], "x", {"connections": {}}, {"nextPageToken": 5}])
def test_what_is_no_page_is_refused(page: Any) -> None:
    with pytest.raises(AnswerUnreadable):
        people_page(page)


def test_pages_that_lead_in_a_circle_are_refused() -> None:
    with pytest.raises(AnswerUnreadable):
        people_page({"nextPageToken": "a"}, after="a")


def test_several_people_are_found_by_the_names_they_were_asked_for_with() -> None:
    found = people_of(
        {
            "responses": [
                {"requestedResourceName": "people/c0", "httpStatusCode": 200, "person": answer()},
                {"requestedResourceName": "people/c2", "httpStatusCode": 404},
                {"requestedResourceName": "people/c3", "httpStatusCode": 503},
                {"requestedResourceName": "people/c4", "httpStatusCode": 200, "person": {}},
                {
                    "requestedResourceName": "people/c5",
                    "httpStatusCode": 200,
                    "person": answer(metadata={"deleted": True}),
                },
            ]
        }
    )
    there = found["people/c0"]
    assert there is not None
    assert there.resource == "people/c1"
    assert found == {"people/c0": there, "people/c2": None, "people/c5": None}


def test_labels_are_the_persons_or_googles() -> None:
    page = labels_page(
        {
            "contactGroups": [
                {
                    "resourceName": "contactGroups/a",
                    "groupType": "USER_CONTACT_GROUP",
                    "name": " Clients ",
                    "metadata": {"updateTime": "2026-01-02T03:04:05Z"},
                },
                {"resourceName": "contactGroups/b", "groupType": "SYSTEM_CONTACT_GROUP"},
                {"resourceName": "contactGroups/c", "metadata": {"deleted": True}},
                {"name": "nameless"},
            ]
        }
    )
    own, system, gone = page.labels
    assert (own.name, own.kind) == ("Clients", LabelKind.USER)
    assert system.kind is LabelKind.SYSTEM
    assert gone.is_deleted
    assert len(page.unreadable) == 1
