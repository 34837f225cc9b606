"""Wishes to change labels: checked, and put into the ledger."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.common.connections import access
from libs.common.db import Connection as Conn
from libs.common.db import Pool, transaction
from libs.common.errors import AccessRevoked, InvalidInput
from libs.common.ids import new_id
from libs.common.quota import Lane
from libs.common.writes import NewWrite
from libs.common.writes import store as ledger
from services.mail.domain.connection import Connection
from services.mail.domain.label import FIXED, SETTABLE
from services.mail.google import Gmail
from services.mail.store import connections
from services.mail.store import labels as store
from services.mail.store.reading import StoredMessage
from services.mail.sync.feeds import wake_writer
from services.mail.sync.inward.echoes import LABELS


@dataclass(frozen=True, slots=True)
class Wish:
    """What one message is to wear from now on, and no longer."""

    message: StoredMessage
    add: tuple[str, ...]
    remove: tuple[str, ...]


class LabelWishes:
    """Takes in wishes to change labels, on behalf of callers who may see the messages."""

    def __init__(self, pool: Pool, gmail: Gmail, *, now: Callable[[], datetime]) -> None:
        """Ask `gmail` for labels that are not known here yet."""
        self._pool = pool
        self._gmail = gmail
        self._now = now

    async def check(self, tenant_id: str, wishes: Sequence[Wish]) -> None:
        """Find out, outside any transaction, whether all of it can be done.

        Raises:
            Forbidden: `read-only-connection`: the person granted reading only.
            Conflict: `reauthorization-required`, `not-connected` or `connection-disabled`.
            InvalidInput: a mailbox has no such label, or it cannot be set.
            RateLimited, Transient: Google or auth cannot now.
        """
        by_mailbox: dict[UUID, set[tuple[str, str]]] = {}
        for one in wishes:
            wanted = by_mailbox.setdefault(one.message.connection_id, set())
            wanted |= {("add", label) for label in one.add}
            wanted |= {("remove", label) for label in one.remove}
        for connection_id, wanted in by_mailbox.items():
            await self._check_mailbox(tenant_id, connection_id, wanted)

    async def _check_mailbox(
        self, tenant_id: str, connection_id: UUID, wanted: set[tuple[str, str]]
    ) -> None:
        async with self._pool.acquire() as conn:
            connection = await connections.find_connection(conn, tenant_id, connection_id)
            known = {
                one.google_id for one in await store.list_labels(conn, tenant_id, connection_id)
            }
        writable = access.writable(connection)
        for field, label in sorted(wanted):
            if label in FIXED:
                raise InvalidInput.field(field, "names a label that cannot be set")
        unknown = {label for _, label in wanted} - SETTABLE - known
        if unknown:
            unknown -= await self._asked(writable)
        for field, label in sorted(wanted):
            if label in unknown:
                raise InvalidInput.field(field, "names a label that the mailbox does not have")

    async def _asked(self, connection: Connection) -> set[str]:
        """Return the labels that Google knows now, and remember them."""
        try:
            found = await self._gmail.box(connection, Lane.SEND).labels()
        except AccessRevoked as exc:
            raise access.revoked(connection) from exc
        async with transaction(self._pool) as conn:
            await store.replace_labels(conn, connection.tenant_id, connection.id, found)
        return {one.google_id for one in found}

    async def queue(self, conn: Conn, tenant_id: str, wishes: Sequence[Wish]) -> UUID:
        """Put wishes into the ledger, in the caller's transaction; return the group's id.

        Raises:
            TooManyWrites: something changes one message again and again.
        """
        now, group_id = self._now(), new_id()
        by_mailbox: dict[UUID, list[NewWrite]] = {}
        for one in wishes:
            write = NewWrite(
                id=group_id if len(wishes) == 1 else new_id(),
                group_id=group_id,
                tenant_id=tenant_id,
                connection_id=one.message.connection_id,
                kind=LABELS,
                item=one.message.google_id,
                base={"labels": sorted(one.message.labels)},
                desired={"add": sorted(one.add), "remove": sorted(one.remove)},
                due_at=now,
            )
            by_mailbox.setdefault(one.message.connection_id, []).append(write)
        for connection_id in sorted(by_mailbox):
            await wake_writer(conn, tenant_id, connection_id, now=now)
        for connection_id in sorted(by_mailbox):
            await ledger.queue(conn, by_mailbox[connection_id], now=now)
        return group_id
