"""The ways in and out of address books, as `tests.faults.paths` has those of mail."""

import itertools
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

import aiohttp

from libs.common.events import crm
from tests import messaging
from tests.faults.paths import ALICE, Begin, Done, Path
from tests.house.books import book_differences, facts_of, marks_of
from tests.house.house import House, Json
from tests.house.truth import first_seen
from tests.support import eventually

NUMBERS = itertools.count(1)
MANY = 27
CONTACTS = "/v1/contacts"
BATCH = 12
"""Contacts that go out together."""


async def one_book(house: House) -> None:
    """Connect Alice's contacts, with two people whom both sides know."""
    await house.start()
    await house.google.add_person(ALICE, name="Alice")
    for name in ("First", "Second"):
        await added(house, name)
    await house.connect_contacts(ALICE)
    await eventually(lambda: len(house.events("contacts.contact.created.")) == 2)
    await house.quiet()


def email_of(name: str) -> str:
    """Return somebody's address."""
    return f"{name.lower()}@customer.example"


def human(name: str, **more: Any) -> Json:
    """Return a person as Google has them."""
    return {
        "names": [{"givenName": name}],
        "emailAddresses": [{"value": email_of(name)}],
        **more,
    }


def fresh(word: str) -> str:
    """Return a name that nobody has."""
    return f"{word}{next(NUMBERS)}"


async def added(house: House, name: str, *, person: str = ALICE, **more: Any) -> str:
    """Let somebody add a person in Google; return the resource name."""
    body = {"contact": human(name), **more}
    made = await house.google.control("POST", f"people/{person}/contacts", body)
    return str(made.get("resourceName", ""))


async def edited(house: House, resource: str, action: str, **how: Any) -> None:
    """Let Alice do something to somebody in Google."""
    body = {"contact": resource, "action": action, **how}
    await house.google.control("POST", f"people/{ALICE}/contact-edits", body)


def told(house: House, wanted: dict[str, list[str]]) -> Done:
    """Return what says whether exactly these events were told of contacts, by id."""

    async def done() -> bool:
        found: dict[str, list[str]] = {}
        for one in first_seen(house.events("contacts.contact.")):
            found.setdefault(one.data["contact_id"], []).append(one.type.split(".")[2])
        return all(found.get(name) == kinds for name, kinds in wanted.items())

    return done


async def id_of(house: House, name: str) -> str:
    """Wait until a contact of that name was told of; return its id."""

    def ids() -> list[str]:
        created = first_seen(house.events("contacts.contact.created."))
        return [str(one.data["contact_id"]) for one in created if one.data["name"] == name]

    await eventually(lambda: bool(ids()), timeout_s=60, what=f"{name} was told of")
    return ids()[0]


async def met(house: House, name: str) -> tuple[str, str]:
    """Let Alice have somebody whom both sides know; return resource name and contact."""
    resource = await added(house, name)
    await house.look()
    contact_id = await id_of(house, name)
    await house.quiet()
    return resource, contact_id


async def mine(house: House, person: str = ALICE) -> Json:
    """Return somebody's people at Google, by given name."""
    shown = await house.google.control("GET", f"people/{person}/contacts")
    return {facts_of(one).get("given_name", ""): one for one in shown["contacts"]}


async def first_sync(house: House) -> Begin:
    """Somebody with an address book connects."""
    house.books.clear()  # those before were found right
    person = f"{fresh('person')}@example.com"
    await house.google.add_person(person, name="Person")
    await added(house, fresh("Old"), person=person, count=MANY, groups=["Customers"])

    async def begin() -> Done:
        connection_id = await house.connect_contacts(person, user=person, settled=False)

        async def done() -> bool:
            if not await house.book_in_step(connection_id):
                return False
            created = first_seen(house.events("contacts.contact.created."))
            return len([one for one in created if one.data["owner_user_id"] == person]) == MANY

        return done

    return begin


async def delta(house: House, *, forgotten: bool = False) -> Begin:
    """Somebody is added, somebody changes, somebody goes, somebody is called otherwise.

    Args:
        house: where.
        forgotten: Google forgets the token before it is asked.
    """
    changed, gone, renamed = [await met(house, fresh(word)) for word in ("Mia", "Gil", "Ren")]
    name = fresh("New")

    async def begin() -> Done:
        await added(house, name)
        await edited(house, changed[0], "change", changes={"organizations": [{"name": "Acme"}]})
        await edited(house, gone[0], "delete")
        await edited(house, renamed[0], "rename")
        if forgotten:
            body = {"action": "expire", "of": "contacts"}
            await house.google.control("POST", f"people/{ALICE}/sync-tokens", body)
        await house.look()
        known = told(
            house,
            {
                changed[1]: ["created", "updated"],
                gone[1]: ["created", "deleted"],
                renamed[1]: ["created"],
            },
        )

        async def done() -> bool:
            created = first_seen(house.events("contacts.contact.created."))
            return await known() and any(one.data["name"] == name for one in created)

        return done

    return begin


async def matching(house: House) -> Begin:
    """Somebody is found in an address book whom the CRM has already, and nobody in particular."""
    name = fresh("Twin")
    await crm_tells(house, name, fonction="Buyer")
    contact_id = await id_of(house, name)
    await house.quiet()

    async def begin() -> Done:
        phone = [{"value": "+55 11 98765-4321"}]
        contact = human(name, phoneNumbers=phone)
        await house.google.control("POST", f"people/{ALICE}/contacts", {"contact": contact})
        await house.look()
        is_told = told(house, {contact_id: ["created", "updated"]})

        async def done() -> bool:
            facts = facts_of((await mine(house))[name])
            return facts.get("title") == "Buyer" and await is_told()

        return done

    return begin


async def crm_tells(house: House, name: str, *, owner: str | None = None, **more: str) -> None:
    """Let the CRM publish that a contact of its own is new."""
    event = crm.ContactUpserted(
        contact_id=name,
        version=1,
        owner_user_id=owner,
        fields={"prenom": name, "email": email_of(name), **more},
    )
    envelope = crm.contact_envelope(event, tenant_id="acme", time=datetime.now(UTC))
    await messaging.send(house.amqp_url, envelope.to_json(), key=envelope.type)


def given(name: str, **more: Any) -> Json:
    """Return a contact as the CRM gives it."""
    return {"given_name": name, "emails": [{"address": email_of(name)}], **more}


async def submission(house: House) -> Begin:
    """A contact is taken in; who gets no answer asks again."""
    name, wire = fresh("Sub"), house.wires["contacts-web", "inbound"]
    key, made = fresh("key"), list[str]()

    async def attempt() -> None:
        with suppress(aiohttp.ClientError):
            status, said = await house.call_contacts(
                "POST", CONTACTS, given(name), key=key, origin=wire.url
            )
            assert status == 201, said
            made.append(said["id"])

    async def begin() -> Done:
        await attempt()

        async def done() -> bool:
            if not made:
                await attempt()
            return bool(made) and await is_out(house, name)

        return done

    return begin


async def is_out(house: House, *names: str, person: str = ALICE) -> bool:
    """Say whether people are in somebody's address book, as contacts say they are."""
    shown = await mine(house, person)
    return all(name in shown and marks_of(shown[name]) for name in names)


async def creating(house: House) -> Begin:
    """The CRM tells of a contact of its own by an event, which goes out."""
    name = fresh("Tom")

    async def begin() -> Done:
        await crm_tells(house, name, owner="ada")
        return partial(is_out, house, name)

    return begin


async def batch(house: House) -> Begin:
    """Many contacts go out together, and a group with them in it."""
    # A tenant for each time: looking through all that were there before takes the longest.
    house.books.clear()  # those before were found right
    tenant, person = fresh("tenant"), f"{fresh('person')}@example.com"
    await house.connect_contacts(person, tenant=tenant)
    await house.quiet()
    names = [fresh("Bat") for _ in range(BATCH)]

    async def asks(method: str, path: str, body: Json) -> Json:
        status, said = await house.call_contacts(method, path, body, tenant=tenant)
        assert status in (200, 201), said
        return dict(said)

    async def begin() -> Done:
        made = [(await asks("POST", CONTACTS, given(one)))["id"] for one in names]
        group = await asks("POST", f"{CONTACTS}/groups", {"name": fresh("Group")})
        await asks("PATCH", f"{CONTACTS}/groups/{group['id']}/members", {"add": made})

        async def done() -> bool:
            if not await is_out(house, *names, person=person):
                return False
            shown = await house.google.control("GET", f"people/{person}/contact-groups")
            sizes = {one["name"]: len(one["memberResourceNames"]) for one in shown["groups"]}
            return bool(sizes.get(group["name"]) == BATCH)

        return done

    return begin


async def changing(house: House) -> Begin:
    """Somebody whom a person has is changed from the CRM, and at Google in another field."""
    name = fresh("Cha")
    resource, contact_id = await met(house, name)

    async def begin() -> Done:
        await edited(house, resource, "change", changes={"urls": [{"value": "https://a.example"}]})
        path = f"{CONTACTS}/{contact_id}"
        status, said = await house.call_contacts("PATCH", path, {"title": "Head of all"})
        assert status == 200, said

        async def done() -> bool:
            await house.look()
            facts = facts_of((await mine(house))[name])
            is_merged = facts.get("title") == "Head of all" and "urls" in facts
            return is_merged and await _have(house, contact_id, urls=True)

        return done

    return begin


async def _have(house: House, contact_id: str, **wanted: bool) -> bool:
    status, said = await house.call_contacts("GET", f"{CONTACTS}/{contact_id}")
    return status == 200 and all(bool(said[name]) for name in wanted)


async def deleting(house: House) -> Begin:
    """A contact that the CRM made is deleted there, and goes from Google."""
    name = fresh("Del")
    status, said = await house.call_contacts("POST", CONTACTS, given(name))
    assert status == 201, said
    await eventually(partial(is_out, house, name), timeout_s=60)
    await house.quiet()

    async def begin() -> Done:
        status, answer = await house.call_contacts("DELETE", f"{CONTACTS}/{said['id']}")
        assert status == 204, answer

        async def done() -> bool:
            return name not in await mine(house)

        return done

    return begin


async def right(house: House) -> list[str]:
    """Look at address books once more, and return all that is wrong then."""
    await house.look()
    await house.quiet()
    return await book_differences(house)


def _path(name: str, program: str, stage: Any, prepare: Any) -> Path:
    return Path(name, program, stage, prepare, right=right, contacts=True)


PATHS = (
    _path("contacts first sync", "contacts-worker", House.start, first_sync),
    _path("contacts delta", "contacts-worker", one_book, delta),
    _path("contacts gap", "contacts-worker", one_book, partial(delta, forgotten=True)),
    _path("match a contact", "contacts-worker", one_book, matching),
    _path("submit a contact", "contacts-web", one_book, submission),
    _path("consume a contact", "contacts-consumer", one_book, creating),
    _path("create a contact", "contacts-worker", one_book, creating),
    _path("push contacts and a group", "contacts-worker", House.start, batch),
    _path("merge a contact", "contacts-worker", one_book, changing),
    _path("delete a contact", "contacts-worker", one_book, deleting),
    _path("publish a contact", "contacts-relay", one_book, delta),
)
