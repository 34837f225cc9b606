"""Start tickets and consents under way: found by digest, used once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Database
from services.auth.domain.model import Access, Consent, Product, Wish
from services.auth.store.connections import count

ADD_TICKET = """
INSERT INTO tickets
       (digest, tenant_id, connection_id, return_url, wishes, login_hint, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""


async def add_ticket(
    conn: Database, digest: bytes, consent: Consent, *, expires_at: datetime
) -> None:
    """Add a ticket that starts `consent`."""
    await conn.execute(
        ADD_TICKET,
        digest,
        consent.tenant_id,
        consent.connection_id,
        consent.return_url,
        _rows(consent.wishes),
        consent.login_hint,
        expires_at,
    )


TAKE_TICKET = """
DELETE FROM tickets WHERE digest = $1
RETURNING tenant_id, connection_id, return_url, wishes, login_hint, expires_at > $2 AS valid
"""


async def take_ticket(conn: Database, digest: bytes, *, now: datetime) -> Consent | None:
    """Use the ticket up; return what it starts, None if unknown, used or expired."""
    return _taken(await conn.fetchrow(TAKE_TICKET, digest, now))


ADD_CONSENT = """
INSERT INTO consents
       (digest, browser_digest, tenant_id, connection_id, return_url, wishes, login_hint,
        expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""


async def add_consent(
    conn: Database, digest: bytes, browser: bytes, consent: Consent, *, expires_at: datetime
) -> None:
    """Remember that the browser with this cookie's digest went to Google."""
    await conn.execute(
        ADD_CONSENT,
        digest,
        browser,
        consent.tenant_id,
        consent.connection_id,
        consent.return_url,
        _rows(consent.wishes),
        consent.login_hint,
        expires_at,
    )


TAKE_CONSENT = """
DELETE FROM consents WHERE digest = $1 AND browser_digest = $2
RETURNING tenant_id, connection_id, return_url, wishes, login_hint, expires_at > $3 AS valid
"""


async def take_consent(
    conn: Database, digest: bytes, browser: bytes, *, now: datetime
) -> Consent | None:
    """Use the state up; None if unknown, used, expired, or another browser's.

    A foreign browser does not use it up: it must not spoil the owner's consent.
    """
    return _taken(await conn.fetchrow(TAKE_CONSENT, digest, browser, now))


FORGET_TICKETS = "DELETE FROM tickets WHERE tenant_id = $1 AND connection_id = $2"
FORGET_CONSENTS = "DELETE FROM consents WHERE tenant_id = $1 AND connection_id = $2"


async def forget_consents(conn: Database, tenant_id: str, connection_id: UUID) -> None:
    """Make every open ticket and consent of the connection void."""
    await conn.execute(FORGET_TICKETS, tenant_id, connection_id)
    await conn.execute(FORGET_CONSENTS, tenant_id, connection_id)


DELETE_OLD_TICKETS = "DELETE FROM tickets WHERE expires_at < $1"
DELETE_OLD_CONSENTS = "DELETE FROM consents WHERE expires_at < $1"


async def delete_expired(conn: Database, *, now: datetime) -> int:
    """Delete expired tickets and consents; return how many."""
    tickets = count(await conn.execute(DELETE_OLD_TICKETS, now))
    return tickets + count(await conn.execute(DELETE_OLD_CONSENTS, now))


def _rows(wishes: Sequence[Wish]) -> list[list[str]]:
    return [[wish.product.value, wish.access.value] for wish in wishes]


def _taken(row: Any) -> Consent | None:
    if row is None or not row["valid"]:
        return None
    return Consent(
        tenant_id=row["tenant_id"],
        connection_id=row["connection_id"],
        return_url=row["return_url"],
        wishes=tuple(Wish(Product(name), Access(access)) for name, access in row["wishes"]),
        login_hint=row["login_hint"],
    )
