"""Access tokens: from the vault, or by the one refresh at a time an account may have.

One process becomes an account's refresher by a lease in the account's row; within the
process the others wait for the same attempt. No transaction is open while Google is asked,
and what Google said is only stored if the refresh token is still the one it was said about.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NoReturn
from uuid import UUID

from libs.common import clock, db
from libs.common.db import transaction
from libs.common.errors import Conflict, RateLimited, Transient
from libs.common.ids import new_id
from services.auth.domain.model import State
from services.auth.domain.rules import Failure
from services.auth.google import RefreshFailed
from services.auth.store import accounts
from services.auth.store.accounts import Vault
from services.auth.sync.context import Context
from services.auth.sync.outcome import keep_failure, keep_success

MARGIN = timedelta(seconds=120)
"""A token that ends sooner is not handed out."""
LEASE = timedelta(seconds=20)
"""Longer than a whole refresh, the client's retries included, may take."""
WAIT_S = 12.0
POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token for Google's APIs."""

    token: str = field(repr=False)
    expires_at: datetime
    scopes: frozenset[str]


class Refresher:
    """Gives out access tokens of accounts.

    A connection's product is the caller's business: all products of an account share a token.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._flights: dict[UUID, asyncio.Task[AccessToken | None]] = {}

    async def token(
        self,
        account_id: UUID,
        *,
        lasting: timedelta = MARGIN,
        force: bool = False,
        even_refused: bool = False,
    ) -> AccessToken:
        """Return a token.

        Args:
            account_id: whose.
            lasting: how long it is good for at least; the usual hour at most.
            force: ask Google, whatever is in the vault: that token was refused.
            even_refused: ask also for an account whose grant Google refused: it may have
                come back.

        Raises:
            Conflict: only the person can repair it (`reauthorization-required`).
            RateLimited: Google refused a moment ago; it is asked again by then.
            RefreshFailed: Google gave none for a reason that concerns us or an administrator.
            Transient: Google, or the process that is asking it, does not answer.
        """
        deadline = asyncio.get_running_loop().time() + WAIT_S
        vault = await self._read(account_id)
        seen = vault.access_version if force else -1
        while True:
            now = clock.now()
            if vault.access_version > seen and _ends_after(vault, now + lasting):
                return self._opened(vault)
            if not even_refused:
                _check_askable(vault, now)
            fresh = await self._joined(vault)
            if fresh is not None:
                return fresh
            if asyncio.get_running_loop().time() > deadline:
                raise Transient("Another process is still asking Google.")
            await asyncio.sleep(POLL_S)
            vault = await self._read(account_id)

    async def close(self) -> None:
        """Give up what is being asked."""
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    async def _read(self, account_id: UUID) -> Vault:
        async with transaction(self._context.pool) as conn:
            return await accounts.get_vault(conn, account_id)

    def _opened(self, vault: Vault) -> AccessToken:
        if vault.access is None or vault.access_expires_at is None:
            raise AssertionError("what ends later is there")
        place = accounts.access_place(vault.account.id)
        token = self._context.keyring.open(vault.access, place)
        return AccessToken(token, vault.access_expires_at, vault.account.scopes)

    async def _joined(self, vault: Vault) -> AccessToken | None:
        """Return what this process's attempt for the account gives; None: look again."""
        account_id = vault.account.id
        flight = self._flights.get(account_id)
        if flight is None:
            flight = asyncio.create_task(self._refresh(vault), name="refresh")
            self._flights[account_id] = flight
            flight.add_done_callback(lambda done: self._landed(account_id, done))
        # Shielded: whoever gives up must not take the answer away from the others.
        return await asyncio.shield(flight)

    def _landed(self, account_id: UUID, flight: asyncio.Task[AccessToken | None]) -> None:
        self._flights.pop(account_id, None)
        if not flight.cancelled():
            flight.exception()  # read in any case: the waiters may all be gone

    async def _refresh(self, vault: Vault) -> AccessToken | None:
        """Ask Google under the lease; None: somebody else has it, or the vault changed."""
        if vault.refresh is None:
            _need_the_person(vault)
        context, lease_id, now = self._context, new_id(), clock.now()
        place = accounts.refresh_place(vault.account.id)
        refresh_token = context.keyring.open(vault.refresh, place)
        async with transaction(context.pool) as conn:
            if not await accounts.take_lease(conn, vault, lease_id, until=now + LEASE, now=now):
                return None
        try:
            grant = await context.google.refresh(refresh_token)
        except RefreshFailed as exc:
            if not await keep_failure(context, vault, lease_id, exc):
                return None
            raise _translated(exc, vault) from exc
        except asyncio.CancelledError:
            await self._give_back(vault, lease_id)
            raise
        if not await keep_success(context, vault, lease_id, grant, used=refresh_token):
            return None
        scopes = grant.scopes or vault.account.scopes
        return AccessToken(grant.access_token, grant.expires_at, scopes)

    async def _give_back(self, vault: Vault, lease_id: UUID) -> None:
        """End the lease early, so that nobody waits for a process that is stopping."""
        with suppress(Transient, *db.FAILURES):
            async with transaction(self._context.pool, timeout_s=1.0) as conn:
                await accounts.drop_lease(conn, vault.account.id, lease_id)


def _ends_after(vault: Vault, moment: datetime) -> bool:
    """Return whether a token is at hand that is good beyond `moment`."""
    is_well = vault.account.state in (State.ACTIVE, State.DEGRADED)
    ends = vault.access_expires_at
    return is_well and vault.access is not None and ends is not None and ends > moment


def _check_askable(vault: Vault, now: datetime) -> None:
    """Refuse to trouble Google about a grant it refused.

    Raises:
        Conflict, RateLimited: see `Refresher.token`.
    """
    account = vault.account
    if account.state not in (State.ACTIVE, State.DEGRADED):
        _need_the_person(vault)
    if account.refused_at is not None and vault.retry_at is not None and now < vault.retry_at:
        wait_s = (vault.retry_at - now).total_seconds()
        raise RateLimited(
            "Google refused the grant; it is asked once more in a while.",
            retry_after_s=max(wait_s, 1.0),
            slug="grant-refused",
        )


def _need_the_person(vault: Vault) -> NoReturn:
    raise Conflict(
        "The person has to give access again.",
        slug="reauthorization-required",
        cause=vault.account.reason,
    )


def _translated(exc: RefreshFailed, vault: Vault) -> Exception:
    """Return what a failed refresh means to whoever wanted the token."""
    match exc.failure:
        case Failure.UNREACHABLE:
            return Transient("Google does not answer properly.", cause=exc.cause)
        case Failure.INVALID_GRANT if vault.account.state in (State.ACTIVE, State.DEGRADED):
            return Transient(
                "Google refused the grant; it is asked once more in a while.",
                slug="grant-refused",
                cause=exc.cause,
            )
    return exc
