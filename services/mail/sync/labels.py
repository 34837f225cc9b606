"""Changing labels at Google. What changed comes back through the mailbox's history."""

from collections.abc import Callable
from datetime import datetime

from libs.common.db import Pool, transaction
from libs.common.errors import AccessRevoked, Conflict, Forbidden, InvalidInput, NotFound
from libs.common.feeds.store import raise_signals
from libs.common.google.errors import RequestRefused
from services.mail.domain.connection import Access, Connection, State
from services.mail.domain.push import fold_address
from services.mail.google import Gmail
from services.mail.store import connections
from services.mail.store.messages import StoredMessage

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
        writable = _writable(connection)
        try:
            labels = await self._gmail.modify(
                writable.id, message.google_id, add=add, remove=remove
            )
        except RequestRefused as exc:
            raise InvalidInput.field("add", "names a label that cannot be set") from exc
        except AccessRevoked as exc:
            raise _dead(writable) from exc
        except NotFound as exc:
            raise NotFound("There is no such message.") from exc
        async with transaction(self._pool) as conn:
            address = fold_address(writable.email)
            await raise_signals(conn, [address], now=self._now(), timeout_s=SIGNAL_TIMEOUT_S)
        return labels


def _writable(connection: Connection | None) -> Connection:
    if connection is None or connection.state is State.DISCONNECTED:
        raise Conflict("The mailbox is not connected.", slug="not-connected")
    if connection.state is State.REAUTHORIZATION_REQUIRED:
        raise _dead(connection)
    if connection.state is State.DISABLED:
        raise Conflict("The mailbox is switched off.", slug="connection-disabled")
    if connection.access is not Access.WRITE:
        raise Forbidden("The connection may only read.", slug="read-only-connection")
    return connection


def _dead(connection: Connection) -> Conflict:
    known = (
        {} if connection.reauthorize_url is None else {"connect_url": connection.reauthorize_url}
    )
    return Conflict(
        "The person has to give access again.", slug="reauthorization-required", **known
    )
