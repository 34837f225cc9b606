"""Mail put into the tables directly: for tests of reading, which need no Google."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from libs.common.connections import Access, State
from libs.common.db import Connection
from libs.common.ids import new_id
from services.mail.domain import connection as domain
from services.mail.domain.message import Content, Fetched, Person, Policy
from services.mail.store import connections, messages

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ADD_LINK = """
WITH copy AS (UPDATE messages SET activity_id = id WHERE tenant_id = $1 AND id = $4)
INSERT INTO message_links (tenant_id, entity_type, entity_id, message_id, occurred_at)
VALUES ($1, $2, $3, $4, $5)
"""


@dataclass
class Mailbox:
    """A mailbox of ada's at acme, or of somebody else's."""

    conn: Connection
    tenant_id: str = "acme"
    user_id: str = "ada"
    id: UUID = field(default_factory=new_id)
    count: int = 0

    async def connect(self, **changes: Any) -> "Mailbox":
        """Add the connection."""
        made = domain.Connection(
            tenant_id=self.tenant_id,
            id=self.id,
            account_id=new_id(),
            user_id=self.user_id,
            email=f"{self.user_id}@example.com",
            access=Access.READ,
            policy=Policy.ALL,
            state=State.ACTIVE,
            updated_at=NOON,
        )
        await connections.put_connection(self.conn, replace(made, **changes))
        return self

    async def add(
        self,
        subject: str = "",
        text: str = "",
        *,
        sender: str = "bob@example.org",
        thread: str | None = None,
        labels: tuple[str, ...] = ("INBOX",),
        entity: tuple[str, str] | None = None,
        **content: Any,
    ) -> UUID:
        """Add a message an hour after the one before; return its id."""
        self.count += 1
        message_id, google_id = new_id(), f"{self.id.hex[:8]}{self.count:08}"
        message = Fetched(
            google_id=google_id,
            thread_id=thread or google_id,
            history_id=1,
            labels=frozenset(labels),
            internal_date=NOON + timedelta(hours=self.count),
            snippet=text[:100],
            size=len(text),
            content=Content(subject=subject, text=text, sender=Person(sender), **content),
        )
        await messages.add_message(
            self.conn, self.tenant_id, self.id, message_id=message_id, message=message, now=NOON
        )
        if entity is not None:
            await self.conn.execute(
                ADD_LINK, self.tenant_id, *entity, message_id, message.internal_date
            )
        return message_id
