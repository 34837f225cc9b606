"""What is written of a person: what changed, and nothing else is lost."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contacts.domain.card import Address, Card, Email, Phone, Url
from services.contacts.google.answers import person_of
from services.contacts.google.bodies import Change, change, creation

OURS = "0190a000-0000-7000-8000-000000000001"
SOURCE = {"type": "CONTACT", "id": "1f", "etag": "#s", "updateTime": "2026-05-04T12:00:00Z"}


def marked(item: dict[str, Any], *, primary: bool = True, source: str = "CONTACT") -> Any:
    """Return an item as Google shows it."""
    about: dict[str, Any] = {"source": {"type": source, "id": "1f"}}
    if primary:
        about |= {"primary": True, "sourcePrimary": True}
    return {**item, "metadata": about}


def person(**fields: list[Any]) -> dict[str, Any]:
    """Return a person as Google shows them."""
    return {
        "resourceName": "people/c1",
        "etag": "%p",
        "metadata": {"sources": [SOURCE], "objectType": "PERSON"},
        **fields,
    }


def changed(raw: dict[str, Any], **fields: Any) -> Change:
    """Return what is written of a person when our side changes fields of them."""
    read = person_of(raw)
    names = Card.__dataclass_fields__
    wanted = Card(**({name: getattr(read.card, name) for name in names} | fields))
    return change(wanted, read.card, read.items, read.etag, OURS)


MARK = [marked({"key": "causeway", "value": OURS})]


def test_only_the_field_that_changed_is_written_with_the_etags_as_they_were_read() -> None:
    raw = person(
        names=[marked({"givenName": "Ada", "displayName": "Ada", "unstructuredName": "Ada"})],
        organizations=[marked({"name": "Acme", "title": "Clerk"})],
        clientData=MARK,
    )
    written = changed(raw, title="Countess")
    assert written.mask == ("organizations",)
    assert written.body["etag"] == "%p"
    assert written.body["metadata"] == {"sources": [SOURCE]}
    assert "names" not in written.body
    assert "memberships" not in written.body


def test_what_google_makes_of_a_name_is_left_to_it() -> None:
    name = {
        "givenName": "Ada",
        "familyName": "Byron",
        "phoneticGivenName": "Eida",
        "displayName": "Ada Byron",
        "displayNameLastFirst": "Byron, Ada",
        "unstructuredName": "Ada Byron",
    }
    written = changed(person(names=[marked(name)], clientData=MARK), family_name="")
    (one,) = written.body["names"]
    assert {key: value for key, value in one.items() if key != "metadata"} == {
        "givenName": "Ada",
        "phoneticGivenName": "Eida",
    }


def test_other_jobs_and_other_parts_of_a_job_stay() -> None:
    raw = person(
        organizations=[
            marked({"name": "Old", "title": "Boss"}, primary=False),
            marked({"name": "Acme", "title": "Clerk", "jobDescription": "Sums"}),
        ],
        clientData=MARK,
    )
    written = changed(raw, title="", organization="")
    assert written.body["organizations"] == [
        raw["organizations"][0],
        marked({"jobDescription": "Sums"}),
    ]


def test_a_job_of_which_nothing_is_left_goes() -> None:
    raw = person(organizations=[marked({"title": "Clerk", "type": "work"})], clientData=MARK)
    assert changed(raw, title="").body["organizations"] == []


def test_an_address_keeps_what_no_card_knows_of_it() -> None:
    raw = person(
        emailAddresses=[
            marked({"value": "Ada@x.org", "type": "work", "displayName": "The Countess"}),
            marked({"value": "old@x.org"}, primary=False),
        ],
        clientData=MARK,
    )
    mails = (
        Email(address="ada@x.org", type="home", primary=True),
        Email(address="new@x.org", type="other"),
    )
    first, second = changed(raw, emails=mails).body["emailAddresses"]
    assert (first["displayName"], first["type"]) == ("The Countess", "home")
    assert first["metadata"]["sourcePrimary"] is True
    assert second == {"value": "new@x.org", "type": "other"}


def test_another_item_can_be_the_primary_one() -> None:
    raw = person(
        emailAddresses=[
            marked({"value": "a@x.org"}),
            marked({"value": "b@x.org"}, primary=False),
        ],
        clientData=MARK,
    )
    mails = (Email(address="a@x.org"), Email(address="b@x.org", primary=True))
    first, second = changed(raw, emails=mails).body["emailAddresses"]
    assert "sourcePrimary" not in first["metadata"]
    assert second["metadata"]["sourcePrimary"] is True


def test_items_of_the_persons_own_profile_are_never_written() -> None:
    raw = person(
        emailAddresses=[
            marked({"value": "profile@x.org"}, source="PROFILE"),
            marked({"value": "a@x.org"}, primary=False),
        ],
        clientData=MARK,
    )
    written = changed(raw, emails=(Email(address="b@x.org", primary=True),))
    assert [one["value"] for one in written.body["emailAddresses"]] == ["b@x.org"]


def test_a_number_is_the_same_however_it_is_spelled() -> None:
    raw = person(
        phoneNumbers=[marked({"value": "+33 1 23 45 67 89", "canonicalForm": "+33123456789"})],
        clientData=MARK,
    )
    read = person_of(raw).card
    base = Card(phones=(Phone(number="+33 1 23 45 67 89", e164="+33123456789", primary=True),))
    wanted = Card(phones=(Phone(number="0123456789", e164="+33123456789", primary=True),))
    written = change(wanted, base, person_of(raw).items, "%p", OURS)
    assert [one["value"] for one in written.body["phoneNumbers"]] == ["0123456789"]
    assert read.phones[0].number == "+33 1 23 45 67 89"


def test_what_google_makes_of_an_address_is_never_written() -> None:
    raw = person(
        addresses=[marked({"streetAddress": "1 Rue", "formattedValue": "1 Rue", "poBox": "7"})],
        clientData=MARK,
    )
    place = Address(street="2 Rue", po_box="7", city="Paris", primary=True)
    (one,) = changed(raw, addresses=(place,)).body["addresses"]
    assert "formattedValue" not in one
    assert (one["streetAddress"], one["poBox"], one["city"]) == ("2 Rue", "7", "Paris")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("1815-12-10", {"date": {"year": 1815, "month": 12, "day": 10}}),
        ("--12-10", {"date": {"month": 12, "day": 10}}),
        ("in winter", {"text": "in winter"}),
    ],
)
def test_a_birthday_is_a_day_or_what_was_typed(text: str, written: dict[str, Any]) -> None:
    assert creation(Card(birthday=text), OURS)["birthdays"] == [written]


def test_custom_fields_are_changed_by_name_and_others_stay() -> None:
    raw = person(
        userDefined=[
            marked({"key": "tax", "value": "1"}),
            marked({"key": "tax", "value": "2"}, primary=False),
            marked({"key": "code", "value": "x"}, primary=False),
        ],
        clientData=MARK,
    )
    written = changed(raw, custom={"tax": "9", "new": "y"})
    assert [(one["key"], one["value"]) for one in written.body["userDefined"]] == [
        ("tax", "9"),
        ("tax", "2"),
        ("new", "y"),
    ]


def test_our_id_is_written_along_and_nobody_elses_is_lost() -> None:
    other = marked({"key": "other", "value": "1"})
    raw = person(clientData=[other], organizations=[marked({"title": "Clerk"})])
    written = changed(raw, title="Countess")
    assert written.mask == ("clientData", "organizations")
    assert written.body["clientData"] == [other, {"key": "causeway", "value": OURS}]


def test_our_id_alone_is_no_reason_to_write() -> None:
    assert changed(person(organizations=[marked({"title": "Clerk"})])) == Change({}, ())


def test_notes_replace_notes_and_nothing_takes_them_away() -> None:
    raw = person(
        biographies=[marked({"value": "<b>old</b>", "contentType": "TEXT_HTML"})], clientData=MARK
    )
    (note,) = changed(raw, notes="new").body["biographies"]
    assert (note["value"], note["contentType"]) == ("new", "TEXT_PLAIN")
    assert changed(raw, notes="").body["biographies"] == []


def test_a_new_person_says_all_that_the_card_says() -> None:
    card = Card(
        given_name="Ada",
        title="Countess",
        emails=(Email(address="a@x.org", type="work", primary=True),),
        urls=(Url(value="https://x.org", primary=True),),
        custom={"tax": "1"},
    )
    body = creation(card, OURS)
    assert body == {
        "names": [{"givenName": "Ada"}],
        "organizations": [{"title": "Countess"}],
        "emailAddresses": [
            {"value": "a@x.org", "type": "work", "metadata": {"sourcePrimary": True}}
        ],
        "urls": [{"value": "https://x.org", "metadata": {"sourcePrimary": True}}],
        "userDefined": [{"key": "tax", "value": "1"}],
        "clientData": [{"key": "causeway", "value": OURS}],
    }


words = st.text("abcdefg", min_size=1, max_size=6)
mails = st.lists(words, max_size=4, unique=True).map(
    lambda names: tuple(
        Email(address=f"{name}@x.org", type="work", primary=number == 0)
        for number, name in enumerate(names)
    )
)
cards = st.builds(
    Card,
    given_name=words,
    title=st.one_of(st.just(""), words),
    notes=st.one_of(st.just(""), words),
    emails=mails,
    custom=st.dictionaries(words, words, max_size=3),
)


@given(cards, cards)
def test_what_is_written_reads_back_as_the_card(before: Card, after: Card) -> None:
    raw = person(**creation(before, OURS))
    read = person_of(raw)
    written = change(after, before, read.items, read.etag, OURS)
    assert "memberships" not in written.mask
    now = person_of({**raw, **{name: written.body[name] for name in written.mask}})
    assert {one.address for one in now.card.emails} == {one.address for one in after.emails}
    assert (now.card.given_name, now.card.title, now.card.notes, dict(now.card.custom)) == (
        after.given_name,
        after.title,
        after.notes,
        dict(after.custom),
    )
