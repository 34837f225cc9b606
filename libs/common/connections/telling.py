"""What auth's events, and its list, say about one product."""

from typing import Any
from uuid import UUID

from libs.common import inbox
from libs.common.bus import Subscription
from libs.common.connections.following import Following
from libs.common.connections.model import Access, State, Told
from libs.common.db import Pool, transaction
from libs.common.errors import InvalidInput
from libs.common.events import auth as events
from libs.common.events.envelope import Envelope

ConnectionEvent = (
    events.ConnectionAuthorized
    | events.ConnectionChanged
    | events.ConnectionReauthorizationRequired
    | events.ConnectionDisconnected
)
EVENTS: tuple[type[ConnectionEvent], ...] = (
    events.ConnectionAuthorized,
    events.ConnectionChanged,
    events.ConnectionReauthorizationRequired,
    events.ConnectionDisconnected,
)
BY_TYPE = {event.type: event for event in EVENTS}


def subscription(pool: Pool, following: Following[Any], *, queue: str) -> Subscription:
    """Return the queue of auth's events, and what is done with each."""

    async def handle(envelope: Envelope) -> None:
        told = told_by(envelope, following.product)
        async with transaction(pool) as conn:
            if not await inbox.first_time(conn, queue, envelope.id):
                return
            unwatch = await following.take(conn, told)
        await following.follow_up(told.tenant_id, told.id, unwatch=unwatch)

    return Subscription(queue=queue, types=tuple(BY_TYPE), handler=handle)


def told_by(envelope: Envelope, product: str) -> Told:
    """Return what an event of auth's says about a product.

    Raises:
        InvalidInput: it is none of them, or lacks what it needs.
    """
    if envelope.type not in BY_TYPE:
        raise InvalidInput.field("type", "is none of auth's connection events")
    event = envelope.parse(BY_TYPE[envelope.type])
    access = next((one.access for one in event.products if one.name == product), None)
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
        and product in event.disconnected_products,
        fresh=isinstance(event, events.ConnectionAuthorized),
    )


def _own_id(envelope: Envelope, connection_id: UUID) -> UUID:
    """Hold subject and data against each other: the order of events is by subject."""
    if envelope.aggregate_id != str(connection_id):
        raise InvalidInput.field("subject", "names another connection than the data")
    return connection_id


def _state(event: ConnectionEvent) -> State:
    match event:
        case events.ConnectionChanged():
            return State(event.state)
        case events.ConnectionReauthorizationRequired():
            return State.REAUTHORIZATION_REQUIRED
        case events.ConnectionDisconnected() if not event.products:
            return State.DISCONNECTED
    return State.ACTIVE
