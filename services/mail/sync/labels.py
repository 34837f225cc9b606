"""Changing labels at Google. What changed comes back through the mailbox's history."""

from collections.abc import Callable
from datetime import datetime

from libs.common.db import Pool, transaction
from libs.common.errors import AccessRevoked, InvalidInput, NotFound
from libs.common.feeds.store import raise_signals
from libs.common.google.errors import RequestRefused
from libs.common.quota import Lane
from services.mail.domain.push import fold_address
from services.mail.google import Gmail
from services.mail.store import connections
from services.mail.store.reading import StoredMessage
from services.mail.sync import access

SIGNAL_TIMEOUT_S = 2.0


class LabelWriter:
    """Changes the labels of messages on behalf of callers who may see them."""

    def __init__(self, pool: Pool, gmail: Gmail, *, now: Callable[[], datetime]) -> None:
        """Write through `gmail`."""
        self._pool = pool
        self._gmail = gmail
        self._now = now

    async def change(
        self, tenant_id: str, message: StoredMessage, *, add: list[str], remove: list[str]
    ) -> frozenset[str]:
        """Change the labels at Google; return those the message has then.

        The store follows when the change comes back as history, so that it is told once.

        Raises:
            Forbidden: `read-only-connection`: the person granted reading only.
            Conflict: `reauthorization-required`, `not-connected` or `connection-disabled`.
            InvalidInput: Google knows no such label, or does not let it be set.
            NotFound: the message is gone.
            RateLimited, Transient: Google, auth or the database cannot now.
        """
        async with self._pool.acquire() as conn:
            connection = await connections.find_connection(conn, tenant_id, message.connection_id)
        writable = access.writable(connection)
        try:
            labels = await self._gmail.box(writable, Lane.SEND).modify(
                message.google_id, add=add, remove=remove
            )
        except RequestRefused as exc:
            raise InvalidInput.field("add", "names a label that cannot be set") from exc
        except AccessRevoked as exc:
            raise access.revoked(writable) from exc
        except NotFound as exc:
            raise NotFound("There is no such message.") from exc
        async with transaction(self._pool) as conn:
            address = fold_address(writable.email)
            await raise_signals(conn, [address], now=self._now(), timeout_s=SIGNAL_TIMEOUT_S)
        return labels
