"""Entities of the CRM, and the meetings that concern them."""

from collections.abc import Callable, Sequence
from datetime import datetime

from libs.common.db import Connection as Conn
from libs.common.directory import Entity, EntityRef, told
from libs.common.directory import store as directory
from libs.common.directory.model import Change
from libs.common.directory.told import News
from services.calendar.store import link_work
from services.calendar.sync.feeds import wake, work_address


class Linker:
    """Keeps the directory, and lets meetings of whoever changed be looked at again."""

    def __init__(self, *, now: Callable[[], datetime]) -> None:
        """Use the product's clock."""
        self._now = now

    async def upsert(self, conn: Conn, tenant_id: str, entities: Sequence[Entity]) -> list[bool]:
        """Take in entities and queue their meetings; say of each whether it was newer."""
        await directory.lock_exclusive(conn, tenant_id)
        changes = await directory.upsert_entities(conn, tenant_id, entities, self._now())
        await self._queue(conn, tenant_id, [one for one in changes if one is not None])
        return [one is not None for one in changes]

    async def delete(self, conn: Conn, tenant_id: str, ref: EntityRef, version: int) -> bool:
        """Take in that an entity is gone and queue its meetings; say whether that was news."""
        await directory.lock_exclusive(conn, tenant_id)
        change = await directory.delete_entity(conn, tenant_id, ref, version, self._now())
        if change is not None:
            await self._queue(conn, tenant_id, [change])
        return change is not None

    async def learn(self, conn: Conn, tenant_id: str, news: News) -> bool:
        """Take in what was told of a contact and queue its meetings; say whether that was news."""
        await directory.lock_exclusive(conn, tenant_id)
        changes = await told.take_in(conn, tenant_id, news, self._now())
        await self._queue(conn, tenant_id, changes)
        return bool(changes)

    async def _queue(self, conn: Conn, tenant_id: str, changes: Sequence[Change]) -> None:
        touched = set()
        for change in changes:
            if change.addresses:
                touched |= {
                    *await link_work.queue_work(
                        conn, tenant_id, change.ref, sorted(change.addresses)
                    )
                }
        if touched:
            await wake(conn, *(work_address(one) for one in sorted(touched)), now=self._now())
