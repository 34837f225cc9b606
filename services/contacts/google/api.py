"""The People API on behalf of connections: what is read in `reading`, what is changed in `writing`.

Source: https://developers.google.com/people/api/rest
"""

from libs.common.connections import Connected
from libs.common.google.box import AccountCharge
from libs.common.google.connected import ConnectedGoogle
from libs.common.google.discovery import PeopleResources
from libs.common.quota import Lane, Ledger
from services.contacts.google.reading import ReadingBox
from services.contacts.google.writing import WritingBox


def units(method_id: str) -> int:
    """Return what a call costs: every request is one."""
    del method_id
    return 1


class PeopleBox(ReadingBox, WritingBox):
    """One person's address book; see `Box` for what methods raise."""


class GooglePeople:
    """The People API for every connected account.

    Args:
        google: executes requests on behalf of connections.
        resources: build them.
        ledger: of the quota; None: requests are not counted.
    """

    def __init__(
        self, google: ConnectedGoogle, resources: PeopleResources, ledger: Ledger | None = None
    ) -> None:
        self._google = google
        self._api = resources
        self._ledger = ledger

    def box(self, connection: Connected, lane: Lane = Lane.LIVE) -> PeopleBox:
        """Return what the connection's grant opens; what it costs is counted in `lane`."""
        charge = None
        if self._ledger is not None:
            charge = AccountCharge(self._ledger, connection.account_id, lane, units)
        return PeopleBox(self._google, self._api, connection_id=connection.id, charge=charge)
