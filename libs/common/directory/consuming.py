"""The queue in which a service hears of the CRM's entities."""

from collections.abc import Sequence
from typing import Protocol

from libs.common import inbox
from libs.common.bus import Subscription
from libs.common.db import Connection, Pool, transaction
from libs.common.directory.model import Entity, EntityRef
from libs.common.events import crm
from libs.common.events.envelope import Envelope


class Linker(Protocol):
    """Keeps what concerns entities in step with them."""

    async def upsert(
        self, conn: Connection, tenant_id: str, entities: Sequence[Entity]
    ) -> list[bool]:
        """Take in entities as they are now; say of each whether that was news."""
        ...

    async def delete(self, conn: Connection, tenant_id: str, ref: EntityRef, version: int) -> bool:
        """Take in that an entity is gone; say whether that was news."""
        ...


def subscription(pool: Pool, linker: Linker, *, queue: str) -> Subscription:
    """Return the queue of the CRM's entity events, which may come in any order."""

    async def handle(envelope: Envelope) -> None:
        event = crm.read(envelope)
        tenant_id = envelope.tenantid
        async with transaction(pool) as conn:
            if not await inbox.first_time(conn, queue, envelope.id):
                return
            if isinstance(event, crm.EntityUpserted):
                entity = event.entity(event.entity_type, event.entity_id)
                await linker.upsert(conn, tenant_id, [entity])
            else:
                ref = EntityRef(event.entity_type, event.entity_id)
                await linker.delete(conn, tenant_id, ref, event.version)

    return Subscription(queue=queue, types=tuple(crm.BY_TYPE), handler=handle)
