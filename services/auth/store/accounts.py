"""Accounts, their sealed tokens, and the lease that lets one process refresh at a time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Database
from libs.common.errors import NotFound
from services.auth.domain.model import Account, Identity, State
from services.auth.domain.sealing import Place, Sealed
from services.auth.store.connections import count


@dataclass(frozen=True, slots=True, kw_only=True)
class Vault:
    """The tokens of an account as they lie in their row."""

    account: Account
    refresh: Sealed | None
    access: Sealed | None
    access_expires_at: datetime | None
    access_version: int
    """Rises with every access token stored."""
    retry_at: datetime | None
    """When the worker asks Google again after a failure."""


def refresh_place(account_id: UUID) -> Place:
    """Return where the account's refresh token lives."""
    return Place("accounts", "refresh_token", account_id)


def access_place(account_id: UUID) -> Place:
    """Return where the account's access token lives."""
    return Place("accounts", "access_token", account_id)


ENTER_ACCOUNT = """
INSERT INTO accounts (id, subject, email, state, created_at, updated_at)
VALUES ($1, $2, $3, 'disconnected', $4, $4)
ON CONFLICT (subject) DO UPDATE SET email = excluded.email, updated_at = excluded.updated_at
RETURNING id
"""


async def enter_account(conn: Database, new_id: UUID, identity: Identity, *, now: datetime) -> UUID:
    """Lock the identity's account, made if it is new, with its address as of today."""
    account_id: UUID = await conn.fetchval(
        ENTER_ACCOUNT, new_id, identity.subject, identity.email, now
    )
    return account_id


READ_VAULT = """
SELECT id, subject, email, state, reason, scopes, token_version, refused_at,
       refresh_token, refresh_key_id, access_token, access_key_id, access_expires_at,
       access_version, retry_at
  FROM accounts
 WHERE id = $1
"""

LOCK_ACCOUNT = "SELECT id FROM accounts WHERE id = $1 FOR UPDATE"


async def get_vault(conn: Database, account_id: UUID) -> Vault:
    """Return the account with its sealed tokens.

    Raises:
        NotFound: there is no such account.
    """
    row = await conn.fetchrow(READ_VAULT, account_id)
    if row is None:
        raise NotFound("There is no such account.")
    return _vault(row)


async def lock_vault(conn: Database, account_id: UUID) -> Vault:
    """Lock the account's row and return it as it is now.

    Raises:
        NotFound: there is no such account.
    """
    await conn.execute(LOCK_ACCOUNT, account_id)
    return await get_vault(conn, account_id)


STORE_CONSENT = """
UPDATE accounts
   SET state = 'active', reason = NULL, scopes = $2, updated_at = $3,
       refused_at = NULL, retry_at = NULL, revoke_at = NULL, revoke_attempts = 0,
       token_version = token_version + 1
 WHERE id = $1
"""


async def store_consent(
    conn: Database, account_id: UUID, scopes: frozenset[str], *, now: datetime
) -> None:
    """Record a fresh consent: the account is well, and what failed before is forgotten."""
    await conn.execute(STORE_CONSENT, account_id, sorted(scopes), now)


STORE_REFRESH = """
UPDATE accounts
   SET refresh_token = $2, refresh_key_id = $3, refresh_hash = $4, refresh_prefix_hash = $5
 WHERE id = $1
"""


async def store_refresh_token(
    conn: Database, account_id: UUID, sealed: Sealed, revocation_keys: tuple[bytes, bytes]
) -> None:
    """Keep a refresh token, sealed for this row."""
    await conn.execute(STORE_REFRESH, account_id, sealed.box, sealed.key_id, *revocation_keys)


STORE_ACCESS = """
UPDATE accounts
   SET access_token = $2, access_key_id = $3, access_expires_at = $4,
       access_version = access_version + 1, refused_at = NULL, retry_at = NULL
 WHERE id = $1
"""


async def store_access_token(
    conn: Database, account_id: UUID, sealed: Sealed, *, expires_at: datetime
) -> None:
    """Keep an access token, sealed for this row; a refusal before it is forgotten."""
    await conn.execute(STORE_ACCESS, account_id, sealed.box, sealed.key_id, expires_at)


STORE_SCOPES = "UPDATE accounts SET scopes = $2 WHERE id = $1"


async def store_scopes(conn: Database, account_id: UUID, scopes: frozenset[str]) -> None:
    """Record which scopes Google says are granted now."""
    await conn.execute(STORE_SCOPES, account_id, sorted(scopes))


TAKE_LEASE = """
UPDATE accounts
   SET lease_id = $2, lease_until = $3
 WHERE id = $1 AND access_version = $4 AND token_version = $5
   AND (lease_until IS NULL OR lease_until < $6)
RETURNING id
"""


async def take_lease(
    conn: Database, vault: Vault, lease_id: UUID, *, until: datetime, now: datetime
) -> bool:
    """Become the one who speaks to Google for this account until `until`.

    False: another does, or the tokens are no longer those of `vault`.
    """
    account = vault.account
    return (
        await conn.fetchval(
            TAKE_LEASE,
            account.id,
            lease_id,
            until,
            vault.access_version,
            account.token_version,
            now,
        )
        is not None
    )


DROP_LEASE = """
UPDATE accounts SET lease_id = NULL, lease_until = NULL WHERE id = $1 AND lease_id = $2
"""


async def drop_lease(conn: Database, account_id: UUID, lease_id: UUID) -> bool:
    """Give the lease back; False: it had been lost."""
    return count(await conn.execute(DROP_LEASE, account_id, lease_id)) == 1


SET_HEALTH = """
UPDATE accounts SET state = $2, reason = $3, updated_at = $4 WHERE id = $1
"""


async def set_health(
    conn: Database, account_id: UUID, state: State, reason: str | None, *, now: datetime
) -> None:
    """Record how the account is."""
    await conn.execute(SET_HEALTH, account_id, state, reason, now)


DROP_ACCESS = """
UPDATE accounts SET access_token = NULL, access_key_id = NULL, access_expires_at = NULL
 WHERE id = $1
"""


async def drop_access_token(conn: Database, account_id: UUID) -> None:
    """Forget an access token Google no longer honours."""
    await conn.execute(DROP_ACCESS, account_id)


def _vault(row: Any) -> Vault:
    account = Account(
        id=row["id"],
        subject=row["subject"],
        email=row["email"],
        state=State(row["state"]),
        reason=row["reason"],
        scopes=frozenset(row["scopes"]),
        token_version=row["token_version"],
        refused_at=row["refused_at"],
    )
    return Vault(
        account=account,
        refresh=_sealed(row["refresh_key_id"], row["refresh_token"]),
        access=_sealed(row["access_key_id"], row["access_token"]),
        access_expires_at=row["access_expires_at"],
        access_version=row["access_version"],
        retry_at=row["retry_at"],
    )


def _sealed(key_id: str | None, box: bytes | None) -> Sealed | None:
    return Sealed(key_id, box) if key_id is not None and box is not None else None
