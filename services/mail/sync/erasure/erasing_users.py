"""What mail holds of a user: their mailboxes with all that was read there."""

from datetime import datetime
from uuid import UUID

from libs.common.db import Connection as Conn
from services.mail.store import privacy_rest as store
from services.mail.sync.connections import purge_rest


class Mailboxes:
    """The holdings of mail; see `ErasedConnections`."""

    connections = "mailboxes"
    content = "messages of theirs"

    async def count(self, conn: Conn, tenant_id: str, connection_id: UUID) -> dict[str, int]:
        """Return how many messages, and how many outgoing ones, a mailbox has here."""
        messages, letters = await store.count_content(conn, tenant_id, connection_id)
        return {self.content: messages, "outgoing messages of theirs": letters}

    async def purge_rest(self, conn: Conn, tenant_id: str, connection_id: UUID) -> None:
        """Remove what is held besides messages."""
        await purge_rest(conn, tenant_id, connection_id)

    async def forget(
        self, conn: Conn, tenant_id: str, connection_id: UUID, *, now: datetime
    ) -> None:
        """Leave nothing of a mailbox but its id."""
        await store.forget_user(conn, tenant_id, connection_id, now=now)
