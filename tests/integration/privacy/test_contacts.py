"""Of a person who was erased from contacts nothing is left, and nothing happens at Google."""

from uuid import UUID

import pytest

from services.contacts.app import CONNECTIONS
from tests.integration.contacts.stand import Stand
from tests.integration.privacy.address_books import PHONE, SPELLINGS, changed_at_google, fill
from tests.integration.privacy.holding import (
    ADDRESS,
    ALIAS,
    BEA,
    NAME,
    OTHERS,
    PREFIXES,
    THIRD,
    WORD,
    Held,
    ask,
    erased,
    exported,
    look_through,
)
from tests.integration.service_stand import ALICE, Json
from tests.support import caller_token, eventually, service_caller_token

pytestmark = pytest.mark.timeout(120)

THEM: Json = {"addresses": [ADDRESS.upper(), ALIAS, THIRD]}
SHOWN_AS = {
    "contacts": "contact",
    "nicknames": "contact",
    "people": "person of the address book",
    "groups": "group",
    "conflicts": "conflict",
    "writes": "change",
    "dead_items": None,
    "outbox_dead": None,
}
"""What an export calls the rows of a table; None: the payload is bytes, or shown elsewhere."""


def of_acme(held: Held) -> Held:
    """Return what is held of others than the tenant umbrella."""
    return Held({t: [r for r in rows if "(umbrella," not in r] for t, rows in held.rows.items()})


async def writes_at_google(contacts: Stand) -> list[Json]:
    """Return what was asked of Google that changes anything."""
    shown = [await contacts.at_google(one) for one in (ALICE, BEA, OTHERS)]
    return [one for some in shown for one in some]


async def test_nothing_is_left_of_a_person_who_was_erased(contacts: Stand) -> None:
    await fill(contacts)
    at_google = await writes_at_google(contacts)
    async with contacts.pool() as conn:
        before = await look_through(conn, only="acme")
        others = await look_through(conn, only="umbrella")
    places = before.places(SPELLINGS | {THIRD})
    assert set(places) >= set(SHOWN_AS) - {"dead_items", "outbox_dead"}
    assert places["contacts"] >= {ADDRESS, ALIAS, THIRD, NAME, WORD, PHONE}

    counted = await erased(contacts, "contacts", {**THEM, "dry_run": True})
    async with contacts.pool() as conn:
        assert await look_through(conn, only="acme") == before  # a dry run changes nothing

    done = await erased(contacts, "contacts", THEM)
    await contacts.quiet()
    async with contacts.pool() as conn:
        everything = await look_through(conn)
        umbrella = await look_through(conn, only="umbrella")
    assert of_acme(everything).places(SPELLINGS | {THIRD}) == {}
    assert umbrella == others
    assert done["found"] == counted["found"]
    assert done["found"] == {
        "contacts": 5,
        "people of address books": 5,
        "changes": 1,
        "conflicts": 2,
        "nicknames": 1,
        "names of groups": 1,
        "dead items": 1,
        "unpublished events": 1,
    }
    assert done["notes"] == ["crm-entity:contact/c-7", "people-stay-in-google"]
    assert await writes_at_google(contacts) == at_google
    again = await erased(contacts, "contacts", THEM)
    assert (again["found"], again["notes"]) == ({}, [])


async def test_a_contact_with_others_stays_without_the_person(contacts: Stand) -> None:
    ids = await fill(contacts)
    await erased(contacts, "contacts", THEM)
    couple = (await contacts.call("GET", f"/v1/contacts/{ids['couple_contact']}")).body
    assert [one["address"] for one in couple["emails"]] == ["carl@else.example"]
    assert couple["notes"] == "[erased], [erased]"
    mention = (await contacts.call("GET", f"/v1/contacts/{ids['mention_contact']}")).body
    assert mention["notes"] == "Ask erased@invalid."
    theirs = await contacts.call("GET", f"/v1/contacts/{ids['theirs_contact']}")
    assert theirs.status == 404


async def test_what_waits_to_be_written_of_them_is_taken_back(contacts: Stand) -> None:
    ids = await fill(contacts)
    await erased(contacts, "contacts", THEM)
    rows = await contacts.fetch("SELECT state FROM writes WHERE item = $1", ids["theirs_contact"])
    assert [row["state"] for row in rows] == ["cancelled"]
    (row,) = await contacts.fetch(
        "SELECT state, ours FROM conflicts WHERE resource = $1", ids["theirs"]
    )
    assert (row["state"], row["ours"]) == ("resolved", {})


async def test_consumers_are_told_what_is_left(contacts: Stand) -> None:
    ids = await fill(contacts)
    told = len(contacts.events())
    await erased(contacts, "contacts", THEM)
    await contacts.quiet()
    new = contacts.events()[told:]
    kinds = {(one.aggregate_id, one.type.split(".")[2]) for one in new if "contact." in one.type}
    assert kinds >= {
        (ids["theirs_contact"], "deleted"),
        (ids["couple_contact"], "updated"),
        (ids["mention_contact"], "updated"),
    }
    assert {one.data["origin"] for one in new} == {"repair"}
    assert [one.type for one in new if "conflict" in one.type] == ["contacts.conflict.resolved.v1"]
    words = (ADDRESS, NAME, PHONE, WORD)
    assert not any(word in str(one.data) for one in new for word in words)


async def test_neither_readings_nor_changes_at_google_bring_them_back(contacts: Stand) -> None:
    ids = await fill(contacts)
    await contacts.confirm(ids["ada"])
    await erased(contacts, "contacts", THEM)
    await changed_at_google(contacts, ids["theirs"])
    await contacts.expire_tokens()
    await contacts.look(ids["ada"])
    await contacts.prefer(ids["bea"], imports="all")
    await contacts.quiet()
    async with contacts.pool() as conn:
        held = of_acme(await look_through(conn))
    assert held.places({ADDRESS, ALIAS, NAME, WORD}) == {}
    at_google = await contacts.one_at_google(ids["theirs"])
    assert at_google["names"][0]["familyName"] == "Quartz"


async def test_what_is_under_way_at_google_is_waited_for(contacts: Stand) -> None:
    await fill(contacts)
    sending = "SET state = 'sending', epoch = 1, deadline = now() + interval '1 hour'"
    await contacts.fetch(f"UPDATE writes {sending} WHERE state = 'queued'")
    answer = await ask(contacts, "contacts", "erasures", THEM)

    async def waits() -> bool:
        found = await contacts.get(answer.headers["Location"], token=service_caller_token())
        return bool(found["part"] == "contacts" and found["state"] == "running")

    await eventually(waits)
    assert NAME in [row["name"] for row in await contacts.kept()]
    await contacts.fetch(
        "UPDATE writes SET state = 'queued', epoch = NULL, deadline = NULL WHERE state = 'sending'"
    )

    async def is_done() -> bool:
        found = await contacts.get(answer.headers["Location"], token=service_caller_token())
        return bool(found["state"] == "done")

    await eventually(is_done)
    assert NAME not in [row["name"] for row in await contacts.kept()]


async def test_whatever_the_database_holds_of_them_is_shown(contacts: Stand) -> None:
    await fill(contacts)
    async with contacts.pool() as conn:
        places = (await look_through(conn, only="acme")).places({ADDRESS, ALIAS, NAME, PHONE})
    lines = await exported(contacts, "contacts", THEM)
    shown: dict[str, str] = {}
    for one in lines:
        if "record" in one:
            shown[one["record"]] = shown.get(one["record"], "") + str(one["data"]).lower()
    for table, needles in places.items():
        if (kind := SHOWN_AS[table]) is not None:
            assert {one for one in needles if one.lower() not in shown[kind]} == set(), table
    assert ADDRESS in shown["dead item"]
    assert OTHERS not in str(lines)


async def test_nothing_is_left_of_a_user_who_was_erased(contacts: Stand) -> None:
    ids = await fill(contacts)
    user: Json = {"user_id": "ada"}
    rows = await contacts.fetch(
        "SELECT account_id FROM connections WHERE user_id = 'ada' AND tenant_id = 'acme'"
    )
    accounts = {str(row["account_id"]) for row in rows}
    kinds = {one.get("record") for one in await exported(contacts, "contacts", user)}
    assert kinds >= {
        *("connection", "person of the address book", "contact", "group", "label", "feed"),
        *("conflict", "line of the sync log", "change", "hold", "dead item"),
    }
    counted = await erased(contacts, "contacts", {**user, "dry_run": True})
    done = {name: await erased(contacts, name, user) for name in ("auth", "contacts")}
    await contacts.quiet()
    assert counted["found"]["connections"] == 1
    assert counted["found"]["people of their address books"] == 4
    assert counted["found"]["contacts of theirs"] == 5
    assert done["contacts"]["state"] == "done"
    async with contacts.pool() as conn:
        held = of_acme(await look_through(conn))
    left = held.places({"user:ada", ",ada,", '"ada"', ALICE, ids["ada"], *accounts})
    assert left == {"connections": {ids["ada"]}, "quota_usage": accounts}
    left_over = {row["entity_id"]: row["owner_user_id"] for row in await contacts.kept()}
    assert left_over == {"c-7": None, None: "bea"}


async def test_a_late_event_brings_no_erased_address_book_back(contacts: Stand) -> None:
    ids = await fill(contacts)
    await erased(contacts, "contacts", {"user_id": "ada"})  # auth still knows and lists it
    await contacts.app[CONNECTIONS].reconcile()
    rows = await contacts.fetch(
        "SELECT email, user_id FROM connections WHERE erased_at IS NOT NULL"
    )
    assert [tuple(row) for row in rows] == [("", "")]
    assert (
        await contacts.fetch("SELECT 1 FROM people WHERE connection_id = $1", UUID(ids["ada"]))
        == []
    )


async def test_only_services_may_ask_and_only_about_their_tenant(contacts: Stand) -> None:
    for path in ("exports", "erasures"):
        answer = await ask(contacts, "contacts", path, THEM, caller_token())
        assert (answer.status, answer.problem) == (403, "wrong-caller")
    mine = await ask(contacts, "contacts", "erasures", {**THEM, "dry_run": True})
    assert mine.headers["Location"].startswith(PREFIXES["contacts"])
    foreign = service_caller_token(tenant="umbrella")
    assert (await contacts.call("GET", mine.headers["Location"], token=foreign)).status == 404
