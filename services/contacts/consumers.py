"""AMQP handlers: what the CRM tells; what auth tells is `Following`'s."""

import structlog

from libs.common import clock, inbox
from libs.common.bus import Subscription
from libs.common.db import Pool, transaction
from libs.common.events import crm
from libs.common.events.envelope import Envelope
from services.contacts.sync.changing import crm_contacts
from services.contacts.sync.changing.turn import Turn

log = structlog.get_logger(__name__)

QUEUE = "contacts.connections"
CONTACTS_QUEUE = "contacts.contacts"


def contacts_subscription(pool: Pool) -> Subscription:
    """Return the queue of the CRM's contact events, which may come in any order."""

    async def handle(envelope: Envelope) -> None:
        event = crm.read_contact(envelope)
        async with transaction(pool) as conn:
            turn = await Turn.begin(conn, envelope.tenantid, now=clock.now())
            if not await inbox.first_time(conn, CONTACTS_QUEUE, envelope.id):
                return
            if not await crm_contacts.take_in(turn, event):
                log.info("contact_event_stale")
            await turn.end()

    return Subscription(queue=CONTACTS_QUEUE, types=tuple(crm.CONTACTS_BY_TYPE), handler=handle)
