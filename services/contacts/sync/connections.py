"""Whose contacts are read: what the contacts service does when auth tells of a connection."""

from uuid import UUID

from libs.common.connections import Following, Told
from libs.common.connections.model import RUNNING
from libs.common.db import Connection as Conn
from libs.common.events.base import Origin
from libs.common.feeds import FeedState
from libs.common.feeds.store import list_feeds
from libs.common.writes import store as ledger
from services.contacts.domain.connection import Connection, updated
from services.contacts.store import adopting, people
from services.contacts.store import connections as store
from services.contacts.sync.changing.turn import Turn
from services.contacts.sync.feeds import PEOPLE, open_all
from services.contacts.sync.inward.parting import came_from
from services.contacts.sync.outward.looking_over import look_over

PURGED_AT_ONCE = 200


class Connections(Following[Connection]):
    """Keeps connections and their feeds as auth says they should be."""

    product = "contacts"

    async def become(self, conn: Conn, told: Told, current: Connection | None) -> Connection:
        """Return the connection after what was told, with what an ended one knew of the account."""
        new = updated(told, current, now=self._now())
        if current is not None and current.account_id != new.account_id:
            await store.begin_anew(conn, told.tenant_id, told.id)
        was_running = current is not None and current.state in RUNNING
        if new.state in RUNNING and not was_running:
            await adopting.adopt(conn, new)
        if new.may_write and not (current is not None and current.may_write):
            # What changed here meanwhile was queued for nobody.
            await look_over(conn, new, now=self._now())
        return new

    async def open(self, conn: Conn, new: Connection) -> None:
        """Open the connection's feeds."""
        await open_all(conn, new, now=self._now())

    async def is_open(self, conn: Conn, connection: Connection) -> bool:
        """Say whether its address book is followed, on this account."""
        return any(
            feed.kind == PEOPLE
            and feed.account_id == connection.account_id
            and feed.state in (FeedState.ACTIVE, FeedState.DEGRADED)
            for feed in await list_feeds(conn, connection.tenant_id, [connection.id])
        )

    async def end_writes(self, conn: Conn, new: Connection) -> None:
        """Let nothing go out any more."""
        reason = new.state.value
        await ledger.cancel_all(conn, new.tenant_id, new.id, reason=reason, now=self._now())

    async def unwatch(self, conn: Conn, new: Connection, *, over: bool) -> bool:
        """Do nothing: Google tells nobody of contacts."""
        del conn, new, over
        return False

    async def stop_watching(self, connection: Connection) -> None:
        """Do nothing: Google tells nobody of contacts."""

    async def purge_some(self, conn: Conn, tenant_id: str, connection_id: UUID) -> int:
        """Remove people, and contacts that came from there only; return how many went."""
        turn = await Turn.begin(conn, tenant_id, now=self._now())
        gone = await people.list_some(conn, tenant_id, connection_id, limit=PURGED_AT_ONCE)
        ids = [one.contact_id for one in gone if one.contact_id is not None]
        contacts = await turn.find(ids)
        links = await people.list_of_contacts(conn, tenant_id, ids)
        for one in gone:
            contact = contacts.get(one.contact_id) if one.contact_id else None
            if contact is not None and came_from(one, contact, links[contact.id]):
                turn.delete(contact, origin=Origin.REPAIR)
        await people.forget_people(conn, tenant_id, connection_id, [one.resource for one in gone])
        await turn.end()
        return len(gone)

    async def purge_rest(self, conn: Conn, tenant_id: str, connection_id: UUID) -> None:
        """Remove what is held of a connection besides, and note that all is gone."""
        await ledger.forget(conn, tenant_id, connection_id)
        await store.purge_connection(conn, tenant_id, connection_id)
