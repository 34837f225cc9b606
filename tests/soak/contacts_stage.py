"""The stage of one story about contacts: a person at Google, and the tenant that has them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from libs.common import clock
from libs.common.db import POOL, transaction
from services.contacts.sync.feeds import (
    audit_address,
    groups_address,
    people_address,
    wake,
)
from tests.house.books import Book
from tests.integration.auth.stand import Answer
from tests.integration.contacts.stand import Stand
from tests.integration.service_stand import Json
from tests.support import caller_token, eventually

USER = "ada"
STATE = "SELECT state FROM connections WHERE connection_id = $1"


@dataclass
class Circle:
    """Addresses that are known to belong together: of one person, or of several by now."""

    emails: set[str]
    let_go: bool = False
    """Somebody deleted them on one side: what the other had then, nobody promised to keep."""
    doubled: bool = False
    """Both sides made them before they heard of each other: Google may have them twice."""


@dataclass
class ContactsStage:
    """One story."""

    stand: Stand
    restart: Any
    """Stops the service and starts it again."""
    number: int
    connection_id: str = ""
    circles: list[Circle] = field(default_factory=list)
    starred: set[str] = field(default_factory=set)
    """Ids of the sources of people with a star, which nobody takes from them."""
    faults: list[Json] = field(default_factory=list)
    versions: Counter[str] = field(default_factory=Counter)
    """Of the CRM's own contacts, by its id."""
    done: Counter[str] = field(default_factory=Counter)
    """What was really done, by rule."""
    made: int = 0

    @property
    def tenant(self) -> str:
        """Return whose story it is."""
        return f"tenant-{self.number}"

    @property
    def person(self) -> str:
        """Return whose address book."""
        return f"person-{self.number}@example.com"

    @property
    def token(self) -> str:
        """Return the token of the address book's user, whatever time it is."""
        moment = int(clock.now().timestamp())
        return caller_token(tenant=self.tenant, user=USER, iat=moment, exp=moment + 3600)

    async def connect(self) -> None:
        """Connect the address book, wait until it is read, and say yes to writing."""
        self.connection_id = await self.stand.connect(
            person=self.person, token=caller_token(tenant=self.tenant, user=USER)
        )
        path = f"/v1/contacts/connections/{self.connection_id}/confirm"
        answer = await self.call("POST", path)
        assert answer.status == 200, answer

    async def look(self, *, in_full: bool = False) -> None:
        """Let the address book and its labels be looked at soon.

        `in_full`: let it be compared, too: of some who are merged no list of changes tells.
        """
        given = UUID(self.connection_id)
        addresses = [groups_address(given), people_address(given)]
        addresses += [audit_address(given)] if in_full else []
        async with transaction(self.stand.app[POOL]) as conn:
            await wake(conn, *addresses, now=clock.now())

    async def disconnect(self) -> None:
        """End the connection, and wait until that was heard of."""
        path = f"/v1/connections/{self.connection_id}"
        answer = await self.stand.auth.call("DELETE", path, token=self.token)
        assert answer.status == 200, answer

        async def is_over() -> bool:
            given = UUID(self.connection_id)
            rows = await self.stand.fetch(STATE, given)
            return [row["state"] for row in rows] == ["disconnected"]

        await eventually(is_over, what="disconnected")

    async def call(self, method: str, path: str, body: Any = None) -> Answer:
        """Call the API as the address book's user."""
        headers = {"Idempotency-Key": uuid4().hex} if method == "POST" else {}
        return await self.stand.call(method, path, body, token=self.token, headers=headers)

    async def shown(self) -> list[Json]:
        """Return the contacts that the CRM sees."""
        return list((await self.stand.get("/v1/contacts?limit=100", token=self.token))["items"])

    async def groups(self) -> list[Json]:
        """Return the groups that the CRM sees."""
        return list((await self.stand.get("/v1/contacts/groups", token=self.token))["items"])

    async def at_google(self) -> list[Json]:
        """Return the people in the address book at Google, as they are."""
        found = await self.stand.at_google(self.person)
        return [one for one in found if one["resourceName"].startswith("people/")]

    async def control(self, method: str, path: str, body: Json | None = None) -> Any:
        """Call the emulator's control API about the person."""
        return await self.stand.google.control(method, f"people/{self.person}/{path}", body)

    async def book(self) -> Book:
        """Return the address book as both sides have it now."""
        return await Book.seen(self.stand.google, self.stand.fetch, self.connection_id, self.person)

    def new_email(self) -> str:
        """Return an address that nobody has."""
        self.made += 1
        return f"p{self.number}.{self.made}@customer.example"

    def new_phone(self) -> str:
        """Return a number that nobody has, as a Brazilian types it."""
        self.made += 1
        tail = f"8{self.number % 1000:03d}{self.made % 10_000:04d}"
        return f"(11) 9{tail[:4]}-{tail[4:]}"

    def circle(self, *emails: str) -> Circle:
        """Return the circle that these addresses are in from now on, all of them in one."""
        given = {one.casefold() for one in emails}
        mine = [one for one in self.circles if one.emails & given]
        found = Circle(
            given.union(*(one.emails for one in mine)),
            let_go=any(one.let_go for one in mine),
            doubled=any(one.doubled for one in mine),
        )
        self.circles = [one for one in self.circles if one not in mine] + [found]
        return found

    def let_go(self, emails: Iterable[str]) -> None:
        """Note that somebody deleted whoever has these addresses."""
        if given := [*emails]:
            self.circle(*given).let_go = True


def emails_of(shown: Json) -> list[str]:
    """Return the addresses of a person at Google."""
    return [one["value"] for one in shown.get("emailAddresses", [])]


def emails_here(contact: Json) -> list[str]:
    """Return the addresses of a contact of the CRM."""
    return [one["address"] for one in contact["emails"]]
