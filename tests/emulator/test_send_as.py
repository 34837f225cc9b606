"""The addresses a person sends from."""

from tests.emulator.google import ALICE, BOB, READONLY, SEND, Google, Mail, raw

ALIAS = "sales@example.com"


async def add_alias(google: Google, **alias: object) -> None:
    await google.control("POST", f"people/{ALICE}/aliases", {"email": ALIAS, **alias})


async def test_the_persons_own_address_is_the_primary_one(mail: Mail) -> None:
    (own,) = (await mail.get("settings/sendAs"))["sendAs"]

    assert (own["sendAsEmail"], own["isPrimary"], own["isDefault"]) == (ALICE, True, True)


async def test_an_alias_stands_beside_the_own_address(google: Google, mail: Mail) -> None:
    await add_alias(google, name="Sales", default=True)

    own, alias = (await mail.get("settings/sendAs"))["sendAs"]

    assert own["isDefault"] is False
    assert (alias["displayName"], alias["isDefault"]) == ("Sales", True)
    assert alias["verificationStatus"] == "accepted"
    assert await mail.get(f"settings/sendAs/{ALIAS}") == alias


async def test_an_alias_that_is_added_again_takes_the_new_name(google: Google, mail: Mail) -> None:
    await add_alias(google, name="Sales")
    await add_alias(google, name="Sales team")

    names = [a["displayName"] for a in (await mail.get("settings/sendAs"))["sendAs"]]

    assert names == ["Alice", "Sales team"]


async def test_an_address_that_is_no_alias_is_not_found(mail: Mail) -> None:
    assert (await mail.call("GET", f"settings/sendAs/{ALIAS}")).status == 404


async def test_the_addresses_are_read_with_a_reading_scope(google: Google) -> None:
    reader, sender = await google.mailbox(READONLY), await google.mailbox(SEND)

    assert (await reader.call("GET", "settings/sendAs")).status == 200
    assert (await sender.call("GET", "settings/sendAs")).status == 403


async def test_mail_to_an_alias_arrives(google: Google, mail: Mail) -> None:
    await add_alias(google)
    await google.control("POST", "people", {"email": BOB})
    bob = await google.mailbox(email=BOB)

    await bob.post("messages/send", {"raw": raw("For sales", From=BOB, To=ALIAS)})

    assert (await mail.get("messages", q="in:inbox to:sales"))["resultSizeEstimate"] == 1


async def test_an_alias_belongs_to_one_person(google: Google) -> None:
    await google.control("POST", "people", {"email": BOB})
    await add_alias(google)

    path = f"/_emulator/people/{BOB}/aliases"
    assert (await google.request("POST", path, json={"email": ALIAS})).status == 409
    assert (await google.request("POST", path, json={"email": ALICE})).status == 409
