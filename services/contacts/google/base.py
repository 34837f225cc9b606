"""What reading and writing of an address book stand on."""

from uuid import UUID

from libs.common.google.box import Box
from libs.common.google.connected import ConnectedGoogle
from libs.common.google.discovery import PeopleResources
from services.contacts.google.costs import PeopleCharge


class PeopleApi(Box):
    """One person's address book; see `Box` for what methods raise."""

    def __init__(
        self,
        google: ConnectedGoogle,
        resources: PeopleResources,
        *,
        connection_id: UUID,
        charge: PeopleCharge | None,
    ) -> None:
        """Build requests with `resources`."""
        super().__init__(google, connection_id=connection_id, charge=charge)
        self._api = resources
        self._counts = charge

    async def _written(self, contacts: int) -> None:
        """Take so many of the contacts that may be written in a day; see `Ledger.spend`."""
        if self._counts is not None:
            await self._counts.written(contacts)
