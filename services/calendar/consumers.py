"""AMQP handlers: what the CRM tells, and contacts; what auth tells is `Following`'s."""

import structlog

from libs.common import inbox
from libs.common.bus import Subscription
from libs.common.db import Pool, transaction
from libs.common.directory import consuming, contacts
from libs.common.errors import Conflict
from libs.common.events import crm
from libs.common.events.envelope import Envelope
from services.calendar.sync.inward.linking import Linker
from services.calendar.sync.outward.appointments import Appointments
from services.calendar.sync.outward.wanted import appointment_of

log = structlog.get_logger(__name__)

QUEUE = "calendar.connections"
DIRECTORY_QUEUE = "calendar.directory"
CONTACTS_QUEUE = "calendar.contacts"
APPOINTMENTS_QUEUE = "calendar.appointments"


def directory_subscription(pool: Pool, linker: Linker) -> Subscription:
    """Return the queue of the CRM's entity events, which may come in any order."""
    return consuming.subscription(pool, linker, queue=DIRECTORY_QUEUE)


def contacts_subscription(pool: Pool, linker: Linker) -> Subscription:
    """Return the queue of contacts, apart from the CRM's: an import of thousands delays nobody."""
    return contacts.subscription(pool, linker, queue=CONTACTS_QUEUE)


def appointments_subscription(pool: Pool, appointments: Appointments) -> Subscription:
    """Return the queue of the CRM's appointment events; older versions change nothing."""

    async def handle(envelope: Envelope) -> None:
        event = crm.read_appointment(envelope)
        tenant_id = envelope.tenantid
        async with transaction(pool) as conn:
            if not await inbox.first_time(conn, APPOINTMENTS_QUEUE, envelope.id):
                return
            try:
                if isinstance(event, crm.AppointmentCancelled):
                    await appointments.delete(
                        conn, tenant_id, event.appointment_id, version=event.version
                    )
                else:
                    await appointments.put(conn, tenant_id, appointment_of(event))
            except Conflict as exc:
                if exc.slug != "stale-version":
                    raise
                log.info("appointment_event_stale")

    return Subscription(
        queue=APPOINTMENTS_QUEUE, types=tuple(crm.APPOINTMENTS_BY_TYPE), handler=handle
    )
