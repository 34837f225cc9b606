"""The People API on behalf of connections: what is read in `reading`, what is changed in `writing`.

Source: https://developers.google.com/people/api/rest
"""

from libs.common.connections import Connected
from libs.common.google.connected import ConnectedGoogle
from libs.common.google.discovery import PeopleResources
from libs.common.quota import Lane
from services.contacts.google.costs import Ledgers, PeopleCharge
from services.contacts.google.reading import ReadingBox
from services.contacts.google.writing import WritingBox


class PeopleBox(ReadingBox, WritingBox):
    """One person's address book; see `Box` for what methods raise."""


class GooglePeople:
    """The People API for every connected account.

    Args:
        google: executes requests on behalf of connections.
        resources: build them.
        ledgers: of the quota; None: requests are not counted.
    """

    def __init__(
        self, google: ConnectedGoogle, resources: PeopleResources, ledgers: Ledgers | None = None
    ) -> None:
        self._google = google
        self._api = resources
        self._ledgers = ledgers

    def box(self, connection: Connected, lane: Lane = Lane.LIVE) -> PeopleBox:
        """Return what the connection's grant opens; what it costs is counted in `lane`."""
        charge = None
        if self._ledgers is not None:
            charge = PeopleCharge(self._ledgers, connection.account_id, lane)
        return PeopleBox(self._google, self._api, connection_id=connection.id, charge=charge)
