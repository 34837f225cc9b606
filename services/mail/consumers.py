"""AMQP handlers: what auth tells of connections, and the CRM of its entities."""

from uuid import UUID

from libs.common import inbox
from libs.common.bus import Subscription
from libs.common.db import Pool, transaction
from libs.common.directory import EntityRef
from libs.common.errors import InvalidInput
from libs.common.events import auth as events
from libs.common.events import crm
from libs.common.events.envelope import Envelope
from services.mail.domain.connection import Access, State, Told
from services.mail.sync.connections import PRODUCT, Connections
from services.mail.sync.linking import Linker

QUEUE = "mail.connections"
DIRECTORY_QUEUE = "mail.directory"

EVENTS: tuple[
    type[
        events.ConnectionAuthorized
        | events.ConnectionChanged
        | events.ConnectionReauthorizationRequired
        | events.ConnectionDisconnected
    ],
    ...,
] = (
    events.ConnectionAuthorized,
    events.ConnectionChanged,
    events.ConnectionReauthorizationRequired,
    events.ConnectionDisconnected,
)
BY_TYPE = {event.type: event for event in EVENTS}


def subscription(pool: Pool, connections: Connections) -> Subscription:
    """Return the queue of auth's events, and what is done with each."""

    async def handle(envelope: Envelope) -> None:
        told = told_by(envelope)
        async with transaction(pool) as conn:
            if not await inbox.first_time(conn, QUEUE, envelope.id):
                return
            unwatch = await connections.take(conn, told)
        await connections.follow_up(told.tenant_id, told.id, unwatch=unwatch)

    return Subscription(queue=QUEUE, types=tuple(BY_TYPE), handler=handle)


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


def told_by(envelope: Envelope) -> Told:
    """Return what an event of auth's says about mail.

    Raises:
        InvalidInput: it is none of them, or lacks what it needs.
    """
    if envelope.type not in BY_TYPE:
        raise InvalidInput.field("type", "is none of auth's connection events")
    event = envelope.parse(BY_TYPE[envelope.type])
    access = next((one.access for one in event.products if one.name == PRODUCT), None)
    return Told(
        tenant_id=envelope.tenantid,
        id=_own_id(envelope, event.connection_id),
        account_id=event.account.id,
        user_id=event.user_id,
        email=event.account.email,
        access=None if access is None else Access(access),
        state=_state(event),
        sequence=int(envelope.sequence),
        reauthorize_url=getattr(event, "reauthorize_url", None),
        purge=isinstance(event, events.ConnectionDisconnected)
        and event.purge
        and PRODUCT in event.disconnected_products,
        fresh=isinstance(event, events.ConnectionAuthorized),
    )


def _own_id(envelope: Envelope, connection_id: UUID) -> UUID:
    """Hold subject and data against each other: the order of events is by subject."""
    if envelope.aggregate_id != str(connection_id):
        raise InvalidInput.field("subject", "names another connection than the data")
    return connection_id


def _state(
    event: events.ConnectionAuthorized
    | events.ConnectionChanged
    | events.ConnectionReauthorizationRequired
    | events.ConnectionDisconnected,
) -> State:
    match event:
        case events.ConnectionChanged():
            return State(event.state)
        case events.ConnectionReauthorizationRequired():
            return State.REAUTHORIZATION_REQUIRED
        case events.ConnectionDisconnected() if not event.products:
            return State.DISCONNECTED
    return State.ACTIVE
