"""The CRM tells of its contacts: what it says is taken in by version, whatever comes first."""

from typing import Any

from libs.common import clock
from libs.common.events import crm
from tests.integration.contacts.outside import in_google
from tests.integration.contacts.stand import Stand, human
from tests.integration.service_stand import Json
from tests.support import caller_token, eventually, service_caller_token

SERVICE = service_caller_token()
ZOE: Json = {
    "nom": "Martin",
    "prenom": "Zoé",
    "email": "zoe@example.org",
    "telephone": "(11) 98765-4321",
    "adresse": "Rua A, 1",
    "ville": "São Paulo",
    "code_postal": "01000-000",
    "entreprise": "ACME",
    "fonction": "Directrice",
}


async def says(contacts: Stand, version: int = 1, entity: str = "e1", **fields: Any) -> None:
    """Let the CRM say what a contact is, and wait until that was heard."""
    owner = fields.pop("owner_user_id", None)
    await heard(
        contacts,
        "upserted",
        contact_id=entity,
        version=version,
        owner_user_id=owner,
        fields=fields,
    )


async def deletes(contacts: Stand, version: int, entity: str = "e1") -> None:
    await heard(contacts, "deleted", contact_id=entity, version=version)


async def heard(contacts: Stand, what: str, *, tenant: str = "acme", **data: Any) -> None:
    kind = crm.CONTACTS_BY_TYPE[f"crm.contact.{what}.v1"]
    envelope = crm.contact_envelope(kind(**data), tenant_id=tenant, time=clock.now())
    await contacts.crm_sends(envelope)

    async def was_it() -> bool:
        sql = "SELECT 1 FROM inbox WHERE consumer = 'contacts.contacts' AND event_id = $1"
        return bool(await contacts.fetch(sql, envelope.id))

    await eventually(was_it)


async def all_of_them(contacts: Stand) -> list[Json]:
    return list((await contacts.get("/v1/contacts", token=SERVICE))["items"])


async def one(contacts: Stand) -> Json:
    (found,) = await all_of_them(contacts)
    return found


async def test_a_contact_of_the_crm_is_everybodys_contact(contacts: Stand) -> None:
    await says(contacts, **ZOE, couleur="bleu")
    found = await one(contacts)

    assert (found["entity_id"], found["visible_to"], found["owner_user_id"]) == (
        "e1",
        "tenant",
        None,
    )
    assert found["name"] == "Zoé Martin"
    assert found["phones"][0]["e164"] == "+5511987654321"
    assert found["addresses"][0]["street"] == "Rua A, 1"
    assert (found["organization"], found["title"]) == ("ACME", "Directrice")
    assert found["custom"] == {"couleur": "bleu"}
    await contacts.told(found["id"], "created")
    (event,) = contacts.events("contacts.contact.")
    assert event.data["entity"] == {"type": "contact", "id": "e1"}
    assert event.data["fields"].items() >= {**ZOE, "couleur": "bleu"}.items()
    assert event.data["origin"] == "crm"


async def test_what_is_named_changes_and_the_rest_stays(contacts: Stand) -> None:
    await says(contacts, **ZOE)
    before = await one(contacts)
    await contacts.change(
        before["id"], phones=[*before["phones"], {"number": "+33 6 12 34 56 78"}], token=SERVICE
    )
    await says(contacts, 2, telephone="+55 11 3333-4444", fonction=None, owner_user_id="bob")
    found = await one(contacts)

    assert [each["e164"] for each in found["phones"]] == ["+551133334444", "+33612345678"]
    assert [each["primary"] for each in found["phones"]] == [True, False]
    assert (found["title"], found["organization"]) == ("", "ACME")
    assert found["owner_user_id"] == "bob"


async def test_an_older_version_changes_nothing(contacts: Stand) -> None:
    await says(contacts, 3, prenom="Three")
    await says(contacts, 2, prenom="Two")
    await says(contacts, 3, prenom="Other three")

    assert (await one(contacts))["given_name"] == "Three"
    await says(contacts, 4, prenom="Three")
    await says(contacts, 4, prenom="Other four")
    found = await one(contacts)
    assert (found["given_name"], found["version"]) == ("Three", 1)
    await contacts.quiet()
    await contacts.told(found["id"], "created")


async def test_the_same_event_twice_has_its_effect_once(contacts: Stand) -> None:
    event = crm.ContactUpserted(contact_id="e1", version=1, fields={"prenom": "Zoé"})
    envelope = crm.contact_envelope(event, tenant_id="acme", time=clock.now())
    await contacts.crm_sends(envelope, envelope)
    await says(contacts, 1, "e2", prenom="Last")

    async def both() -> bool:
        return sorted(each["name"] for each in await all_of_them(contacts)) == ["Last", "Zoé"]

    await eventually(both)
    await contacts.quiet()
    assert len(contacts.events("contacts.contact.")) == 2


async def test_a_deleted_contact_is_gone_and_comes_back_with_a_newer_version(
    contacts: Stand,
) -> None:
    await says(contacts, 1, **ZOE)
    found = await one(contacts)
    await deletes(contacts, 2)
    assert await all_of_them(contacts) == []
    await says(contacts, 2, prenom="Late")
    assert await all_of_them(contacts) == []
    await says(contacts, 3, prenom="Back")
    back = await one(contacts)

    assert (back["id"], back["name"]) == (found["id"], "Back")
    await contacts.told(found["id"], "created", "deleted", "created")


async def test_who_was_deleted_in_the_crm_and_comes_back_is_in_google_again(
    contacts: Stand,
) -> None:
    await contacts.connect(confirmed=True)
    await says(contacts, 1, owner_user_id="ada", **ZOE)
    await in_google(contacts, givenName="Zoé")
    await deletes(contacts, 2)
    await eventually(lambda: is_nobody_at_google(contacts))
    await contacts.quiet()
    await says(contacts, 3, owner_user_id="ada", **ZOE)
    await in_google(contacts, givenName="Zoé")


async def test_who_comes_back_while_google_is_asked_to_delete_them_is_there_in_the_end(
    contacts: Stand,
) -> None:
    await contacts.connect(confirmed=True)
    await says(contacts, 1, owner_user_id="ada", **ZOE)
    await in_google(contacts, givenName="Zoé")
    slow = {"path_contains": ":deleteContact", "times": 1, "late_s": 1.0}
    await contacts.google.control("PUT", "faults", {"rules": [slow]})
    await deletes(contacts, 2)
    await eventually(lambda: is_nobody_at_google(contacts))
    await says(contacts, 3, owner_user_id="ada", **ZOE)
    await contacts.quiet()
    await in_google(contacts, givenName="Zoé")


async def test_who_comes_back_loses_nothing_of_what_the_person_has_in_google(
    contacts: Stand,
) -> None:
    person = human("Zoé Martin", "zoe@example.org", phone="+55 11 91111-1111")
    person["biographies"] = [{"value": "Likes tea"}]
    await contacts.add(person)
    await contacts.connect(confirmed=True)
    await contacts.named("Zoé Martin")
    await says(contacts, 1, owner_user_id="ada", prenom="Zoé", email="zoe@example.org")
    await contacts.quiet()
    await deletes(contacts, 2)
    await contacts.quiet()
    await says(
        contacts, 3, owner_user_id="ada", prenom="Zoé", email="zoe@example.org", fonction="CEO"
    )

    async def is_written() -> bool:
        (found,) = await contacts.at_google()
        return bool("organizations" in found)

    await eventually(is_written)
    await contacts.quiet()
    (found,) = await contacts.at_google()
    assert found["biographies"][0]["value"] == "Likes tea"
    assert found["phoneNumbers"][0]["value"] == "+55 11 91111-1111"


async def test_a_contact_of_one_user_is_not_made_of_what_another_has_for_themselves(
    contacts: Stand,
) -> None:
    await contacts.add(human("Zoé Private", "zoe@example.org"))
    await contacts.connect()
    await contacts.named("Zoé Private")
    await says(contacts, 1, owner_user_id="bob", prenom="Zoé", email="zoe@example.org")
    rows = {row["name"]: row["owner_user_id"] for row in await contacts.kept()}
    assert rows == {"Zoé Private": "ada", "Zoé": "bob"}


async def is_nobody_at_google(contacts: Stand) -> bool:
    return await contacts.at_google() == []


async def test_a_deletion_that_overtakes_the_contact_stays(contacts: Stand) -> None:
    await deletes(contacts, 2)
    await says(contacts, 1, **ZOE)
    await says(contacts, 2, **ZOE)
    assert await all_of_them(contacts) == []
    await contacts.quiet()
    assert contacts.events("contacts.contact.") == []
    await says(contacts, 3, **ZOE)
    assert (await one(contacts))["name"] == "Zoé Martin"


async def test_an_older_deletion_changes_nothing(contacts: Stand) -> None:
    await says(contacts, 3, **ZOE)
    await deletes(contacts, 2)

    assert (await one(contacts))["name"] == "Zoé Martin"
    await deletes(contacts, 3)
    assert await all_of_them(contacts) == []


async def test_somebody_who_is_here_already_becomes_the_crms(contacts: Stand) -> None:
    made = await contacts.make(
        given_name="Z.",
        notes="knows Bob",
        emails=[{"address": "ZOE@example.org", "type": "home"}],
        phones=[{"number": "+33 6 12 34 56 78"}],
    )
    await says(contacts, **ZOE, owner_user_id="ada")
    found = await one(contacts)

    assert (found["id"], found["entity_id"], found["visible_to"]) == (made["id"], "e1", "tenant")
    assert (found["name"], found["notes"]) == ("Zoé Martin", "knows Bob")
    assert [each["e164"] for each in found["phones"]] == ["+5511987654321", "+33612345678"]
    assert [each["address"] for each in found["emails"]] == ["zoe@example.org"]
    await contacts.told(made["id"], "created", "updated")


async def test_a_number_says_who_somebody_is_where_no_address_does(contacts: Stand) -> None:
    made = await contacts.make(given_name="Z.", phones=[{"number": "+55 11 98765-4321"}])
    await says(contacts, **ZOE)

    assert (await one(contacts))["id"] == made["id"]


async def test_who_could_be_several_is_nobody_but_the_owners_own(contacts: Stand) -> None:
    email = [{"address": "zoe@example.org"}]
    adas = await contacts.make(given_name="A", emails=email)
    bobs = await contacts.make(given_name="B", emails=email, token=caller_token(user="bob"))
    await says(contacts, **ZOE)
    assert len(await all_of_them(contacts)) == 3
    await says(contacts, 1, "e2", email="zoe@example.org", owner_user_id="bob")
    found = {each["id"]: each["entity_id"] for each in await all_of_them(contacts)}

    assert len(found) == 3
    assert (found[adas["id"]], found[bobs["id"]]) == (None, "e2")


async def test_a_contact_of_the_crm_is_no_other_contact_of_the_crm(contacts: Stand) -> None:
    await says(contacts, 1, "e1", **ZOE)
    await says(contacts, 1, "e2", **ZOE)

    assert {each["entity_id"] for each in await all_of_them(contacts)} == {"e1", "e2"}


async def test_the_crm_may_take_over_our_id(contacts: Stand) -> None:
    made = await contacts.make(given_name="Zoé", title="CEO")
    await says(contacts, 1, made["id"], nom="Martin")
    found = await one(contacts)

    assert (found["id"], found["entity_id"]) == (made["id"], made["id"])
    assert (found["name"], found["title"]) == ("Zoé Martin", "CEO")


async def test_what_is_said_of_a_merged_contact_is_of_what_it_is_now(contacts: Stand) -> None:
    await says(contacts, 1, "e1", prenom="One")
    await says(contacts, 1, "e2", prenom="Two")
    first, second = await all_of_them(contacts)
    answer = await contacts.call(
        "POST",
        f"/v1/contacts/{first['id']}/merge",
        {"into": second["id"]},
        headers={"Idempotency-Key": "k"},
        token=SERVICE,
    )
    assert answer.status == 200, answer
    await says(contacts, 2, "e1", ville="Paris")
    await says(contacts, 2, "e1", ville="Lyon")
    found = await one(contacts)
    assert (found["id"], found["name"]) == (second["id"], "Two")
    assert found["addresses"][0]["city"] == "Paris"
    await deletes(contacts, 3, "e1")
    assert (await one(contacts))["id"] == second["id"]
    await deletes(contacts, 2, "e2")
    assert await all_of_them(contacts) == []


async def test_the_tenants_own_names_are_understood_and_told(contacts: Stand) -> None:
    settings = {
        "region": "FR",
        "language": "pt",
        "mapping": {"gsm": "phone/mobile", "n_client": "custom/numero"},
    }
    answer = await contacts.call("PUT", "/v1/contacts/settings", settings, token=SERVICE)
    assert answer.status == 200, answer
    await says(contacts, sobrenome="Martin", gsm="06 12 34 56 78", n_client="7")
    found = await one(contacts)

    assert found["phones"][0]["e164"] == "+33612345678"
    assert found["phones"][0]["type"] == "mobile"
    assert found["custom"] == {"numero": "7"}
    await contacts.told(found["id"], "created")
    told = contacts.events("contacts.contact.")[0].data["fields"]
    assert (told["sobrenome"], told["gsm"], told["n_client"]) == ("Martin", "06 12 34 56 78", "7")


async def test_tenants_are_apart(contacts: Stand) -> None:
    await says(contacts, **ZOE)
    await heard(
        contacts,
        "upserted",
        tenant="other",
        contact_id="e1",
        version=1,
        fields={"prenom": "Elsewhere"},
    )

    assert (await one(contacts))["name"] == "Zoé Martin"
    other = await contacts.get("/v1/contacts", token=service_caller_token(tenant="other"))
    assert [each["name"] for each in other["items"]] == ["Elsewhere"]


async def test_nonsense_of_the_crm_is_set_aside_and_the_rest_goes_on(contacts: Stand) -> None:
    good = crm.ContactUpserted(contact_id="e1", version=1, fields={"prenom": "Zoé"})
    for fields in (
        {"prenom": "a\0b"},
        {"notes": "x" * 65_537},
        {"x" * 101: "1"},
        {"deep": [[[["x"]]]]},
        {f"f{each}": "1" for each in range(201)},
    ):
        bad = good.model_copy(update={"fields": fields, "contact_id": "bad"})
        envelope = crm.contact_envelope(bad, tenant_id="acme", time=clock.now())
        await contacts.crm_sends(envelope)
    await says(contacts, prenom="Zoé", email="no address", telephone="ask Bob")
    found = await one(contacts)

    assert [each["address"] for each in found["emails"]] == ["no address"]
    assert [each["number"] for each in found["phones"]] == ["ask Bob"]
    assert [each["field"] for each in found["problems"]] == [
        "emails[0].address",
        "phones[0].number",
    ]
