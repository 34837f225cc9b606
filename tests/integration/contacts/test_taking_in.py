from tests.integration.contacts.stand import Stand, human


async def test_people_of_an_address_book_become_contacts_of_whoever_connected_it(
    contacts: Stand,
) -> None:
    await contacts.add(human("Ada Byron", "ada@example.org", phone="+55 11 98765-4321"))
    await contacts.connect()
    row = await contacts.named("Ada Byron")
    assert row["owner_user_id"] == "ada"
    assert row["emails"] == ["ada@example.org"]
    assert row["phones"] == ["+5511987654321"]
    await contacts.told(row["id"], "created")
