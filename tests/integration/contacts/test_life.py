import pytest

from libs.common import clock
from libs.common.events import auth as auth_events
from libs.common.events.base import Event, Origin
from libs.common.events.envelope import Envelope
from tests import messaging
from tests.integration.contacts.outside import faults, in_google, there_are
from tests.integration.contacts.stand import Stand, human
from tests.integration.service_stand import ALICE
from tests.support import caller_token, eventually


async def test_a_new_connection_of_the_same_account_doubles_nobody(contacts: Stand) -> None:
    await contacts.add(human("Ada Byron", "ada@example.org"), groups=["Clients"])
    await contacts.add(human("", "nameless@example.org"))
    await contacts.add(human("No Keys"))
    first = await contacts.connect()
    before = sorted(row["id"] for row in await contacts.kept())
    await contacts.disconnect(first)
    second = await contacts.connect()
    assert second != first
    assert sorted(row["id"] for row in await contacts.kept()) == before
    assert {str(row["connection_id"]) for row in await contacts.people()} == {second}
    assert len(await contacts.fetch("SELECT * FROM groups WHERE deleted_at IS NULL")) == 1
    await contacts.quiet()
    assert all(contacts.told_of(one) == ["created"] for one in before)


async def test_who_went_while_nobody_was_connected_is_gone_after(contacts: Stand) -> None:
    made = await contacts.add(human("Ada Byron"))
    await contacts.add(human("Bob Late"))
    first = await contacts.connect()
    row = await contacts.named("Ada Byron")
    await contacts.disconnect(first)
    await contacts.edit(made["resourceName"], "delete")
    await contacts.connect()
    await contacts.told(row["id"], "created", "deleted")
    await contacts.named("Bob Late")


async def test_who_was_being_created_when_a_connection_ended_is_created_once(stand: Stand) -> None:
    seldom = {"shortest_poll": 3600, "longest_poll": 3600}
    stand.settings = stand.settings.model_copy(update={"propagation": 6.0, **seldom})
    async with stand.serving():
        first = await stand.connect(confirmed=True)
        await stand.google_settings(contact_list_delay_s=4)
        await faults(stand, path_contains=":createContact", times=1, late_s=30)
        made = await stand.make(given_name="Ada")
        await there_are(stand, 1)
        await stand.disconnect(first)

        second = await stand.connect(confirmed=True)
        await stand.change(made["id"], title="Countess")

        await eventually(lambda: is_person_in(stand, made["id"], second), timeout_s=15)
        await stand.quiet()
        assert len(await stand.at_google()) == 1


async def test_what_one_user_read_is_not_anothers_when_they_connect_the_account(
    contacts: Stand,
) -> None:
    await contacts.add(human("Ada Byron", "ada@example.org"))
    first = await contacts.connect()
    await contacts.disconnect(first)
    await contacts.connect(token=caller_token(user="bob"))
    owners = sorted(row["owner_user_id"] for row in await contacts.kept())
    assert owners == ["ada", "bob"]


async def test_a_purge_removes_people_and_who_came_from_there_only(contacts: Stand) -> None:
    await contacts.add(human("Ada Byron", "ada@example.org"))
    await contacts.add(human("Bob Late", "bob@example.org"))
    connection = await contacts.connect()
    gone = await contacts.named("Ada Byron")
    stays = await contacts.named("Bob Late")
    await contacts.fetch("UPDATE contacts SET entity_id = 'e1' WHERE id = $1", stays["id"])
    await contacts.disconnect(connection, "?purge=true")

    async def is_purged() -> bool:
        return await contacts.people() == [] and await contacts.fetch("SELECT * FROM labels") == []

    await eventually(is_purged)
    assert [row["id"] for row in await contacts.kept()] == [stays["id"]]
    await contacts.told(gone["id"], "created", "deleted")


async def test_nothing_is_read_of_a_connection_that_is_over(contacts: Stand) -> None:
    connection = await contacts.connect()
    await contacts.disconnect(connection)
    await contacts.add(human("Ada Byron"))
    await contacts.quiet()
    feeds = await contacts.fetch("SELECT state FROM feeds")
    assert {row["state"] for row in feeds} == {"closed"}
    assert await contacts.kept() == []


async def test_a_restart_goes_on_where_it_was(stand: Stand) -> None:
    await stand.add(human("Ada Byron"))
    async with stand.serving():
        await stand.connect()
        row = await stand.named("Ada Byron")
        await stand.quiet()
    await stand.add(human("Bob Late"))
    async with stand.serving():
        await stand.named("Bob Late")
        await stand.quiet()
        await stand.told(row["id"], "created")


async def test_two_replicas_take_everybody_in_once(contacts: Stand) -> None:
    await contacts.add(human("Many", "many@example.org"), count=700)
    async with contacts.beside():
        await contacts.connect()
        await contacts.quiet()
    assert len(await contacts.kept()) == 700
    assert len(contacts.events("contacts.contact.created")) == 700


@pytest.mark.parametrize("fault", [{"status": 503}, {"truncate": 300}, {"garbage": True}])
async def test_a_google_that_fails_for_a_while_loses_nobody(
    contacts: Stand, fault: dict[str, object]
) -> None:
    await contacts.add(human("Many", "many@example.org"), count=1_100)
    rule = {"path_prefix": "/v1/people/me/connections", "after": 1, "times": 2, **fault}
    await contacts.google.control("PUT", "faults", {"rules": [rule]})
    await contacts.connect(person=ALICE)
    assert len(await contacts.kept()) == 1_100


async def test_what_changed_here_while_google_could_not_be_asked_is_written_afterwards(
    contacts: Stand,
) -> None:
    await contacts.connect(confirmed=True)
    await contacts.quiet()
    await auth_tells(contacts, auth_events.ConnectionReauthorizationRequired)
    await eventually(lambda: is_in(contacts, "reauthorization_required"))
    await contacts.make(given_name="Ada")
    await contacts.quiet()
    assert await contacts.at_google() == []
    await auth_tells(contacts, auth_events.ConnectionAuthorized)
    await in_google(contacts, givenName="Ada")


async def is_person_in(contacts: Stand, contact_id: str, connection_id: str) -> bool:
    """Say whether a contact is known to be somebody in an address book."""
    found = await contacts.people(connection_id)
    return [str(row["contact_id"]) for row in found] == [contact_id]


async def is_in(contacts: Stand, state: str) -> bool:
    """Say whether the one connection is in a state."""
    (row,) = await contacts.fetch("SELECT state FROM connections")
    return str(row["state"]) == state


async def auth_tells(contacts: Stand, kind: type[Event]) -> None:
    """Publish what auth would tell of the one connection."""
    (facts,) = await contacts.fetch("SELECT * FROM connections")
    data = {
        "origin": Origin.LIVE,
        "connection_id": facts["connection_id"],
        "user_id": facts["user_id"],
        "account": {"id": facts["account_id"], "email": facts["email"]},
        "products": [{"name": "contacts", "access": "write"}],
    }
    event = Envelope.of(
        kind.model_validate(data),
        tenant_id=facts["tenant_id"],
        aggregate_id=str(facts["connection_id"]),
        sequence=facts["event_sequence"] + 1,
        time=clock.now(),
    )
    url = contacts.settings.amqp_url.get_secret_value()
    await messaging.send(url, event.to_json(), key=event.type)
