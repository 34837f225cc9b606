"""Suggesting contacts: correspondents the CRM does not know, each once."""

from collections.abc import Sequence
from datetime import datetime

from libs.common.db import Connection as Conn
from libs.common.directory import store as directory
from libs.common.events.base import Origin
from libs.common.events.envelope import Envelope
from libs.common.ids import new_id
from services.mail.domain import events
from services.mail.domain.connection import Connection
from services.mail.domain.keeping import Rules
from services.mail.domain.message import Keep, Policy, direction
from services.mail.domain.preferences import Suggest
from services.mail.domain.suggesting import Correspondent, correspondents
from services.mail.store import suggestions as store
from services.mail.sync.meaning.linking import Arrival, Linker


async def suggest(
    conn: Conn,
    connection: Connection,
    rules: Rules,
    arrivals: Sequence[Arrival],
    *,
    origin: Origin,
    linker: Linker,
    now: datetime,
) -> list[Envelope]:
    """Return the events of those whom messages that just came suggest, the caller's to append.

    To be called under the directory's lock. Of mail that settings shut out nobody is suggested.
    """
    if rules.preferences.suggest_contacts is Suggest.NONE or rules.policy is Policy.NONE:
        return []
    found: dict[str, tuple[Correspondent, Arrival]] = {}
    for one in arrivals:
        if one.message.kept > Keep.NOTHING:
            way = direction(one.message.labels)
            for person in correspondents(one.message.content, way, rules):
                found.setdefault(person.address, (person, one))
    known = await directory.find_by_addresses(conn, connection.tenant_id, [*found])
    by_hash = {linker.digest(one): found[one] for one in found if one not in known}
    if not by_hash:
        return []
    new = await store.add_suggestions(conn, connection.tenant_id, [*by_hash], now)
    return [_told(connection, *by_hash[one], origin) for one in sorted(new)]


def _told(
    connection: Connection, person: Correspondent, arrival: Arrival, origin: Origin
) -> Envelope:
    suggestion_id, message = new_id(), arrival.message
    event = events.suggested(
        connection,
        person,
        suggestion_id=suggestion_id,
        message_id=arrival.id if message.whole else None,
        occurred_at=message.internal_date,
        origin=origin,
    )
    return Envelope.of(
        event,
        tenant_id=connection.tenant_id,
        aggregate_id=str(suggestion_id),
        sequence=1,
        time=message.internal_date,
    )
