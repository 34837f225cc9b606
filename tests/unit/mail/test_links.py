from datetime import UTC, datetime

import pytest

from libs.common.addresses import is_address
from libs.common.directory.fields import EntityFields
from libs.common.errors import InvalidInput
from libs.common.events import crm
from libs.common.events.crm import EntityUpserted
from services.mail.domain.links import matchable, own_addresses, participants
from services.mail.domain.message import Content, Person

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
EVENT = EntityUpserted(entity_type="lead", entity_id="7", version=3, emails=("Bob@X.test",))


def content(*addresses: str) -> Content:
    return Content(to=tuple(Person(one) for one in addresses))


def test_own_domains_never_match() -> None:
    own = own_addresses(["Alice@Example.com"])
    found = matchable(content("carol@EXAMPLE.com", "bob@example.org"), own)
    assert found == {"bob@example.org"}


def test_a_subdomain_is_somebody_elses() -> None:
    own = own_addresses(["alice@example.com"])
    assert matchable(content("bob@mail.example.com"), own) == {"bob@mail.example.com"}


@pytest.mark.parametrize("domain", ["gmail.com", "googlemail.com"])
def test_where_everybody_is_a_neighbour_only_the_exact_address_is_own(domain: str) -> None:
    own = own_addresses([f"alice@{domain}"])
    assert matchable(content(f"Alice@{domain}", f"bob@{domain}"), own) == {f"bob@{domain}"}


def test_everybody_in_the_headers_is_looked_at() -> None:
    said = Content(
        sender=Person("a@x.test"),
        to=(Person("B@x.test"),),
        cc=(Person("c@x.test"),),
        bcc=(Person("d@x.test"),),
    )
    assert len(matchable(said, own_addresses([]))) == 4
    assert [(one.address, one.role) for one in participants(said)] == [
        ("a@x.test", "from"),
        ("B@x.test", "to"),
        ("c@x.test", "cc"),
        ("d@x.test", "bcc"),
    ]


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("bob@x", True),
        ("o'brien+tag@x.test", True),
        ("bob", False),
        ("@x.test", False),
        ("bob@", False),
        ("b ob@x.test", False),
        ("bob@x.test\n", False),
        ("b" * 320 + "@x.test", False),
    ],
)
def test_an_address_is_recognised_without_being_strict(text: str, verdict: object) -> None:
    assert is_address(text) is verdict


def test_addresses_of_an_entity_are_folded_and_kept_once() -> None:
    fields = EntityFields(version=1, emails=(" Bob@X.test", "bob@x.test", "a@x.test"))
    assert fields.emails == ("a@x.test", "bob@x.test")


def test_an_event_of_the_crm_names_its_entity_in_subject_and_data() -> None:
    envelope = crm.envelope_of(EVENT, tenant_id="acme", time=NOON)
    assert envelope.subject == "lead/7"
    assert envelope.source == "/crm"
    assert crm.read(envelope) == EVENT


@pytest.mark.parametrize("subject", ["lead/8", "deal/7", "entity/7", "lead", "lead/7/8"])
def test_an_event_whose_subject_is_another_entity_is_refused(subject: str) -> None:
    envelope = crm.envelope_of(EVENT, tenant_id="acme", time=NOON)
    with pytest.raises(InvalidInput) as caught:
        crm.read(envelope.model_copy(update={"subject": subject}))
    assert caught.value.data["errors"] == [
        {"field": "subject", "detail": "must be <entity_type>/<entity_id> of the data"}
    ]
