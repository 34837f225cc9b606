"""How address books stand, and what went which way, is there to be seen."""

from libs.common import clock
from tests.integration.contacts.outside import faults, in_google, make_many, there_are
from tests.integration.contacts.stand import Stand, human
from tests.support import caller_token, eventually


async def test_the_status_shows_what_is_held_and_how_it_is_kept(contacts: Stand) -> None:
    await contacts.add(human("Grace Hopper"), groups=["Chums"])
    connection = await contacts.connect(confirmed=True)
    await make_many(contacts, 2)
    await there_are(contacts, 3)
    await contacts.quiet()
    found = await contacts.get("/v1/contacts/status")

    assert found["totals"] == {"contacts": 3, "groups": 1}
    (one,) = found["items"]
    assert one["connection_id"] == connection
    assert (one["people"], one["linked"], one["waiting_writes"]) == (3, 3, 0)
    assert (one["open_conflicts"], one["open_holds"], one["errors"]) == (0, 0, [])
    assert one["last_sync_at"] is not None
    assert one["quota"]["writes"] > 0
    (friends,) = one["groups"]
    assert (friends["name"], friends["members"], friends["members_at_google"]) == ("Chums", 1, 1)
    assert friends["last_sync_at"] is not None
    assert {feed["kind"] for feed in one["feeds"]} == {
        "contacts.people",
        "contacts.groups",
        "contacts.audit",
        "contacts.work",
        "contacts.write",
    }


async def test_what_went_wrong_is_counted(contacts: Stand) -> None:
    await contacts.connect(confirmed=True)
    await faults(contacts, path_contains=":createContact", times=1, status=400, reason="badRequest")
    await contacts.make(given_name="Ada")

    async def counted() -> bool:
        (one,) = (await contacts.get("/v1/contacts/status"))["items"]
        return [(error["error"], error["times"]) for error in one["errors"]] == [("badRequest", 1)]

    await eventually(counted)
    (one,) = (await contacts.get("/v1/contacts/status"))["items"]
    assert one["last_day"]["failed"] == 1


async def test_the_log_says_what_went_which_way(contacts: Stand) -> None:
    await contacts.add(human("Grace Hopper"))
    await contacts.connect(confirmed=True)
    made = await contacts.make(given_name="Ada")
    await there_are(contacts, 2)
    await contacts.quiet()
    lines = (await contacts.get("/v1/contacts/sync-logs"))["items"]

    assert [(one["direction"], one["action"], one["status"]) for one in lines] == [
        ("to_google", "create", "success"),
        ("from_google", "create", "success"),
    ]
    mine = await contacts.get(f"/v1/contacts/sync-logs?item_id={made['id']}")
    assert [one["google_id"] for one in mine["items"]] == [lines[0]["google_id"]]
    nothing = await contacts.get("/v1/contacts/sync-logs?direction=to_google&action=delete")
    assert nothing["items"] == []


async def test_everybody_sees_their_own_alone(contacts: Stand) -> None:
    await contacts.connect(confirmed=True)
    await contacts.make(given_name="Ada")
    await in_google(contacts, givenName="Ada")
    moment = int(clock.now().timestamp())
    bob = caller_token(sub="bob", iat=moment, exp=moment + 600)
    assert (await contacts.get("/v1/contacts/status", token=bob)) == {
        "totals": {"contacts": 0, "groups": 0},
        "items": [],
    }
    assert (await contacts.get("/v1/contacts/sync-logs", token=bob))["items"] == []
