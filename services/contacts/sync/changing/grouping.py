"""Changes to groups and memberships within a turn: kept, told of, and looked at for Google."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from uuid import UUID

from libs.common import outbox
from libs.common.events import contacts as events
from libs.common.events.base import Event, Origin
from libs.common.events.envelope import Envelope
from libs.common.ids import new_id
from services.contacts.domain.group import Group
from services.contacts.store import groups as store
from services.contacts.sync.changing.turn import Turn

MOST_TOLD = 1000
"""Contacts that one event names as joining or leaving."""


class Grouping:
    """What a turn does to groups; memberships are kept and told at the turn's end."""

    def __init__(self, turn: Turn) -> None:
        """Change groups of the turn's tenant."""
        self._turn = turn
        turn.at_end(self._end)
        self._joining: dict[UUID, dict[UUID, None]] = defaultdict(dict)
        self._leaving: dict[UUID, dict[UUID, None]] = defaultdict(dict)
        self._origins: dict[UUID, Origin] = {}

    async def create(self, owner_user_id: str, name: str, *, origin: Origin) -> Group:
        """Return a group that is new; nobody is in it. The caller knows that the name is free."""
        turn = self._turn
        group = Group(
            tenant_id=turn.tenant_id,
            id=new_id(),
            owner_user_id=owner_user_id,
            name=name,
            created_at=turn.now,
            updated_at=turn.now,
        )
        return await self._put(group, events.GroupCreated(origin=origin, **_facts(group)))

    async def rename(self, group: Group, name: str, *, origin: Origin) -> Group:
        """Return a group with another name, which the caller knows is free."""
        if group.name == name:
            return group
        after = replace(group, name=name, version=group.version + 1, updated_at=self._turn.now)
        told = events.GroupRenamed(origin=origin, former_name=group.name, **_facts(after))
        return await self._put(after, told)

    async def delete(self, group: Group, *, origin: Origin) -> Group:
        """Return a group that is there no more; its members stay contacts."""
        if not group.is_live:
            return group
        turn = self._turn
        members = await store.members_of(turn.conn, turn.tenant_id, group.id)
        await store.leave(turn.conn, turn.tenant_id, group.id, members)
        for one in members:
            turn.touch(one)
        after = replace(group, version=group.version + 1, updated_at=turn.now, deleted_at=turn.now)
        return await self._put(after, events.GroupDeleted(origin=origin, **_facts(after)))

    def join(self, group_id: UUID, contact_ids: Iterable[UUID], *, origin: Origin) -> None:
        """Let contacts be in a group from the end of this turn on."""
        for one in contact_ids:
            self._joining[group_id][one] = None
            self._leaving[group_id].pop(one, None)
        self._origins.setdefault(group_id, origin)

    def leave(self, group_id: UUID, contact_ids: Iterable[UUID], *, origin: Origin) -> None:
        """Let contacts be in a group no more from the end of this turn on."""
        for one in contact_ids:
            self._leaving[group_id][one] = None
            self._joining[group_id].pop(one, None)
        self._origins.setdefault(group_id, origin)

    async def _end(self) -> None:
        turn = self._turn
        ids = sorted({*self._joining, *self._leaving})
        if not ids:
            return
        groups = await store.find_groups(turn.conn, turn.tenant_id, ids)
        for group_id in ids:
            group = groups.get(group_id)
            if group is None or not group.is_live:
                continue
            leaving = list(self._leaving[group_id])
            joining = list(self._joining[group_id])
            removed = await store.leave(turn.conn, turn.tenant_id, group_id, leaving)
            added = await store.join(turn.conn, turn.tenant_id, group_id, joining, now=turn.now)
            for one in (*removed, *added):
                turn.touch(one)
            await self._tell_members(group, added, removed)

    async def _tell_members(self, group: Group, added: list[UUID], removed: list[UUID]) -> None:
        while added or removed:
            told = events.GroupMembershipChanged(
                origin=self._origins[group.id],
                added=tuple(added[:MOST_TOLD]),
                removed=tuple(removed[:MOST_TOLD]),
                **_facts(group),
            )
            added, removed = added[MOST_TOLD:], removed[MOST_TOLD:]
            after = replace(group, version=group.version + 1, updated_at=self._turn.now)
            group = await self._put(after, told)

    async def _put(self, group: Group, told: Event) -> Group:
        kept = replace(group, sequence=group.sequence + 1)
        await store.put_group(self._turn.conn, kept)
        self._turn.touch_group(kept.id)
        envelope = Envelope.of(
            told,
            tenant_id=kept.tenant_id,
            aggregate_id=str(kept.id),
            sequence=kept.sequence,
            time=kept.updated_at,
        )
        await outbox.append(self._turn.conn, envelope)
        return kept


def _facts(group: Group) -> dict[str, Any]:
    return {"group_id": group.id, "owner_user_id": group.owner_user_id, "name": group.name}
