"""Address books are brought into step when somebody asks: all, a group, one contact, one person."""

from libs.common import clock
from tests.integration.contacts.outside import (
    change_many,
    faults,
    in_google,
    make_many,
    requests,
    there_are,
)
from tests.integration.contacts.stand import Stand, human
from tests.integration.service_stand import Json
from tests.support import caller_token, eventually


async def sync(stand: Stand, query: str = "", *, status: int = 202) -> Json:
    """Ask for a sync and wait for its end; return the job."""
    answer = await stand.call("POST", f"/v1/contacts/sync?wait=25{query}")
    assert answer.status == status, answer
    return dict(answer.body)


async def test_a_sync_reads_and_writes_and_counts_both(asked: Stand) -> None:
    await asked.connect(confirmed=True)
    await asked.quiet()
    await asked.add(human("Grace Hopper", "grace@example.org"))
    ids = await make_many(asked, 3)
    job = await sync(asked)

    assert (job["kind"], job["state"]) == ("contacts.sync", "done")
    nothing = {"synced": 0, "created": 0, "updated": 0, "deleted": 0, "errors": []}
    assert job["facts"]["from_google"] == {
        "contacts": {**nothing, "synced": 1, "created": 1},
        "groups": nothing,
    }
    await asked.named("Grace Hopper")
    assert len(await asked.at_google()) == 4
    assert len(ids) == 3


async def test_a_sync_that_fails_in_part_says_where(asked: Stand) -> None:
    await asked.connect()
    (bad, _) = await make_many(asked, 2)
    await change_many(asked, [bad], title="x" * 2000)
    async with asked.pool() as conn:
        await conn.execute("UPDATE connections SET confirmed_at = now(), confirmed_by = 'ada'")
    job = await sync(asked)

    written = job["facts"]["to_google"]["contacts"]
    assert (written["created"], written["synced"]) == (1, 1)
    assert written["errors"] == [
        {"action": "create", "id": str(bad), "resource": None, "error": "INVALID_ARGUMENT"}
    ]


async def test_a_sync_of_a_group_writes_only_its_members(asked: Stand) -> None:
    await asked.connect()
    ids = await make_many(asked, 4)
    group = (await asked.call("POST", "/v1/contacts/groups", {"name": "Clients"})).body
    path = f"/v1/contacts/groups/{group['id']}/members"
    await asked.call("PATCH", path, {"add": [str(one) for one in ids[:2]]})
    async with asked.pool() as conn:
        await conn.execute("UPDATE connections SET confirmed_at = now(), confirmed_by = 'ada'")
    job = await sync(asked, f"&group_id={group['id']}")

    assert job["facts"]["to_google"]["contacts"]["created"] == 2
    assert job["facts"]["to_google"]["groups"]["created"] == 1
    assert len(await asked.at_google()) == 2


async def test_a_forced_sync_mends_what_nobody_told_of(asked: Stand) -> None:
    await asked.connect(confirmed=True)
    made = await asked.make(given_name="Ada", title="Clerk")
    found = await in_google(asked, givenName="Ada")
    await asked.quiet()
    await faults(asked, path_contains="/connections", times=None, status=503)
    jobs = [{"title": "Countess"}]
    await asked.edit(found["resourceName"], "change", changes={"organizations": jobs})
    await asked.call("POST", "/v1/contacts/sync?force=true")

    async def mended() -> bool:
        (row,) = await asked.kept()
        return bool(row["card"]["title"] == "Countess")

    await eventually(mended)
    assert await requests(asked) == {"create": 1}
    await asked.told(made["id"], "created", "updated")


async def test_a_forced_sync_of_what_is_in_step_changes_nothing(asked: Stand) -> None:
    await asked.connect(confirmed=True)
    await make_many(asked, 8)
    await there_are(asked, 8)
    await asked.quiet()
    job = await sync(asked, "&force=true")
    assert job["facts"]["to_google"]["contacts"]["synced"] == 0
    assert await requests(asked) == {"create_many": 1}


async def test_a_sync_needs_to_know_whose_if_there_are_several(contacts: Stand) -> None:
    await contacts.google.add_person("bob@example.com", name="Bob")
    await contacts.connect()
    second = await contacts.connect(person="bob@example.com")
    await sync(contacts, status=400)
    job = await sync(contacts, f"&connection_id={second}")
    assert job["connection_id"] == second


async def test_a_contact_can_be_pushed_alone(asked: Stand) -> None:
    await asked.connect(confirmed=True, preferences={"push": "groups"})
    made = await asked.make(given_name="Ada")
    await asked.quiet()
    assert await asked.at_google() == []
    path = f"/v1/contacts/{made['id']}/push"
    first = await asked.call("POST", path)
    assert first.status == 200, first
    found = await in_google(asked, givenName="Ada")
    assert first.body == {
        "id": made["id"],
        "google_id": found["resourceName"],
        "action": "created",
    }
    second = await asked.call("POST", path)
    assert second.body["action"] == "unchanged"


async def test_a_pushed_contact_that_differs_is_updated(asked: Stand) -> None:
    await asked.connect(confirmed=True)
    made = await asked.make(given_name="Ada")
    await in_google(asked, givenName="Ada")
    await asked.quiet()
    async with asked.pool() as conn:  # as if a change had been lost
        await conn.execute('UPDATE contacts SET card = card || \'{"title": "Countess"}\'')
    answer = await asked.call("POST", f"/v1/contacts/{made['id']}/push")
    assert answer.body["action"] == "updated"


async def test_nothing_is_pushed_before_somebody_said_yes(contacts: Stand) -> None:
    await contacts.connect()
    made = await contacts.make(given_name="Ada")
    answer = await contacts.call("POST", f"/v1/contacts/{made['id']}/push")
    assert (answer.status, answer.body["type"].rpartition(":")[2]) == (409, "not-confirmed")


async def test_a_person_can_be_pulled_alone(asked: Stand) -> None:
    await asked.connect(preferences={"imports": "none"})
    added = await asked.add(human("Grace Hopper", "grace@example.org"))
    name = added["resourceName"].removeprefix("people/")
    path = f"/v1/contacts/google/{name}/pull"
    first = await asked.call("POST", path)
    assert first.status == 200, first
    row = await asked.named("Grace Hopper")
    assert first.body == {
        "id": str(row["id"]),
        "google_id": added["resourceName"],
        "action": "created",
    }
    assert (await asked.call("POST", path)).body["action"] == "unchanged"
    jobs = [{"title": "Admiral"}]
    await asked.edit(added["resourceName"], "change", changes={"organizations": jobs})
    assert (await asked.call("POST", path)).body["action"] == "updated"
    assert (await asked.call("POST", "/v1/contacts/google/c404/pull")).status == 404


async def test_somebody_who_was_not_imported_is_when_they_are_pulled(asked: Stand) -> None:
    added = await asked.add(human("Grace Hopper", "grace@example.org"))
    await asked.connect(preferences={"imports": "none"})
    assert await asked.kept() == []
    name = added["resourceName"].removeprefix("people/")
    answer = await asked.call("POST", f"/v1/contacts/google/{name}/pull")
    assert answer.body["action"] == "created"
    await asked.named("Grace Hopper")


async def test_whose_contact_was_deleted_is_a_new_one_when_they_are_pulled(asked: Stand) -> None:
    added = await asked.add(human("Grace Hopper", "grace@example.org"))
    await asked.connect()
    before = await asked.named("Grace Hopper")
    await asked.call("DELETE", f"/v1/contacts/{before['id']}")
    name = added["resourceName"].removeprefix("people/")
    answer = await asked.call("POST", f"/v1/contacts/google/{name}/pull")
    assert answer.body["action"] == "created"
    assert (await asked.named("Grace Hopper"))["id"] != before["id"]


async def test_the_address_book_is_listed_as_it_is_now(asked: Stand) -> None:
    await asked.add(human("Ada Byron", "ada@example.org"))
    await asked.connect()
    await asked.add(human("Grace Hopper", "grace@example.org"))
    first = await asked.get("/v1/contacts/google?limit=1")
    second = await asked.get(f"/v1/contacts/google?limit=1&cursor={first['next_cursor']}")

    assert first["total"] == 2
    (grace,), (ada,) = first["items"], second["items"]
    assert (grace["name"], grace["contact_id"]) == ("Grace Hopper", None)
    assert grace["emails"] == [{"address": "grace@example.org", "type": "", "primary": True}]
    row = await asked.named("Ada Byron")
    assert (ada["contact_id"], bool(ada["etag"])) == (str(row["id"]), True)
    assert second["next_cursor"] is None


async def test_nobody_sees_anybody_elses_address_book(contacts: Stand) -> None:
    connection = await contacts.connect()
    moment = int(clock.now().timestamp())
    bob = caller_token(sub="bob", iat=moment, exp=moment + 600)
    path = f"/v1/contacts/google?connection_id={connection}"
    assert (await contacts.call("GET", path, token=bob)).status == 404
    assert (await contacts.call("GET", "/v1/contacts/google", token=bob)).status == 409
