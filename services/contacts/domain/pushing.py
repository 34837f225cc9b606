"""Which contacts are written into which address book."""

from collections.abc import Set as AbstractSet
from enum import StrEnum
from uuid import UUID

from services.contacts.domain.card import Card
from services.contacts.domain.connection import Connection
from services.contacts.domain.contact import Contact
from services.contacts.domain.flat import flat
from services.contacts.domain.person import Known
from services.contacts.domain.preferences import CrmDeletes, Push


class Op(StrEnum):
    """What brings a contact and an address book into step."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    NOTHING = "nothing"


def wants(connection: Connection, contact: Contact, groups: AbstractSet[UUID]) -> bool:
    """Say whether a contact that is not in an address book yet is to be written into it.

    Args:
        connection: whose address book.
        contact: it is there.
        groups: that it is a member of.
    """
    if not contact.is_live or not contact.is_visible_to(connection.user_id):
        return False
    match connection.preferences.push:
        case Push.ALL:
            return True
        case Push.OWNED:
            return contact.owner_user_id == connection.user_id
        case Push.GROUPS:
            return bool(groups & frozenset(connection.preferences.push_groups))
        case Push.NONE:
            return False


def differs(contact: Contact, known: Known) -> bool:
    """Say whether an address book has something else than the contact."""
    return flat(contact.card, known.base) != flat(known.base)


def needs_write(
    connection: Connection, contact: Contact, known: Known | None, groups: AbstractSet[UUID]
) -> bool:
    """Say whether something of a contact has to be written into an address book.

    `known` is the person that it is there, None when it is none. One that a person deleted in
    Google (`gone_at`) is not written again.
    """
    if known is None:
        return wants(connection, contact, groups)
    if not known.is_live or known.erased_at is not None:
        return False
    if contact.is_live:
        return differs(contact, known)
    return known.made_by_us or connection.preferences.crm_deletes is CrmDeletes.ALL


def op_for(
    connection: Connection,
    contact: Contact,
    known: Known | None,
    groups: AbstractSet[UUID],
    *,
    wanted: bool = False,
) -> Op:
    """Return what has to be written of a contact into an address book; see `needs_write`.

    Args:
        connection: whose address book.
        contact: deleted or not.
        known: the person that it is there.
        groups: that it is a member of.
        wanted: somebody wants it there, whatever is usual, and whatever became of it before.
    """
    is_there = known is not None and known.is_live
    if wanted and not is_there and contact.is_live and contact.is_visible_to(connection.user_id):
        known = None
    elif not needs_write(connection, contact, known, groups):
        return Op.NOTHING
    if known is None:
        return Op.NOTHING if contact.card == Card() else Op.CREATE
    return Op.UPDATE if contact.is_live else Op.DELETE
