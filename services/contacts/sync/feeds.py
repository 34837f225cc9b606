"""The feeds of a connection: what each is for, and how it is opened.

`contacts.people` follows the address book and `contacts.groups` its labels; beside them
`contacts.audit` compares the address book in full. `contacts.work` does what settings, calls and
decisions ask for, and `contacts.write` carries what changed on our side.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.feeds import NewFeed
from libs.common.feeds.store import open_feed, raise_signals
from services.contacts.domain.connection import Connection

PEOPLE: Final = "contacts.people"
GROUPS: Final = "contacts.groups"
AUDIT: Final = "contacts.audit"
WORK: Final = "contacts.work"
WRITE: Final = "contacts.write"
FINGERPRINT: Final = "v1"
"""Of the query that cursors belong to: a cursor of another one is void."""
SIGNAL_TIMEOUT_S = 5.0
FIRST_AUDIT = timedelta(days=1)


def people_address(connection_id: UUID) -> str:
    """Return what calls the feed of an address book."""
    return f"people:{connection_id}"


def groups_address(connection_id: UUID) -> str:
    """Return what calls the feed of its labels."""
    return f"groups:{connection_id}"


def audit_address(connection_id: UUID) -> str:
    """Return what calls the feed that compares an address book."""
    return f"audit:{connection_id}"


def work_address(connection_id: UUID) -> str:
    """Return what calls the feed that does the work of a connection."""
    return f"work:{connection_id}"


def write_address(connection_id: UUID) -> str:
    """Return what calls the feed that carries a connection's writes."""
    return f"write:{connection_id}"


async def open_all(conn: Conn, connection: Connection, *, now: datetime) -> None:
    """Open what a connection always has."""
    for kind, address, background, due_at in (
        (GROUPS, groups_address(connection.id), False, now),
        (PEOPLE, people_address(connection.id), False, now),
        (WRITE, write_address(connection.id), False, now),
        (WORK, work_address(connection.id), True, now),
    ):
        new = _new(connection, kind, address=address, background=background)
        await open_feed(conn, new, now=now, due_at=due_at)
    await open_feed(conn, new_audit_feed(connection), now=now, due_at=now + FIRST_AUDIT)


def new_audit_feed(connection: Connection, *, cursor: str | None = None) -> NewFeed:
    """Return what is needed to open the feed that compares an address book.

    Args:
        connection: whose.
        cursor: where it begins, whatever is under way.
    """
    address = audit_address(connection.id)
    new = _new(connection, AUDIT, address=address, background=True)
    return new if cursor is None else replace(new, cursor=cursor, restart=True)


def _new(connection: Connection, kind: str, *, address: str, background: bool) -> NewFeed:
    return NewFeed(
        tenant_id=connection.tenant_id,
        connection_id=connection.id,
        account_id=connection.account_id,
        kind=kind,
        resource="",
        address=address,
        fingerprint=FINGERPRINT if kind in (PEOPLE, GROUPS) else "",
        background=background,
    )


async def wake(conn: Conn, *addresses: str, now: datetime) -> None:
    """Let the feeds with these addresses run soon."""
    await raise_signals(conn, list(addresses), now=now, timeout_s=SIGNAL_TIMEOUT_S)
