"""Groups as calls make, change and remove them; in a turn that the caller begins and ends."""

from collections.abc import Sequence
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.errors import Conflict, NotFound
from libs.common.events.base import Origin
from services.contacts.domain.group import Group
from services.contacts.store import groups as store
from services.contacts.sync.changing.grouping import Grouping
from services.contacts.sync.changing.turn import Turn

ORIGIN = Origin.CRM


async def get_group(conn: Conn, tenant_id: str, group_id: UUID, user_id: str | None) -> Group:
    """Return a live group that a user may see; None: a service, which sees all.

    Raises:
        NotFound: there is none.
    """
    found = (await store.find_groups(conn, tenant_id, [group_id])).get(group_id)
    if found is None or not found.is_live or not found.is_visible_to(user_id):
        raise NotFound("There is no such group.")
    return found


async def create(turn: Turn, owner_user_id: str, name: str) -> Group:
    """Return a group that is new.

    Raises:
        Conflict: `group-exists`: its owner has one of that name.
    """
    await _check_free(turn, owner_user_id, name, but=None)
    return await Grouping(turn).create(owner_user_id, name, origin=ORIGIN)


async def rename(turn: Turn, group: Group, name: str) -> Group:
    """Return a group with another name.

    Raises:
        Conflict: `group-exists`: its owner has another one of that name.
    """
    await _check_free(turn, group.owner_user_id, name, but=group.id)
    return await Grouping(turn).rename(group, name, origin=ORIGIN)


async def delete(turn: Turn, group: Group) -> None:
    """Let a group be there no more."""
    await Grouping(turn).delete(group, origin=ORIGIN)


async def change_members(
    turn: Turn, group: Group, *, add: Sequence[UUID], remove: Sequence[UUID]
) -> None:
    """Let contacts join and leave a group.

    Raises:
        NotFound: one that joins is no contact that the group's owner sees; then none does.
    """
    found = await turn.find(add)
    for one in add:
        contact = found.get(one)
        if contact is None or not contact.is_live:
            raise NotFound("There is no such contact.", contact_id=str(one))
        if not contact.is_visible_to(group.owner_user_id):
            raise NotFound("There is no such contact.", contact_id=str(one))
    grouping = Grouping(turn)
    grouping.join(group.id, add, origin=ORIGIN)
    grouping.leave(group.id, remove, origin=ORIGIN)


async def _check_free(turn: Turn, owner_user_id: str, name: str, *, but: UUID | None) -> None:
    found = await store.find_by_name(turn.conn, turn.tenant_id, owner_user_id, name)
    if found is not None and found.id != but:
        raise Conflict(
            "There is a group of that name.", slug="group-exists", group_id=str(found.id)
        )
