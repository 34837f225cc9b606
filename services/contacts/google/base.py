"""What reading and writing of an address book stand on."""

from uuid import UUID

from libs.common.google.box import Box
from libs.common.google.connected import Charge, ConnectedGoogle
from libs.common.google.discovery import PeopleResources


class PeopleApi(Box):
    """One person's address book; see `Box` for what methods raise."""

    def __init__(
        self,
        google: ConnectedGoogle,
        resources: PeopleResources,
        *,
        connection_id: UUID,
        charge: Charge | None,
    ) -> None:
        """Build requests with `resources`."""
        super().__init__(google, connection_id=connection_id, charge=charge)
        self._api = resources
