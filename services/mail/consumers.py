"""AMQP handlers: what the CRM tells of its entities; what auth tells is `Following`'s."""

from libs.common import inbox
from libs.common.bus import Subscription
from libs.common.db import Pool, transaction
from libs.common.directory import EntityRef
from libs.common.events import crm
from libs.common.events.envelope import Envelope
from services.mail.sync.linking import Linker

QUEUE = "mail.connections"
DIRECTORY_QUEUE = "mail.directory"


def directory_subscription(pool: Pool, linker: Linker) -> Subscription:
    """Return the queue of the CRM's entity events, which may come in any order."""

    async def handle(envelope: Envelope) -> None:
        event = crm.read(envelope)
        tenant_id = envelope.tenantid
        async with transaction(pool) as conn:
            if not await inbox.first_time(conn, DIRECTORY_QUEUE, envelope.id):
                return
            if isinstance(event, crm.EntityUpserted):
                entity = event.entity(event.entity_type, event.entity_id)
                await linker.upsert(conn, tenant_id, [entity])
            else:
                ref = EntityRef(event.entity_type, event.entity_id)
                await linker.delete(conn, tenant_id, ref, event.version)

    return Subscription(queue=DIRECTORY_QUEUE, types=tuple(crm.BY_TYPE), handler=handle)
