"""Queueing what the CRM wishes for; the connection's writing feed carries it to Google."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.ids import new_id
from libs.common.writes import NewWrite
from libs.common.writes import store as ledger
from libs.common.writes.store.ledger import MOST_PER_ITEM
from services.calendar.domain.connection import Connection
from services.calendar.domain.writing import EVENT, Wish
from services.calendar.sync.feeds import wake, write_address


@dataclass(frozen=True, slots=True)
class Queued:
    """A wish, and the write that carries it."""

    wish: Wish
    base: dict[str, Any] | None = None
    """What both sides agreed on before; None: what Google has when it is carried."""
    write_id: UUID | None = None


async def queue_wishes(
    conn: Conn,
    connection: Connection,
    wishes: Sequence[Queued],
    *,
    now: datetime,
    group_id: UUID | None = None,
    most_per_item: int | None = MOST_PER_ITEM,
) -> UUID:
    """Queue wishes of a connection, in their order; return the id they share.

    Call it before rows of events are locked: the writing feed's signal comes first. Give
    `most_per_item` as None for what cannot go round in circles.

    Raises:
        TooManyWrites: one event was changed so often that something goes round in circles.
    """
    group = group_id or new_id()
    await wake(conn, write_address(connection.id), now=now)
    await ledger.queue(
        conn,
        [
            NewWrite(
                tenant_id=connection.tenant_id,
                connection_id=connection.id,
                kind=EVENT,
                item=one.wish.item,
                desired=one.wish.stored(),
                base=one.base,
                due_at=now,
                id=one.write_id or new_id(),
                group_id=group,
            )
            for one in wishes
        ],
        now=now,
        most_per_item=most_per_item,
    )
    return group
