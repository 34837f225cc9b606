"""Connecting: a link, a trip to Google and back, and the user's own confirmation."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from prometheus_client import Counter

from libs.common.db import Connection as Database
from libs.common.db import transaction
from libs.common.errors import AppError, InvalidInput
from libs.common.google.oauth import TokenGrant
from libs.common.ids import new_id
from services.auth.domain import rules, scopes, secrets
from services.auth.domain.model import Connection, Consent, Identity, Reason, State
from services.auth.domain.sealing import revocation_keys
from services.auth.google import ExchangeFailed
from services.auth.store import accounts, consents
from services.auth.store import connections as store
from services.auth.sync.context import Context
from services.auth.sync.publish import settle_all

CONSENTS = Counter(
    "causeway_auth_consents_total", "Consents that came back from Google.", ["outcome"]
)
PLAIN_ERROR = re.compile(r"[a-z_]{1,64}")

log = structlog.stdlib.get_logger(__name__)


class _Refused(AppError):
    """A consent that must leave nothing behind."""

    slug = "consent-refused"

    def __init__(self, code: str) -> None:
        super().__init__("The consent was refused.", code=code)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """Where the browser goes, and the cookie it takes along."""

    url: str
    cookie_name: str
    cookie_value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What the browser brings back to the CRM."""

    consent: Consent
    status: str
    """`pending` (to be confirmed), `active`, or `error`."""
    error: str | None = None
    confirmation: str | None = None
    """What only this browser knows: proof that whoever confirms is the one who consented."""


async def depart(context: Context, ticket: str, *, now: datetime) -> Departure:
    """Use a start ticket up; return where its browser goes.

    Raises:
        InvalidInput: the ticket is unknown, used or expired, or its connection ended.
    """
    state, browser = secrets.new_secret(), secrets.new_secret()
    async with transaction(context.pool) as conn:
        consent = await consents.take_ticket(conn, secrets.digest(ticket), now=now)
        if consent is not None:
            expires_at = now + timedelta(seconds=context.settings.consent_ttl)
            digests = secrets.digest(state), secrets.digest(browser)
            await consents.add_consent(conn, *digests, consent, expires_at=expires_at)
    if consent is None:
        raise InvalidInput.field("ticket", "is unknown, was used before, or is too old")
    return Departure(
        url=context.google.consent_url(
            scopes.asked(consent.wishes),
            state=state,
            browser=browser,
            login_hint=consent.login_hint,
        ),
        cookie_name=secrets.cookie_name(state, secure=context.settings.is_secure),
        cookie_value=browser,
    )


async def arrive(
    context: Context,
    *,
    state: str,
    code: str | None,
    error: str | None,
    cookies: Mapping[str, str],
    now: datetime,
) -> Arrival:
    """Take what Google sent back through the browser; return what to tell the CRM.

    Raises:
        InvalidInput: the state is unknown, used or expired, or another browser's. Nothing is
            written, and nobody is sent anywhere.
    """
    browser = cookies.get(secrets.cookie_name(state, secure=context.settings.is_secure), "")
    async with transaction(context.pool) as conn:
        consent = await consents.take_consent(
            conn, secrets.digest(state), secrets.digest(browser), now=now
        )
    if consent is None:
        CONSENTS.labels("foreign").inc()
        raise InvalidInput.field("state", "is unknown, was used before, or is another browser's")
    try:
        code = _usable(code, error)
        grant, identity = await context.google.exchange(code, state=state, browser=browser, now=now)
        confirmation = secrets.new_secret()
        status = await _accept(context, consent, grant, identity, confirmation, now=now)
    except (_Refused, ExchangeFailed) as exc:
        # An error in the code's place is whatever the browser's user wrote: no metric's name.
        CONSENTS.labels(exc.code if error is None else _known(exc.code)).inc()
        log.info("consent_refused", connection_id=str(consent.connection_id), outcome=exc.code)
        await _note_failure(context, consent, exc.code, now=now)
        return Arrival(consent=consent, status="error", error=exc.code)
    CONSENTS.labels(status).inc()
    told = confirmation if status == "pending" else None
    return Arrival(consent=consent, status=status, confirmation=told)


def _usable(code: str | None, error: str | None) -> str:
    """Return the code, unless an error came in its place.

    Raises:
        _Refused: with Google's error; whatever is no plain name is not repeated.
    """
    if error is None and code is not None:
        return code
    name = error or "invalid_request"
    raise _Refused(name if PLAIN_ERROR.fullmatch(name) else "google_error")


def _known(error: str) -> str:
    return error if error == Reason.ACCESS_DENIED else "google_error"


async def _note_failure(context: Context, consent: Consent, code: str, *, now: datetime) -> None:
    async with transaction(context.pool) as conn:
        connection = await store.lock_connection(conn, consent.connection_id)
        if connection is not None and _awaits_consent(connection):
            await store.set_state(conn, connection.id, State.PENDING, code, now=now)


def _awaits_consent(connection: Connection) -> bool:
    return connection.state is State.PENDING and connection.account_id is None


async def _accept(
    context: Context,
    consent: Consent,
    grant: TokenGrant,
    identity: Identity,
    confirmation: str,
    *,
    now: datetime,
) -> str:
    """Store the consent; return `pending` or `active`.

    Raises:
        _Refused: it does not fit the connection; nothing was stored.
    """
    granted_scopes = grant.scopes or frozenset(scopes.asked(consent.wishes))
    async with transaction(context.pool) as conn:
        account_id = await accounts.enter_account(conn, new_id(), identity, now=now)
        vault = await accounts.get_vault(conn, account_id)
        locked = await store.lock_connections_of(conn, account_id, also=consent.connection_id)
        mine = next((c for c in locked if c.id == consent.connection_id), None)
        has_token = grant.refresh_token is not None or vault.refresh is not None
        grants = scopes.granted(consent.wishes, granted_scopes)
        if mine is None:
            raise _Refused("connection_ended")
        refusal = rules.refuse_arrival(mine, vault.account, grants, has_token=has_token)
        if refusal is not None:
            raise _Refused(refusal)
        await accounts.store_consent(conn, account_id, granted_scopes, now=now)
        await _store_tokens(conn, context, account_id, grant)
        await store.wish_products(conn, mine.tenant_id, mine.id, consent.wishes, now=now)
        await store.set_account(conn, mine.id, account_id, consent.return_url, now=now)
        account = (await accounts.get_vault(conn, account_id)).account  # as it is by now
        await settle_all(conn, context, account, cause="consent", now=now)
        if mine.state is State.PENDING:
            await store.set_grants(conn, mine, grants)
            digest = secrets.digest(confirmation)
            await store.await_confirmation(conn, mine.id, digest, now=now)
    return "pending" if mine.state is State.PENDING else "active"


async def _store_tokens(
    conn: Database, context: Context, account_id: UUID, grant: TokenGrant
) -> None:
    if grant.refresh_token is not None:
        sealed = context.keyring.seal(grant.refresh_token, accounts.refresh_place(account_id))
        keys = revocation_keys(grant.refresh_token)
        await accounts.store_refresh_token(conn, account_id, sealed, keys)
    sealed = context.keyring.seal(grant.access_token, accounts.access_place(account_id))
    await accounts.store_access_token(conn, account_id, sealed, expires_at=grant.expires_at)
