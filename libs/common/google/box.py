"""One connected account at one of Google's APIs."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from libs.common.errors import Conflict, NotFound, RateLimited
from libs.common.google.connected import Charge, ConnectedGoogle
from libs.common.google.discovery import ApiRequest
from libs.common.quota import Lane, Ledger


class Absent(NotFound):
    """Google says that there is no such thing."""


class AccountCharge:
    """Counts one account's requests in the quota ledger.

    Args:
        ledger: of the API's quota.
        account_id: whose.
        lane: what for.
        units: what a method costs, by its id.
    """

    def __init__(
        self, ledger: Ledger, account_id: UUID, lane: Lane, units: Callable[[str], int]
    ) -> None:
        self._ledger = ledger
        self._account_id = account_id
        self._lane = lane
        self._units = units

    async def __call__(self, method_id: str) -> None:
        """Take what the method costs; see `Ledger.spend`."""
        await self._ledger.spend(self._account_id, self._lane, self._units(method_id))

    async def refused(self, exc: RateLimited) -> None:
        """Note that Google refused: nobody asks for this account before the time it named."""
        await self._ledger.refused(self._account_id, exc.retry_after_s)


class Box:
    """What one connection's grant opens.

    Every method of a subclass raises what `ConnectedGoogle.execute` does: AccessRevoked, Conflict
    (not connected), RateLimited (Google's word or our ledger's), PermissionDenied,
    RequestRefused, Transient; NotFound only where it says so; AnswerUnreadable when it is none of
    the API's.
    """

    def __init__(
        self, google: ConnectedGoogle, *, connection_id: UUID, charge: Charge | None
    ) -> None:
        """Ask `google` on the connection's behalf; `charge` counts what that costs."""
        self._google = google
        self._connection_id = connection_id
        self._charge = charge

    async def _execute(self, request: ApiRequest, **options: Any) -> Any:
        """Ask Google; what Google does not have is `Absent`, what auth does not have is not.

        That a connection is gone must never read as if a thing at Google were.
        """
        try:
            return await self._google.execute(
                request, connection_id=self._connection_id, charge=self._charge, **options
            )
        except NotFound as exc:
            refuse_unconnected(exc)
            raise Absent(exc.message) from exc

    async def _absent_is_none(self, request: ApiRequest, **options: Any) -> Any:
        """Ask Google; None: Google has no such thing (or answers nothing)."""
        try:
            return await self._execute(request, **options)
        except Absent:
            return None


def refuse_unconnected(exc: NotFound) -> None:
    """Keep apart what Google does not have and what auth does not have.

    Raises:
        Conflict: it is auth that knows no such connection.
    """
    if "google_status" not in exc.data:
        raise Conflict("The account is not connected.", slug="not-connected") from exc
