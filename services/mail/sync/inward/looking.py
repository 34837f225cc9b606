"""What a fetch has to know of a message before it asks for more of it."""

from libs.common.db import Pool
from services.mail.domain.connection import Connection
from services.mail.domain.keeping import Rules
from services.mail.domain.message import Content
from services.mail.google import GmailBox
from services.mail.store.returns import is_send
from services.mail.sync.inward.keeper import Keeper
from services.mail.sync.inward.label_names import LabelNames
from services.mail.sync.meaning.linking import Linker


class Looking:
    """Answers outside of any transaction; what is true in the end the commit finds out."""

    def __init__(self, pool: Pool, linker: Linker, keeper: Keeper, names: LabelNames) -> None:
        """Ask the given parts."""
        self._pool = pool
        self._linker = linker
        self._keeper = keeper
        self._names = names

    async def rules(self, connection: Connection) -> Rules:
        """Return what is kept of the connection's mail; most need no database for it."""
        if not self._keeper.has_to_ask(connection):
            return self._keeper.plain_rules(connection)
        async with self._pool.acquire() as conn:
            return await self._keeper.rules(conn, connection)

    async def learn(self, box: GmailBox, connection: Connection, labels: frozenset[str]) -> Rules:
        """Find out the names of labels the rules do not know yet; return new rules."""
        await self._names.learn(box, connection, labels)
        return await self.rules(connection)

    async def is_known(self, connection: Connection, people: Content) -> bool:
        """Say whether a message concerns anybody the CRM knows."""
        async with self._pool.acquire() as conn:
            return bool(await self._linker.match(conn, connection, people))

    async def is_ours(self, connection: Connection, head: Content) -> bool:
        """Say whether the CRM itself sent a message, as far as its head says so."""
        if head.send_id is None:
            return False
        async with self._pool.acquire() as conn:
            return await is_send(conn, connection.tenant_id, connection.id, head.send_id)
