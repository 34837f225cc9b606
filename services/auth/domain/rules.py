"""What a refresh that failed means, and where that leaves the connections.

Only Google saying `invalid_grant` twice, a minute apart, ends an account. Anything that
concerns the network, the project or an administrator is a cause of its own. And when too
many refreshes fail at once the fault is not the people's: nothing is concluded at all.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.auth.domain.model import (
    LIVE,
    Access,
    Account,
    Connection,
    Grant,
    Product,
    Reason,
    State,
)
from services.auth.domain.scopes import granted


class Failure(StrEnum):
    """Why a refresh gave no token."""

    INVALID_GRANT = "invalid_grant"
    CLIENT_REFUSED = "client_refused"
    """Google does not accept this project's client: nobody's account is at fault."""
    ADMIN_POLICY = "admin_policy_enforced"
    UNREACHABLE = "google_unreachable"


class Verdict(StrEnum):
    """What to do with the account."""

    NOTHING = "nothing"
    DEGRADE = "degrade"
    REMEMBER = "remember"
    """First refusal: degrade, and count from now."""
    MARK = "mark"
    """Second refusal: only the person can repair it."""


@dataclass(frozen=True, slots=True)
class Window:
    """Accounts refreshed within the watched ten minutes, and those whose refresh failed."""

    accounts: int
    failed: int


@dataclass(frozen=True, slots=True)
class AlarmRule:
    """When failures are too many to be people's own doing."""

    minimum: int
    """Fewer accounts than this prove nothing."""
    share: float = 0.1

    def rings(self, window: Window) -> bool:
        """Return whether state changes must stop."""
        return window.accounts >= self.minimum and window.failed > self.share * window.accounts


def judge(
    account: Account, failure: Failure, *, alarm: bool, wait: timedelta, now: datetime
) -> Verdict:
    """Return what a failed refresh of the account's newest token leads to.

    Args:
        account: as it is, with the moment of its first refusal.
        failure: what happened.
        alarm: whether too many refreshes fail to conclude anything.
        wait: between two refusals that count.
        now: when.
    """
    if alarm or failure is Failure.CLIENT_REFUSED:
        return Verdict.NOTHING
    if account.state not in (State.ACTIVE, State.DEGRADED):
        return Verdict.NOTHING
    if failure is not Failure.INVALID_GRANT:
        return Verdict.DEGRADE
    if account.refused_at is None:
        return Verdict.REMEMBER
    if now - account.refused_at < wait:
        return Verdict.NOTHING
    return Verdict.MARK


def reason_of(failure: Failure) -> Reason:
    """Return the reason shown for an account degraded by `failure`."""
    match failure:
        case Failure.INVALID_GRANT:
            return Reason.GRANT_REFUSED
        case Failure.ADMIN_POLICY:
            return Reason.ADMIN_POLICY
        case Failure.UNREACHABLE | Failure.CLIENT_REFUSED:
            return Reason.GOOGLE_UNREACHABLE


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a connection stands, as others see it."""

    state: State
    reason: str | None
    grants: tuple[Grant, ...]

    @classmethod
    def of(cls, connection: Connection) -> "Standing":
        """Return where the connection stands now."""
        return cls(connection.state, connection.reason, connection.grants)

    @property
    def usable(self) -> dict[Product, Access | None]:
        """Return the access to each product."""
        return {grant.product: grant.access for grant in self.grants}


class News(StrEnum):
    """What a change of standing means to the other services."""

    AUTHORIZED = "authorized"
    CHANGED = "changed"
    REAUTHORIZATION_REQUIRED = "reauthorization_required"


def standing(connection: Connection, account: Account) -> Standing:
    """Return where a confirmed connection stands, given how its account is.

    A grant that is gone keeps its products, for the day it comes back.
    """
    if connection.state is State.DISABLED:
        return Standing.of(connection)
    if account.state is State.REAUTHORIZATION_REQUIRED:
        return Standing(account.state, account.reason, connection.grants)
    grants = granted(connection.wishes, account.scopes)
    if not any(grant.access for grant in grants):
        return Standing(State.REAUTHORIZATION_REQUIRED, Reason.SCOPES_MISSING, grants)
    return Standing(account.state, account.reason, grants)


def news(before: Standing, after: Standing) -> News | None:
    """Return what to tell about the step from `before` to `after`, None for nothing.

    A new reason alone, or more scopes that change no access, is nobody else's business.
    """
    if (after.state, after.usable) == (before.state, before.usable):
        return None
    usable = {State.ACTIVE, State.DEGRADED}
    if after.state in usable and before.state not in usable | {State.DISABLED}:
        return News.AUTHORIZED
    if after.state is State.REAUTHORIZATION_REQUIRED:
        return News.REAUTHORIZATION_REQUIRED if before.state is not after.state else None
    return News.CHANGED


def refuse_arrival(
    connection: Connection, account: Account, grants: tuple[Grant, ...], *, has_token: bool
) -> str | None:
    """Return why a consent cannot be accepted for the connection (a constant), or None.

    Args:
        connection: that the consent was started for.
        account: that consented.
        grants: what was granted of what was asked.
        has_token: whether a refresh token came with it or is held from before.
    """
    if connection.state is State.DISCONNECTED:
        return "connection_ended"
    if connection.state in LIVE and connection.account_id != account.id:
        return "account_mismatch"
    if not any(grant.access for grant in grants):
        return Reason.NO_PRODUCT_GRANTED
    return None if has_token else "no_refresh_token"
