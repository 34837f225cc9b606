"""People who are gone from an address book, and what follows for the contacts they are."""

from collections.abc import Sequence
from dataclasses import replace

from libs.common.events.base import Origin
from services.contacts.domain.connection import Connection
from services.contacts.domain.contact import Contact
from services.contacts.domain.person import Known
from services.contacts.domain.preferences import GoogleDeletes
from services.contacts.store import people as store
from services.contacts.store import sync_logs
from services.contacts.store.sync_logs import Line
from services.contacts.sync.changing.turn import Turn
from services.contacts.sync.inward.chunk import Taken, line_of
from services.contacts.sync.inward.match_conflicts import MatchConflicts


async def let_go(
    turn: Turn,
    connection: Connection,
    people: Sequence[Known],
    *,
    origin: Origin,
    spare: bool = False,
) -> Taken:
    """Take in that people are gone from an address book, with what follows for contacts.

    Args:
        turn: as `begin` made it.
        connection: whose address book it is.
        people: as they were known.
        origin: why it is looked at.
        spare: contacts stay, whatever the connection wants: somebody said so.
    """
    taken, lines = Taken(), list[Line]()
    names = [one.resource for one in people]
    conflicts = await MatchConflicts.of(turn, connection, names)
    ids = [one.contact_id for one in people if one.contact_id is not None]
    contacts = await turn.find(ids)
    links = await store.list_of_contacts(turn.conn, turn.tenant_id, ids)
    for one in people:
        turn.keep_person(replace(one, gone_at=one.gone_at or turn.now, groups=()))
        await conflicts.settle(one.resource, origin=origin)
        contact = contacts.get(one.contact_id) if one.contact_id else None
        if contact is None or not contact.is_live:
            continue
        taken.removed += 1
        action = "update"
        if not spare and _goes(connection, contact, one, links[contact.id]):
            turn.delete(contact, origin=origin)
            action = "delete"
        lines.append(line_of(connection, action, contact.id, one.resource))
    await sync_logs.add_lines(turn.conn, turn.tenant_id, lines, now=turn.now)
    return taken


def _goes(connection: Connection, contact: Contact, gone: Known, links: Sequence[Known]) -> bool:
    """Say whether a contact goes with a person: not one that is in another address book, too."""
    is_elsewhere = any(
        one.is_live and (one.connection_id, one.resource) != (gone.connection_id, gone.resource)
        for one in links
    )
    is_wanted = (
        contact.entity_id is None or connection.preferences.google_deletes is GoogleDeletes.DELETE
    )
    return is_wanted and not is_elsewhere


def came_from(known: Known, contact: Contact, links: Sequence[Known]) -> bool:
    """Say whether a contact is there only because an address book has it.

    Args:
        known: the person it is in that address book.
        contact: it.
        links: all people that it is, in whichever address books.
    """
    is_elsewhere = any(one.is_live and one.connection_id != known.connection_id for one in links)
    is_ours = contact.entity_id is not None or known.made_by_us
    return contact.is_live and not is_ours and not is_elsewhere
