"""Taking labels in: those that a person made become groups, in the caller's turn."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from libs.common.events.base import Origin
from services.contacts.domain.connection import Connection
from services.contacts.domain.group import Group
from services.contacts.domain.label import KnownLabel, Label
from services.contacts.domain.labelling import becomes_group, name_of
from services.contacts.store import groups, people, sync_logs
from services.contacts.store import labels as store
from services.contacts.store.sync_logs import Line
from services.contacts.sync.changing.grouping import Grouping
from services.contacts.sync.changing.turn import Turn


class Labelling:
    """What a turn makes of the labels of one address book; `end` logs it."""

    def __init__(
        self,
        turn: Turn,
        connection: Connection,
        *,
        origin: Origin,
        propagation: timedelta = timedelta(),
    ) -> None:
        """Tell of what changes under `origin`; for `propagation` lists may show the past."""
        self._turn = turn
        self._connection = connection
        self._origin = origin
        self._fresh_since = turn.now - propagation
        self._grouping = Grouping(turn)
        self._lines: list[Line] = []

    async def take(self, labels: Sequence[Label]) -> None:
        """Take in labels as Google has them now; what is older than what is known is nothing new.

        Source: https://developers.google.com/people/api/rest/v1/contactGroups/list
        """
        known = await self._known()
        for label in labels:
            before = known.get(label.resource)
            if label.is_deleted:
                if before is not None:
                    await self._let_go(before)
            elif _is_news(before, label, fresh_since=self._fresh_since):
                await self._take_one(before, label)

    async def relook(self) -> None:
        """Look again at labels that are no group: they may be wanted as one now."""
        for one in (await self._known()).values():
            if one.is_live and one.group_id is None:
                await self._keep(one)

    async def let_go_unlisted(self, listed: frozenset[str]) -> bool:
        """Let all labels go that a complete list does not have, and should have by now.

        Say whether there are others that it does not have: a later list tells whether they are.
        """
        turn = self._turn
        fresh = await store.list_fresh(
            turn.conn, turn.tenant_id, self._connection.id, since=self._fresh_since
        )
        unlisted = [
            one for name, one in (await self._known()).items() if one.is_live and name not in listed
        ]
        for one in unlisted:
            if one.resource not in fresh:
                await self._let_go(one)
        return any(one.resource in fresh for one in unlisted)

    async def end(self) -> None:
        """Write the log."""
        turn = self._turn
        await sync_logs.add_lines(turn.conn, turn.tenant_id, self._lines, now=turn.now)

    async def _known(self) -> dict[str, KnownLabel]:
        turn = self._turn
        found = await store.list_labels(turn.conn, turn.tenant_id, self._connection.id)
        return {one.resource: one for one in found}

    async def _take_one(self, before: KnownLabel | None, label: Label) -> None:
        now = KnownLabel(
            connection_id=self._connection.id,
            resource=label.resource,
            group_id=None if before is None else before.group_id,
            kind=label.kind,
            name=label.name,
            etag=label.etag,
            google_updated=label.updated_at,
            members=label.members,
        )
        if before is None or not before.is_live or before.group_id is None:
            await self._keep(replace(now, group_id=None))
            return
        group = await self._group(now)
        if group is None or not group.is_live:  # somebody deleted it on our side
            await store.put_label(self._turn.conn, self._turn.tenant_id, now, now=self._turn.now)
            return
        wanted = name_of(
            group,
            before.name,
            label,
            policy=self._connection.preferences.conflict_policy,
            now=self._turn.now,
        )
        if wanted != group.name and await self._is_free(wanted, group):
            await self._grouping.rename(group, wanted, origin=self._origin)
            self._log("update", group, label.resource)
        await store.put_label(self._turn.conn, self._turn.tenant_id, now, now=self._turn.now)

    async def _keep(self, label: KnownLabel) -> None:
        """Keep a label that is no group, after it became one if that is wanted."""
        turn, one = self._turn, self._connection
        if becomes_group(label, one.preferences):
            group = await self._found(label.name)
            if group is not None:
                label = replace(label, group_id=group.id)
                self._log("create", group, label.resource)
        await store.put_label(turn.conn, turn.tenant_id, label, now=turn.now)
        if label.group_id is not None:
            members = await people.contacts_with_label(
                turn.conn, turn.tenant_id, one.id, label.resource
            )
            self._grouping.join(label.group_id, members, origin=self._origin)

    async def _found(self, name: str) -> Group | None:
        """Return the group that a label is: one of that name, or a new one; None: it is taken."""
        turn, one = self._turn, self._connection
        known = await groups.find_by_name(turn.conn, turn.tenant_id, one.user_id, name)
        if known is None:
            return await self._grouping.create(one.user_id, name, origin=self._origin)
        others = (await store.list_of_groups(turn.conn, turn.tenant_id, [known.id]))[known.id]
        return None if any(other.connection_id == one.id for other in others) else known

    async def _is_free(self, name: str, group: Group) -> bool:
        turn, one = self._turn, self._connection
        found = await groups.find_by_name(turn.conn, turn.tenant_id, one.user_id, name)
        return bool(name) and found in (None, group)

    async def _let_go(self, label: KnownLabel) -> None:
        """Take in that a label is gone; its group goes too, if it is in no other address book."""
        turn = self._turn
        if not label.is_live:
            return
        gone = replace(label, gone_at=turn.now)
        await store.put_label(turn.conn, turn.tenant_id, gone, now=turn.now)
        group = await self._group(label)
        if group is None or not group.is_live:
            return
        others = (await store.list_of_groups(turn.conn, turn.tenant_id, [group.id]))[group.id]
        if not others:
            await self._grouping.delete(group, origin=self._origin)
            self._log("delete", group, label.resource)

    async def _group(self, label: KnownLabel) -> Group | None:
        if label.group_id is None:
            return None
        turn = self._turn
        found = await groups.find_groups(turn.conn, turn.tenant_id, [label.group_id])
        return found.get(label.group_id)

    def _log(self, action: str, group: Group, resource: str) -> None:
        self._lines.append(
            Line(
                connection_id=self._connection.id,
                kind="group",
                direction="from_google",
                action=action,
                item_id=group.id,
                resource=resource,
            )
        )


def _is_news(before: KnownLabel | None, label: Label, *, fresh_since: datetime) -> bool:
    if before is None:
        return True
    if before.gone_at is not None:  # soon after that a list may be from before
        return before.gone_at < fresh_since or _is_newer(label, before)
    if label.etag and label.etag == before.etag:
        return False
    return not (
        label.updated_at and before.google_updated and label.updated_at < before.google_updated
    )


def _is_newer(label: Label, before: KnownLabel) -> bool:
    return bool(
        label.updated_at and before.google_updated and label.updated_at > before.google_updated
    )
