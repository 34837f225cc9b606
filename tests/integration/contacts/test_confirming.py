"""Nothing is written before somebody has said yes to what a dry run counts."""

from libs.common import clock
from tests.integration.contacts.outside import (
    change_many,
    in_google,
    make_many,
    requests,
    there_are,
)
from tests.integration.contacts.stand import Stand, human
from tests.support import caller_token, eventually


async def test_nothing_is_written_before_somebody_says_yes(contacts: Stand) -> None:
    connection = await contacts.connect()
    await contacts.make(given_name="Ada")
    await contacts.quiet()
    assert await contacts.at_google() == []

    answer = await contacts.call("POST", f"/v1/contacts/connections/{connection}/confirm")
    assert answer.status == 200, answer
    assert answer.body["confirmed_by"] == "user:ada"
    await in_google(contacts, givenName="Ada")


async def test_a_dry_run_counts_and_writes_nothing(contacts: Stand) -> None:
    await contacts.add(human("Ada Byron", "ada@example.org"))
    await contacts.connect()
    ada = await contacts.named("Ada Byron")
    await change_many(contacts, [ada["id"]], title="Countess")
    await make_many(contacts, 7)
    await contacts.call("POST", "/v1/contacts/groups", {"name": "Clients"})
    answer = await contacts.call("POST", "/v1/contacts/sync?dry_run=true&wait=20")

    assert answer.status == 202, answer
    assert answer.body["state"] == "done"
    counted = answer.body["facts"]["to_google"]
    assert counted["contacts"] == {"created": 7, "updated": 1, "deleted": 0}
    await contacts.quiet()
    assert await requests(contacts) == {}


async def test_two_thousand_contacts_are_ten_requests(asked: Stand) -> None:
    connection = await asked.connect()
    await make_many(asked, 2000)
    answer = await asked.call("POST", f"/v1/contacts/connections/{connection}/confirm")
    assert answer.status == 200, answer

    async def all_known() -> bool:
        (row,) = await asked.fetch("SELECT count(*) AS people FROM people")
        return bool(row["people"] == 2000)

    await eventually(all_known, timeout_s=60)
    await asked.quiet()
    assert await requests(asked) == {"create_many": 10}
    names = {one["names"][0]["displayName"] for one in await asked.at_google()}
    assert len(names) == 2000


async def test_an_address_book_that_was_not_read_cannot_be_confirmed(asked: Stand) -> None:
    await asked.google.control(
        "PUT",
        "faults",
        {"rules": [{"path_contains": "/connections", "status": 503, "times": None}]},
    )
    made = await asked.auth.connect(products=[{"name": "contacts", "access": "write"}])
    path = f"/v1/contacts/connections/{made['id']}/settings"

    async def is_known() -> bool:
        return (await asked.call("GET", path)).status == 200

    await eventually(is_known)
    answer = await asked.call("POST", f"/v1/contacts/connections/{made['id']}/confirm")
    assert answer.status == 409
    assert answer.body["type"].endswith("not-read")


async def test_a_stranger_cannot_confirm(contacts: Stand) -> None:
    connection = await contacts.connect()
    moment = int(clock.now().timestamp())
    bob = caller_token(sub="bob", iat=moment, exp=moment + 600)
    path = f"/v1/contacts/connections/{connection}/confirm"
    assert (await contacts.call("POST", path, token=bob)).status == 404


async def test_what_is_wanted_later_is_written_when_it_is(contacts: Stand) -> None:
    connection = await contacts.connect(confirmed=True, preferences={"push": "owned"})
    await make_many(contacts, 3, owner="grace")
    await change_many(contacts, [row["id"] for row in await contacts.kept()], title="Countess")
    async with contacts.pool() as conn:
        await conn.execute("UPDATE contacts SET entity_id = id::text")
    await contacts.quiet()
    assert await contacts.at_google() == []

    path = f"/v1/contacts/connections/{connection}/settings"
    answer = await contacts.call("PUT", path, {"push": "all"})
    assert answer.status == 200, answer
    await there_are(contacts, 3)
