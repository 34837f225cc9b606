"""What people and tenants want of contacts acts from the moment it is said."""

from typing import Any
from uuid import UUID, uuid4

from services.contacts.app import CONNECTIONS
from tests.integration.contacts.stand import Stand, human
from tests.integration.service_stand import Json
from tests.support import caller_token, eventually, service_caller_token

FEED_STATES = "SELECT kind, state, reason FROM feeds WHERE connection_id = $1"
DEFAULTS: Json = {
    "enabled": True,
    "imports": "all",
    "import_labels": [],
    "push": "owned",
    "push_groups": [],
    "conflict_policy": "newest",
    "google_deletes": "unlink",
    "crm_deletes": "made_by_us",
}
SERVICE = service_caller_token()


def path(connection_id: str) -> str:
    return f"/v1/contacts/connections/{connection_id}/settings"


async def put(contacts: Stand, connection_id: str, **settings: Any) -> Json:
    answer = await contacts.call("PUT", path(connection_id), settings)
    assert answer.status == 200, answer
    return dict(answer.body)


async def group(contacts: Stand, *, token: str | None = None) -> str:
    headers = {"Idempotency-Key": uuid4().hex}
    answer = await contacts.call(
        "POST", "/v1/contacts/groups", {"name": "VIP"}, headers=headers, token=token
    )
    return str(answer.body["id"])


async def states(contacts: Stand, connection_id: str) -> set[tuple[str, str | None]]:
    rows = await contacts.fetch(FEED_STATES, UUID(connection_id))
    return {(row["state"], row["reason"]) for row in rows}


async def test_settings_have_defaults_and_are_replaced_as_a_whole(contacts: Stand) -> None:
    connection_id = await contacts.connect()
    assert await contacts.get(path(connection_id)) == DEFAULTS
    given = {
        "enabled": True,
        "imports": "none",
        "import_labels": [],
        "push": "groups",
        "push_groups": [await group(contacts)],
        "conflict_policy": "manual",
        "google_deletes": "delete",
        "crm_deletes": "all",
    }
    assert await put(contacts, connection_id, **given) == given
    assert await contacts.get(path(connection_id)) == given
    assert await put(contacts, connection_id) == DEFAULTS


async def test_settings_that_cannot_be_followed_are_refused_by_name(contacts: Stand) -> None:
    connection_id = await contacts.connect()
    bobs = await group(contacts, token=caller_token(user="bob"))
    for settings, field in (
        ({"enabled": "no"}, "enabled"),
        ({"imports": "some"}, "imports"),
        ({"push": "everything"}, "push"),
        ({"import_labels": ["friends"]}, "import_labels[0]"),
        ({"import_labels": ["contactGroups/a b"]}, "import_labels[0]"),
        ({"import_labels": [f"contactGroups/{one}" for one in range(201)]}, "import_labels"),
        ({"push_groups": ["x"]}, "push_groups[0]"),
        ({"push_groups": [str(uuid4())]}, "push_groups[0]"),
        ({"push_groups": [bobs]}, "push_groups[0]"),
        ({"conflict_policy": "loudest"}, "conflict_policy"),
        ({"google_deletes": "all"}, "google_deletes"),
        ({"crm_deletes": "none"}, "crm_deletes"),
        ({"colour": "red"}, "colour"),
    ):
        answer = await contacts.call("PUT", path(connection_id), settings)
        assert (answer.status, answer.fields) == (400, [field]), settings
    assert await contacts.get(path(connection_id)) == DEFAULTS


async def test_settings_of_others_are_not_there(contacts: Stand) -> None:
    connection_id = await contacts.connect()
    for token in (caller_token(user="bob"), service_caller_token(tenant="other")):
        for method, body in (("GET", None), ("PUT", {})):
            answer = await contacts.call(method, path(connection_id), body, token=token)
            assert answer.status == 404, answer
    assert await contacts.get(path(connection_id), token=SERVICE) == DEFAULTS
    assert (await contacts.call("GET", path(str(uuid4())))).status == 404
    assert (await contacts.call("GET", path("x"))).status == 404


async def test_what_is_switched_off_stands_still_and_stays_so(contacts: Stand) -> None:
    connection_id = await contacts.connect()
    await put(contacts, connection_id, enabled=False)
    assert await states(contacts, connection_id) == {("paused", "paused")}
    await contacts.app[CONNECTIONS].reconcile()
    assert await states(contacts, connection_id) == {("paused", "paused")}
    await put(contacts, connection_id, enabled=True)
    assert await states(contacts, connection_id) == {("active", None)}


async def test_a_tenant_says_what_holds_for_all(contacts: Stand) -> None:
    given: Json = {
        "region": "FR",
        "language": "pt",
        "mapping": {"portable": "phone/mobile", "Nº client": "custom/numero", "nom": "name"},
    }
    before = await contacts.get("/v1/contacts/settings")
    assert before == {"region": "BR", "language": "fr", "mapping": {}}
    answer = await contacts.call("PUT", "/v1/contacts/settings", given, token=SERVICE)
    assert (answer.status, answer.body) == (200, given)
    assert await contacts.get("/v1/contacts/settings") == given
    other = await contacts.get("/v1/contacts/settings", token=service_caller_token(tenant="other"))
    assert other == before
    made = await contacts.make(phones=[{"number": "06 12 34 56 78", "type": "mobile"}])
    assert made["phones"][0]["e164"] == "+33612345678"
    await contacts.told(made["id"], "created")
    told = contacts.events("contacts.contact.")[0].data["fields"]
    assert told["portable"] == "06 12 34 56 78"


async def test_a_tenants_settings_that_make_no_sense_are_refused_by_name(contacts: Stand) -> None:
    for settings, field in (
        ({"region": "XX"}, "region"),
        ({"region": "fr"}, "region"),
        ({"region": ""}, "region"),
        ({"language": "de"}, "language"),
        ({"mapping": {"nom": "colour"}}, "mapping.nom"),
        ({"mapping": {"nom": ""}}, "mapping.nom"),
        ({"mapping": {"nom": "custom/"}}, "mapping.nom"),
        ({"mapping": {"x" * 101: "name"}}, f"mapping.{'x' * 101}.[key]"),
        ({"mapping": {f"f{one}": "name" for one in range(201)}}, "mapping"),
        ({"colour": "red"}, "colour"),
    ):
        answer = await contacts.call("PUT", "/v1/contacts/settings", settings, token=SERVICE)
        assert (answer.status, answer.fields) == (400, [field]), settings
    assert (await contacts.get("/v1/contacts/settings"))["region"] == "BR"


async def test_a_person_does_not_speak_for_the_tenant(contacts: Stand) -> None:
    answer = await contacts.call("PUT", "/v1/contacts/settings", {})
    assert answer.status == 403


async def names_at_google(contacts: Stand) -> list[str]:
    found = await contacts.at_google()
    return sorted(one["names"][0]["displayName"] for one in found if one.get("names"))


async def come_to(contacts: Stand, *names: str) -> None:
    async def so() -> bool:
        return await names_at_google(contacts) == sorted(names)

    await eventually(so, what=f"{names} at Google")


async def test_what_is_to_be_written_is_written_when_it_is_said(contacts: Stand) -> None:
    connection_id = await contacts.connect(preferences={"push": "none"}, confirmed=True)
    mine = await contacts.make(given_name="Mine")
    await contacts.make(given_name="Tenants", token=SERVICE)
    await contacts.make(given_name="Grouped", token=SERVICE, owner_user_id="ada", entity_id="e1")
    await contacts.quiet()
    assert await names_at_google(contacts) == []
    chosen = await group(contacts)
    await contacts.call("PUT", f"/v1/contacts/groups/{chosen}/members/{mine['id']}")
    await put(contacts, connection_id, push="groups", push_groups=[chosen])
    await come_to(contacts, "Mine")
    await put(contacts, connection_id, push="owned")
    await come_to(contacts, "Mine", "Grouped")
    await put(contacts, connection_id, push="all")
    await come_to(contacts, "Mine", "Grouped", "Tenants")


async def test_people_are_imported_when_it_is_said(contacts: Stand) -> None:
    await contacts.add(human("Eve Doe", "eve@x.example"))
    connection_id = await contacts.connect(preferences={"imports": "none"})
    assert await contacts.kept() == []
    assert len(await contacts.people(connection_id)) == 1
    await put(contacts, connection_id, imports="all")
    await contacts.named("Eve Doe")


async def test_what_changes_while_it_is_switched_off_is_written_afterwards(
    contacts: Stand,
) -> None:
    connection_id = await contacts.connect(confirmed=True)
    await put(contacts, connection_id, enabled=False)
    await contacts.make(given_name="Meanwhile")
    await contacts.quiet()
    assert await names_at_google(contacts) == []
    await put(contacts, connection_id, enabled=True)
    await come_to(contacts, "Meanwhile")


async def test_a_label_that_is_not_there_cannot_be_imported(contacts: Stand) -> None:
    label = await contacts.label("Clients")
    connection_id = await contacts.connect()
    unknown = await contacts.call(
        "PUT", path(connection_id), {"import_labels": ["contactGroups/none"]}
    )
    assert (unknown.status, unknown.fields) == (400, ["import_labels[0]"])
    given = {"imports": "labels", "import_labels": [label["resourceName"]]}
    assert (await put(contacts, connection_id, **given))["imports"] == "labels"


async def test_another_region_understands_all_numbers_anew_and_writes_nothing(
    contacts: Stand,
) -> None:
    await contacts.add(human("Eve Doe", "eve@x.example", phone="06 12 34 56 78"))
    await contacts.add(human("Not Imported", phone="06 98 76 54 32"))
    await contacts.connect(confirmed=True)
    eve = await contacts.named("Eve Doe")
    assert eve["phones"] == []
    before = await contacts.at_google()
    answer = await contacts.call("PUT", "/v1/contacts/settings", {"region": "FR"}, token=SERVICE)
    assert answer.status == 200, answer
    assert (await contacts.named("Eve Doe"))["phones"] == ["+33612345678"]
    assert sorted(row["phones"][0] for row in await contacts.people()) == [
        "+33612345678",
        "+33698765432",
    ]
    await contacts.quiet()
    await contacts.told(eve["id"], "created", "updated")
    assert await contacts.at_google() == before
    assert await contacts.fetch("SELECT 1 FROM writes") == []
