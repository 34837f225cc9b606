from uuid import UUID

import pytest

from libs.common import clock
from libs.common.db import POOL, transaction
from libs.common.events.base import Origin
from services.contacts.domain.card import Card, Email, Phone
from services.contacts.domain.contact import Contact, NewContact
from services.contacts.domain.items import led_card
from services.contacts.store import connections
from services.contacts.store.matching import MOST_CANDIDATES, find_candidates
from services.contacts.sync.changing.turn import Turn
from services.contacts.sync.feeds import wake, work_address
from tests.integration.contacts.stand import Stand, human
from tests.support import caller_token, eventually


async def known(
    stand: Stand,
    name: str = "Ada",
    *,
    email: str = "",
    phone: str = "",
    owner: str | None = None,
    entity: str | None = None,
    title: str = "",
) -> Contact:
    """Let the CRM's side have a contact."""
    card = Card(
        given_name=name,
        emails=(Email(address=email),) if email else (),
        phones=(Phone(number=phone, e164=phone),) if phone else (),
        title=title,
    )
    async with transaction(stand.app[POOL]) as conn:
        turn = await Turn.begin(conn, "acme", now=clock.now())
        new = NewContact(owner_user_id=owner, entity_id=entity, card=led_card(card))
        made = turn.create(new, origin=Origin.CRM)
        await turn.end()
    return made


async def ids(stand: Stand) -> list[UUID]:
    """Return which live contacts the tenant has."""
    return [row["id"] for row in await stand.kept()]


async def test_a_person_is_the_contact_whose_id_they_carry(contacts: Stand) -> None:
    made = await known(contacts)
    other = await known(contacts, "Other", email="ada@example.org")
    mark = {"key": "causeway", "value": str(made.id)}
    await contacts.add(human("Ada Byron", "ada@example.org", clientData=[mark]))
    await contacts.connect()
    (person,) = await contacts.people()
    assert person["contact_id"] == made.id
    assert sorted(await ids(contacts)) == sorted([made.id, other.id])


async def test_an_id_of_another_tenants_contact_means_nothing(contacts: Stand) -> None:
    made = await known(contacts)
    mark = {"key": "causeway", "value": str(made.id)}
    await contacts.add(human("Ada Byron", clientData=[mark, {"key": "causeway", "value": "what"}]))
    await contacts.connect(token=caller_token(tenant="globex", user="grace"))
    (row,) = await contacts.kept(tenant="globex")
    assert row["id"] != made.id


async def test_a_person_is_the_one_contact_with_their_address(contacts: Stand) -> None:
    made = await known(contacts, email="ADA@example.org")
    await contacts.add(human("Ada Byron", "ada@Example.org"))
    await contacts.connect()
    assert await ids(contacts) == [made.id]


async def test_a_person_is_the_one_contact_with_their_number(contacts: Stand) -> None:
    made = await known(contacts, phone="+5511987654321")
    await contacts.add(human("Ada Byron", phone="(11) 98765-4321"))
    await contacts.connect()
    assert await ids(contacts) == [made.id]


async def test_an_address_counts_before_a_number(contacts: Stand) -> None:
    by_email = await known(contacts, email="ada@example.org")
    await known(contacts, phone="+5511987654321")
    await contacts.add(human("Ada Byron", "ada@example.org", phone="(11) 98765-4321"))
    await contacts.connect()
    (person,) = await contacts.people()
    assert person["contact_id"] == by_email.id


async def test_what_only_one_side_has_both_have_then(contacts: Stand) -> None:
    made = await known(contacts, email="ada@example.org", title="Countess")
    await contacts.add(human("Ada Byron", "ada@example.org", "byron@example.org"))
    await contacts.connect()
    (row,) = await contacts.kept()
    assert row["id"] == made.id
    assert row["card"]["title"] == "Countess"
    assert row["card"]["family_name"] == "Byron"
    assert sorted(row["emails"]) == ["ada@example.org", "byron@example.org"]


@pytest.mark.parametrize(("policy", "title"), [("google", "Theirs"), ("crm", "Ours")])
async def test_where_both_have_another_value_the_policy_decides(
    contacts: Stand, policy: str, title: str
) -> None:
    await known(contacts, email="ada@example.org", title="Ours")
    await contacts.add(human("Ada", "ada@example.org", organizations=[{"title": "Theirs"}]))
    await contacts.connect(preferences={"conflict_policy": policy})
    (row,) = await contacts.kept()
    assert row["card"]["title"] == title


async def test_a_person_who_can_be_several_contacts_is_none_until_somebody_says(
    contacts: Stand,
) -> None:
    first = await known(contacts, "First", email="ada@example.org")
    second = await known(contacts, "Second", email="ada@example.org")
    made = await contacts.add(human("Ada Byron", "ada@example.org"))
    await contacts.connect()
    (person,) = await contacts.people()
    assert person["contact_id"] is None
    assert sorted(await ids(contacts)) == sorted([first.id, second.id])
    (told,) = await eventually(lambda: contacts.events("contacts.conflict."))
    assert told.type == "contacts.conflict.detected.v1"
    assert told.data["kind"] == "match"
    assert told.data["resource"] == made["resourceName"]
    assert told.data["candidates"] == sorted([str(first.id), str(second.id)])


async def test_the_same_question_is_not_asked_twice(contacts: Stand) -> None:
    await known(contacts, "First", email="ada@example.org")
    await known(contacts, "Second", email="ada@example.org")
    made = await contacts.add(human("Ada Byron", "ada@example.org"))
    connection = await contacts.connect()
    changes = {"biographies": [{"value": "x"}]}
    await contacts.edit(made["resourceName"], "change", changes=changes)
    await contacts.look(connection)
    await contacts.quiet()
    assert len(contacts.events("contacts.conflict.")) == 1


async def test_the_question_is_over_when_the_person_is_only_one(contacts: Stand) -> None:
    first = await known(contacts, "First", email="ada@example.org")
    await known(contacts, "Second", email="ada@example.org", phone="+5511987654321")
    made = await contacts.add(human("Ada Byron", "ada@example.org"))
    await contacts.connect()
    mark = {"key": "causeway", "value": str(first.id)}
    await contacts.edit(made["resourceName"], "change", changes={"clientData": [mark]})

    async def is_linked() -> bool:
        (person,) = await contacts.people()
        return bool(person["contact_id"] == first.id)

    await eventually(is_linked)
    await eventually(lambda: contacts.events("contacts.conflict.resolved"))


async def test_nobody_is_somebody_elses_private_contact(contacts: Stand) -> None:
    private = await known(contacts, email="ada@example.org", owner="bob")
    await contacts.add(human("Ada Byron", "ada@example.org"))
    await contacts.connect()
    assert len(await contacts.kept()) == 2
    (person,) = await contacts.people()
    assert person["contact_id"] != private.id


async def test_two_people_with_one_address_are_two_contacts(contacts: Stand) -> None:
    await contacts.add(human("Ada Byron", "family@example.org"))
    await contacts.add(human("Anne Byron", "family@example.org"))
    await contacts.connect()
    assert len(await contacts.kept()) == 2
    assert contacts.events("contacts.conflict.") == []


async def test_two_address_books_of_one_user_have_one_contact_of_a_person(
    contacts: Stand,
) -> None:
    await contacts.google.add_person("alice.private@example.com")
    await contacts.add(human("Ada Byron", "ada@example.org"))
    await contacts.add(human("Ada Byron", "ada@example.org"), person="alice.private@example.com")
    await contacts.connect()
    await contacts.connect(person="alice.private@example.com")
    assert len(await contacts.kept()) == 1
    assert len(await contacts.people()) == 2


async def test_nobody_is_imported_who_is_not_wanted_but_matched(contacts: Stand) -> None:
    made = await known(contacts, email="ada@example.org")
    await contacts.add(human("Ada Byron", "ada@example.org"))
    await contacts.add(human("Bob Late", "bob@example.org"))
    await contacts.connect(preferences={"imports": "none"})
    assert await ids(contacts) == [made.id]
    assert len(await contacts.people()) == 2


async def test_those_with_a_label_are_imported_if_only_they_are_wanted(contacts: Stand) -> None:
    label = await contacts.label("Clients")
    await contacts.add(human("Ada Byron"), groups=["Clients"])
    await contacts.add(human("Bob Late"))
    await contacts.connect(
        preferences={"imports": "labels", "import_labels": [label["resourceName"]]}
    )
    (row,) = await contacts.kept()
    assert row["name"] == "Ada Byron"


async def test_a_person_who_gets_a_wanted_label_is_imported(contacts: Stand) -> None:
    label = await contacts.label("Clients")
    made = await contacts.add(human("Ada Byron"))
    await contacts.connect(
        preferences={"imports": "labels", "import_labels": [label["resourceName"]]}
    )
    assert await ids(contacts) == []
    await contacts.edit(made["resourceName"], "label", group="Clients")
    await contacts.named("Ada Byron")


async def test_all_are_imported_when_that_is_wanted_later(contacts: Stand) -> None:
    await contacts.add(human("Many", "many@example.org"), count=450)
    connection = await contacts.connect(preferences={"imports": "none"})
    assert await ids(contacts) == []
    await contacts.prefer(connection, imports="all")

    async def are_all() -> bool:
        return len(await contacts.kept()) == 450

    await eventually(are_all)


async def test_a_contact_deleted_on_our_side_does_not_come_back_with_an_edit(
    contacts: Stand,
) -> None:
    made = await contacts.add(human("Ada Byron"))
    connection = await contacts.connect()
    row = await contacts.named("Ada Byron")
    async with transaction(contacts.app[POOL]) as conn:
        turn = await Turn.begin(conn, "acme", now=clock.now())
        turn.delete((await turn.find([row["id"]]))[row["id"]], origin=Origin.CRM)
        await turn.end()
    changes = {"biographies": [{"value": "x"}]}
    await contacts.edit(made["resourceName"], "change", changes=changes)
    await contacts.look(connection)
    assert await ids(contacts) == []


async def write_of(stand: Stand, contact: Contact) -> str | None:
    """Return how the newest write of a contact stands."""
    rows = await stand.fetch(
        "SELECT state FROM writes WHERE item = $1 ORDER BY created_at DESC LIMIT 1",
        str(contact.id),
    )
    return rows[0]["state"] if rows else None


async def test_a_contact_who_is_in_the_address_book_already_is_not_added_to_it(
    contacts: Stand,
) -> None:
    made = await contacts.add(human("Ada Byron", "ada@example.org"))
    await contacts.connect(preferences={"imports": "none"}, confirmed=True)
    ours = await known(contacts, email="ada@example.org", owner="ada")

    async def is_linked() -> bool:
        (person,) = await contacts.people()
        return bool(person["contact_id"] == ours.id)

    await eventually(is_linked)
    await contacts.quiet()
    assert [one["resourceName"] for one in await contacts.at_google()] == [made["resourceName"]]


async def test_who_may_be_there_already_is_not_added_before_somebody_has_said_who_they_are(
    contacts: Stand,
) -> None:
    await contacts.add(human("Ada Byron", "ada@example.org"))
    await contacts.connect(preferences={"imports": "none"}, confirmed=True)
    async with transaction(contacts.app[POOL]) as conn:
        turn = await Turn.begin(conn, "acme", now=clock.now())
        card = led_card(Card(given_name="Ada", emails=(Email(address="ada@example.org"),)))
        new = NewContact(owner_user_id="ada", card=card)
        both = [turn.create(new, origin=Origin.CRM) for _ in range(2)]
        await turn.end()

    async def are_over() -> bool:
        return {await write_of(contacts, one) for one in both} == {"done"}

    await eventually(are_over)
    assert len(await contacts.at_google()) == 1
    await eventually(lambda: contacts.events("contacts.conflict.detected"))


async def test_a_question_of_which_one_answer_is_left_answers_itself(contacts: Stand) -> None:
    first = await known(contacts, "First", email="ada@example.org")
    second = await known(contacts, "Second", email="ada@example.org")
    await contacts.add(human("Ada Byron", "ada@example.org"))
    connection = await contacts.connect()
    async with transaction(contacts.app[POOL]) as conn:
        turn = await Turn.begin(conn, "acme", now=clock.now())
        turn.delete((await turn.find([second.id]))[second.id], origin=Origin.CRM)
        await turn.end()
        await wake(conn, work_address(UUID(connection)), now=clock.now())

    async def is_linked() -> bool:
        (person,) = await contacts.people()
        return bool(person["contact_id"] == first.id)

    await eventually(is_linked)
    await eventually(lambda: contacts.events("contacts.conflict.resolved"))


async def test_a_number_that_very_many_share_is_asked_about_by_a_few_of_them(
    contacts: Stand,
) -> None:
    await contacts.google.add_person("alice.private@example.com")
    await contacts.add(human("Office", phone="+55 11 3333-4444"), count=60)
    await contacts.connect()
    await contacts.fetch("UPDATE contacts SET entity_id = 'e-' || id")
    await contacts.add(
        human("Somebody", phone="+55 11 3333-4444"), person="alice.private@example.com"
    )
    await contacts.connect(person="alice.private@example.com")
    (told,) = await eventually(lambda: contacts.events("contacts.conflict.detected"))
    assert len(told.data["candidates"]) == MOST_CANDIDATES


MANY = """
INSERT INTO contacts (tenant_id, id, owner_user_id, version, sequence, card, changed, created_at,
                      updated_at, name, emails, phones, search)
SELECT $1, gen_random_uuid(), NULL, 1, 1, '{}', '{}', now(), now(), n::text, ARRAY['p' || n],
       '{}', ''
  FROM generate_series(1, $2::int) AS n
"""
WALKED = """
SELECT sum(pg_stat_get_xact_tuples_returned(oid))::int FROM pg_class
 WHERE oid = 'contacts'::regclass
    OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = 'contacts'::regclass)
"""


@pytest.mark.parametrize("known", ["nothing", "another tenant"])
async def test_contacts_are_found_by_their_keys_whatever_postgres_knows_of_the_table(
    known: str, contacts: Stand
) -> None:
    connection_id = UUID(await contacts.connect())
    keys = [f"p{number}" for number in range(1, 101)]
    async with transaction(contacts.app[POOL]) as conn:
        connection = await connections.get_connection(conn, "acme", connection_id, user_id=None)
        if known != "nothing":
            await conn.execute(MANY, "umbrella", 5_000)
            await conn.execute("ANALYZE contacts, people")
        for _ in range(10):  # as often as it takes Postgres to settle for one plan
            await find_candidates(conn, connection, emails=keys, phones=[])
        await conn.execute(MANY, "acme", 5_000)
        before = await conn.fetchval(WALKED)

        found = await find_candidates(conn, connection, emails=keys, phones=[])

        assert len(found) == 100
        assert await conn.fetchval(WALKED) - before <= 2 * len(keys)
