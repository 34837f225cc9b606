"""What requests cost: critical reads and critical writes of a person per minute, and all requests.

A contact that is created or changed costs a read and a write, a batch of up to 200 six of each; a
contact that is deleted a write, a batch of up to 500 ten. Contacts written in a day, by all of the
project together, are counted one by one.

Source: https://developers.google.com/people/v1/contacts
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from libs.common.errors import RateLimited
from libs.common.quota import Lane, Ledger

BATCH: Final = 6
BATCH_DELETE: Final = 10


@dataclass(frozen=True, slots=True)
class Cost:
    """Units of a call."""

    reads: int = 1
    writes: int = 0


READ: Final = Cost()
WRITE: Final = Cost(1, 1)
COSTS: Final = {
    "people.people.createContact": WRITE,
    "people.people.updateContact": WRITE,
    "people.people.deleteContact": Cost(0, 1),
    "people.people.batchCreateContacts": Cost(BATCH, BATCH),
    "people.people.batchUpdateContacts": Cost(BATCH, BATCH),
    "people.people.batchDeleteContacts": Cost(0, BATCH_DELETE),
    "people.contactGroups.create": WRITE,
    "people.contactGroups.update": WRITE,
    "people.contactGroups.delete": WRITE,
    "people.contactGroups.members.modify": WRITE,
}
"""By method; any other is a read."""


@dataclass(frozen=True, slots=True)
class Ledgers:
    """The ledgers that an address book's requests are counted in."""

    reads: Ledger
    """Critical reads of each person per minute."""
    writes: Ledger
    """Critical writes of each person per minute."""
    contacts: Ledger
    """Contacts that are written per day."""


class PeopleCharge:
    """Counts one account's requests."""

    def __init__(self, ledgers: Ledgers, account_id: UUID, lane: Lane) -> None:
        self._ledgers = ledgers
        self._account_id = account_id
        self._lane = lane

    async def __call__(self, method_id: str) -> None:
        """Take what the method costs; see `Ledger.spend`."""
        cost = COSTS.get(method_id, READ)
        if cost.writes:
            await self._ledgers.writes.spend(self._account_id, self._lane, cost.writes)
        if cost.reads:
            await self._ledgers.reads.spend(self._account_id, self._lane, cost.reads)

    async def written(self, contacts: int) -> None:
        """Take so many of the contacts that may be written in a day."""
        await self._ledgers.contacts.spend(self._account_id, self._lane, contacts)

    async def refused(self, exc: RateLimited) -> None:
        """Note that Google refused: nobody asks for this account before the time it named."""
        await self._ledgers.reads.refused(self._account_id, exc.retry_after_s)
        await self._ledgers.writes.refused(self._account_id, exc.retry_after_s)
