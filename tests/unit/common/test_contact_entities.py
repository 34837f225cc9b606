"""What an event of a contact means for the directory of entities."""

from typing import Any

import pytest

from libs.common.directory import EntityRef
from libs.common.directory.contacts import news_of
from libs.common.errors import InvalidInput
from libs.common.events.contacts import ContactEvent, read_contact
from tests.contacts_told import ANN, LATER, created, deleted, merged, sealed, updated
from tests.messaging import NOON

OWN = EntityRef("contact", str(ANN))
CRMS = EntityRef("contact", "c-7")


def test_a_contact_of_the_tenants_is_an_entity_with_clean_addresses() -> None:
    news = news_of(created("Ann@X.test ", "ann@x.test", "no address"), sequence=1, at=NOON)

    assert news is not None
    assert (news.contact_id, news.sequence, news.gone) == (ANN, 1, ())
    assert news.entity is not None
    assert news.entity.ref == OWN
    assert news.entity.emails == ("ann@x.test",)
    assert news.entity.phones == ("+55112345", "ext. 7")
    assert (news.entity.name, news.entity.owner_user_id) == ("Ann", "ada")


def test_a_contact_that_the_crm_has_now_is_no_more_what_it_was() -> None:
    news = news_of(updated("ann@x.test", entity_id="c-7"), sequence=2, at=NOON)

    assert news is not None
    assert news.entity is not None
    assert news.entity.ref == CRMS
    assert news.gone == (OWN,)


def test_a_contact_that_is_new_was_nothing_before() -> None:
    news = news_of(created("ann@x.test", entity_id="c-7"), sequence=1, at=NOON)
    assert news is not None
    assert news.gone == ()


@pytest.mark.parametrize("event", [created(visible_to="owner"), deleted(visible_to="owner")])
def test_a_contact_that_is_its_owners_alone_concerns_nobody(event: ContactEvent) -> None:
    assert news_of(event, sequence=1, at=NOON) is None


def test_a_contact_that_becomes_its_owners_alone_is_an_entity_no_more() -> None:
    news = news_of(updated("ann@x.test", visible_to="owner"), sequence=2, at=NOON)
    assert news is not None
    assert (news.entity, news.gone) == (None, (OWN,))


@pytest.mark.parametrize("event", [deleted(entity_id="c-7"), merged(entity_id="c-7")])
def test_a_contact_that_is_gone_or_another_one_is_gone_as_both(event: ContactEvent) -> None:
    news = news_of(event, sequence=3, at=NOON)
    assert news is not None
    assert (news.entity, news.gone) == (None, (CRMS, OWN))


def test_more_addresses_than_the_directory_has_room_for_are_cut() -> None:
    many = [f"ann{number:03}@x.test" for number in range(60)]
    news = news_of(created(*many, name="A" * 600), sequence=1, at=NOON)
    assert news is not None
    assert news.entity is not None
    assert news.entity.emails == tuple(many[:50])
    assert len(news.entity.name) == 500


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"subject": f"contact/{LATER}"}, "subject"), ({"type": "contacts.group.created.v1"}, "type")],
)
def test_an_event_of_something_else_is_refused(wrong: dict[str, Any], field: str) -> None:
    envelope = sealed(created(), 1).model_copy(update=wrong)
    with pytest.raises(InvalidInput) as caught:
        read_contact(envelope)
    errors: Any = caught.value.data["errors"]
    assert [one["field"] for one in errors] == [field]
