"""What tests of writing look at: requests that changed something, and contacts made at once."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from libs.common import clock
from libs.common.db import POOL, transaction
from libs.common.events.base import Origin
from services.contacts.domain.card import Card, Email
from services.contacts.domain.contact import NewContact
from services.contacts.sync.changing.turn import Turn
from tests.integration.contacts.stand import Stand
from tests.integration.service_stand import ALICE, Json
from tests.support import eventually

WRITES = {
    "people.people.createContact": "create",
    "people.people.updateContact": "update",
    "people.people.deleteContact": "delete",
    "people.people.batchCreateContacts": "create_many",
    "people.people.batchUpdateContacts": "update_many",
    "people.people.batchDeleteContacts": "delete_many",
    "people.contactGroups.create": "create_label",
    "people.contactGroups.update": "rename_label",
    "people.contactGroups.delete": "delete_label",
    "people.contactGroups.members.modify": "members",
}
ENDED = "SELECT state, reason FROM writes WHERE finished_at IS NOT NULL ORDER BY position"


async def requests(stand: Stand, person: str = ALICE) -> dict[str, int]:
    """Return how many requests changed something at Google."""
    usage = await stand.google.control("GET", "usage")
    calls = usage["people"].get(person, {"methods": {}})["methods"]
    return {short: calls[name]["calls"] for name, short in WRITES.items() if name in calls}


async def in_google(stand: Stand, **wanted: Any) -> Json:
    """Wait until Google has exactly one contact, whose name is as wanted; return it."""

    async def one() -> Any:
        found = await stand.at_google()
        assert len(found) == 1, found
        (name,) = found[0]["names"]
        assert wanted.items() <= name.items(), name
        return found[0]

    return dict(await eventually(one, what=f"{wanted} at Google"))


@asynccontextmanager
async def turn(stand: Stand) -> AsyncIterator[Turn]:
    """Change contacts of the tenant acme at once, as our side does."""
    async with transaction(stand.app[POOL]) as conn:
        made = await Turn.begin(conn, "acme", now=clock.now())
        yield made
        await made.end()


async def make_many(stand: Stand, count: int, *, owner: str = "ada") -> list[UUID]:
    """Let the CRM have so many more contacts, all at once; return their ids."""
    async with turn(stand) as now:
        made = [
            now.create(
                NewContact(
                    owner_user_id=owner,
                    card=Card(
                        given_name="Person",
                        family_name=f"{number:05}",
                        emails=(Email(address=f"p{number}@example.org", primary=True),),
                    ),
                ),
                origin=Origin.CRM,
            )
            for number in range(count)
        ]
    return [one.id for one in made]


async def change_many(stand: Stand, ids: Sequence[UUID], **fields: Any) -> None:
    """Let the CRM change contacts alike, all at once."""
    async with turn(stand) as now:
        for one in (await now.find(ids)).values():
            card = Card(**{**_fields(one.card), **fields})
            now.change(one, card, origin=Origin.CRM, ours=True)


async def delete_many(stand: Stand, ids: Sequence[UUID]) -> None:
    """Let the CRM delete contacts, all at once."""
    async with turn(stand) as now:
        for one in (await now.find(ids)).values():
            now.delete(one, origin=Origin.CRM)


async def ended(stand: Stand) -> list[tuple[str, str | None]]:
    """Return how writes ended, and why."""
    return [(row["state"], row["reason"]) for row in await stand.fetch(ENDED)]


async def there_are(stand: Stand, count: int) -> list[Json]:
    """Wait until Google has so many contacts; return them."""

    async def so_many() -> Any:
        found = await stand.at_google()
        assert len(found) == count, len(found)
        return found or True

    found = await eventually(so_many, what=f"{count} contacts at Google")
    return [] if found is True else list(found)


async def faults(stand: Stand, **rule: Any) -> None:
    """Let Google fail: see the emulator's README."""
    await stand.google.control("PUT", "faults", {"rules": [rule] if rule else []})


def _fields(card: Card) -> dict[str, Any]:
    names = Card.__dataclass_fields__
    return {name: getattr(card, name) for name in names}
