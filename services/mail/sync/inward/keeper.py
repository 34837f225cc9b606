"""What is kept of a mailbox's mail, by its settings as a transaction sees them."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from uuid import UUID

from libs.common.db import Connection as Conn
from services.mail.domain.connection import Connection
from services.mail.domain.keeping import (
    EVERY_LABEL,
    NOBODY,
    LabelRule,
    Rules,
    label_rule,
    oldest_kept,
)
from services.mail.domain.links import OwnAddresses
from services.mail.store import connections
from services.mail.store import labels as label_store
from services.mail.store.links import find_own

SentByUs = Callable[[Conn, Connection, Sequence[str]], Awaitable[frozenset[str]]]
"""Says which of these messages (Google's ids) the CRM itself sent."""


class Keeper:
    """Gathers what the decision on a message needs.

    Whoever commits mail holds the directory's lock shared and asks `current` under it; whoever
    changes settings holds it exclusive. So no mail is committed by settings that are not in force.

    Args:
        sent_by_us: asked with all that is decided on; None: nothing was.
        retention_days: how old mail may become in any mailbox; None: as old as it likes.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        sent_by_us: SentByUs | None = None,
        retention_days: int | None = None,
    ) -> None:
        self.retention_days = retention_days
        self._now = now
        self._sent_by_us = sent_by_us

    async def current(self, conn: Conn, connection: Connection) -> tuple[Connection, Rules]:
        """Return the connection as it is now, and its rules."""
        found = await connections.find_connection(conn, connection.tenant_id, connection.id)
        now = connection if found is None else found
        return now, await self.rules(conn, now)

    async def found(
        self, conn: Conn, tenant_id: str, connection_id: UUID
    ) -> tuple[Connection, Rules] | None:
        """Return a connection and its rules, None when there is none (any more)."""
        found = await connections.find_connection(conn, tenant_id, connection_id)
        return None if found is None else (found, await self.rules(conn, found))

    async def rules(self, conn: Conn, connection: Connection) -> Rules:
        """Return the rules of a connection as given."""
        mine = connection.preferences
        labels, own = EVERY_LABEL, NOBODY
        if mine.filters_labels:
            known = await label_store.list_labels(conn, connection.tenant_id, connection.id)
            labels = label_rule(mine, known)
        if mine.blocklist:
            own = await find_own(conn, connection.tenant_id)
        return self._rules(connection, labels, own)

    def has_to_ask(self, connection: Connection) -> bool:
        """Say whether the rules of a connection are made of more than its own settings."""
        mine = connection.preferences
        return mine.filters_labels or bool(mine.blocklist)

    def plain_rules(self, connection: Connection) -> Rules:
        """Return the rules of a connection for which nobody `has_to_ask`."""
        return self._rules(connection, EVERY_LABEL, NOBODY)

    def _rules(self, connection: Connection, labels: LabelRule, own: OwnAddresses) -> Rules:
        return Rules(
            policy=connection.policy,
            preferences=connection.preferences,
            labels=labels,
            own=own,
            oldest=oldest_kept(connection.preferences, self._now(), most_days=self.retention_days),
        )

    async def ours(
        self, conn: Conn, connection: Connection, google_ids: Sequence[str]
    ) -> frozenset[str]:
        """Return which of these messages the CRM itself sent."""
        if self._sent_by_us is None or not google_ids:
            return frozenset()
        return await self._sent_by_us(conn, connection, google_ids)
