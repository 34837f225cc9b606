"""Carrying groups to Google: labels that are made, renamed and deleted, and who has them.

What was asked for twice does no harm: a name is there once, and whoever has a label has it.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.db import Pool, transaction
from libs.common.directory import store as directory
from libs.common.errors import AppError, Conflict
from libs.common.feeds import Feed
from libs.common.google.box import Absent
from libs.common.google.wire import Unreachable
from libs.common.quota import Lane
from libs.common.writes import Write, WriteLost, WriteState
from libs.common.writes import store as ledger
from libs.common.writes.carrying import NOT_DONE, REFUSED, RETRY, later
from libs.common.writes.patience import Patience
from services.contacts.domain.connection import Connection
from services.contacts.domain.group import Group
from services.contacts.domain.label import KnownLabel, Label
from services.contacts.domain.person import MY_CONTACTS
from services.contacts.google import GooglePeople, PeopleBox
from services.contacts.store import connections, label_writes, labels, sync_logs
from services.contacts.store import groups as groups_store
from services.contacts.store.label_writes import Members
from services.contacts.store.sync_logs import Line
from services.contacts.sync.changing.turn import Turn
from services.contacts.sync.feeds import groups_address, people_address, wake
from services.contacts.sync.outward.group_pushes import (
    GROUP,
    MEMBERS,
    label_differs,
    label_in,
    wants_label,
)

MOST_MEMBERS: Final = 1000
"""Who can join or leave a label with one request."""
MOST_ATTEMPTS: Final = 10


@dataclass(frozen=True, slots=True)
class _Stand:
    """How a group and an address book stand."""

    connection: Connection
    group: Group
    label: KnownLabel | None


class _Carrier:
    """What carriers of groups have in common: one write at a time, each for itself."""

    kind: str
    at_once = 1

    def __init__(
        self,
        pool: Pool,
        google: GooglePeople,
        *,
        patience: Patience,
        now: Callable[[], datetime],
    ) -> None:
        """Write through `google`."""
        self._pool = pool
        self._google = google
        self.patience = patience
        self._now = now

    async def begin(self, conn: Conn, feed: Feed, write: Write) -> Write:
        """Return the write: nothing has to be noted of it."""
        del conn, feed
        return write

    async def send(self, connection: Connection, claimed: list[Write], *, settle: bool) -> None:
        """Carry groups, and commit what became of each; see `Carrier.send`."""
        for write in claimed:
            try:
                await self._send(connection, write)
            except REFUSED as exc:
                await self._fail(connection, write, str(exc.data.get("reason") or exc.slug))
            except Absent:
                await self._give_way(connection, write)
            except NOT_DONE as exc:
                await self._put_back(connection, write, exc, settle=settle)
                raise

    async def _send(self, connection: Connection, write: Write) -> None:
        raise NotImplementedError

    async def _stand(self, connection: Connection, write: Write) -> _Stand | None:
        """Return how the group of a write stands; None: it is not to be written any more."""
        where = connection.tenant_id, connection.id
        async with transaction(self._pool) as conn:
            await directory.lock_shared(conn, connection.tenant_id)
            now_is = await connections.find_connection(conn, *where)
            group_id = UUID(write.item)
            found = await groups_store.find_groups(conn, connection.tenant_id, [group_id])
            known = await labels.list_of_groups(conn, connection.tenant_id, [group_id])
        if now_is is None or not now_is.may_write or group_id not in found:
            return None
        return _Stand(now_is, found[group_id], label_in(now_is, known[group_id]))

    async def _end(self, write: Write, state: WriteState, reason: str | None) -> None:
        async with transaction(self._pool) as conn:
            with suppress(WriteLost):
                await ledger.finish(conn, write, state, now=self._now(), reason=reason, answer={})

    async def _fail(self, connection: Connection, write: Write, reason: str) -> None:
        """End a write that Google refuses, and log that."""
        line = Line(
            connection_id=connection.id,
            kind="group",
            direction="to_google",
            action="update",
            status="error",
            item_id=UUID(write.item),
            error=reason,
        )
        async with transaction(self._pool) as conn:
            await sync_logs.add_lines(conn, write.tenant_id, [line], now=self._now())
        await self._end(write, WriteState.FAILED, reason)

    async def _give_way(self, connection: Connection, write: Write) -> None:
        """Let a write wait whose label is not there (any more), and have that read."""
        if write.attempts >= MOST_ATTEMPTS:
            await self._fail(connection, write, "label-gone")
            return
        now = self._now()
        async with transaction(self._pool) as conn:
            with suppress(WriteLost):
                await ledger.postpone(conn, write, due_at=now + RETRY, reason="label-gone")
            await wake(conn, groups_address(connection.id), now=now)

    async def _put_back(
        self, connection: Connection, write: Write, exc: AppError, *, settle: bool
    ) -> None:
        if write.attempts >= MOST_ATTEMPTS and isinstance(exc, Unreachable):
            await self._fail(connection, write, "gave-up")
            return
        until = later(exc, self._now())
        async with transaction(self._pool) as conn:
            with suppress(WriteLost):
                await ledger.put_off(conn, write, until=until, reason=exc.slug, settle=settle)


class GroupCarrier(_Carrier):
    """Makes, renames and deletes labels."""

    kind = GROUP

    async def _send(self, connection: Connection, write: Write) -> None:
        stand = await self._stand(connection, write)
        if stand is None:
            await self._end(write, WriteState.CANCELLED, "not-wanted")
            return
        group, label = stand.group, stand.label
        if not label_differs(stand.connection, group, label):
            await self._end(write, WriteState.DONE, None)
            return
        box = self._google.box(stand.connection, Lane.SEND)
        timeout_s = self.patience.timeout_s
        if label is None:
            made = await self._create(box, group)
            await self._keep(stand, write, "create", made)
        elif group.is_live:
            try:
                renamed = await box.rename_label(label.resource, group.name, timeout_s=timeout_s)
            except Conflict as exc:
                _refuse_unconnected(exc)
                await self._refused(stand, write, "update", "name-taken")
            else:
                await self._keep(stand, write, "update", renamed)
        else:
            await box.delete_label(label.resource, timeout_s=timeout_s)
            await self._keep(stand, write, "delete", None)

    async def _create(self, box: PeopleBox, group: Group) -> Label | None:
        """Return the new label, or the one of that name that is there; None: it cannot be had."""
        try:
            return await box.create_label(group.name, timeout_s=self.patience.timeout_s)
        except Conflict as exc:
            _refuse_unconnected(exc)
        token: str | None = None
        while True:
            page = await box.list_labels(sync_token=None, page_token=token)
            for one in page.labels:
                if one.name == group.name and not one.is_deleted:
                    return one
            token = page.next_page_token
            if token is None:
                return None

    async def _keep(self, stand: _Stand, write: Write, action: str, answered: Label | None) -> None:
        """Keep what Google has of a group now, and look who has to join it."""
        connection, now = stand.connection, self._now()
        async with transaction(self._pool) as conn:
            turn = await Turn.begin(conn, connection.tenant_id, now=now)
            known = await labels.list_labels(conn, connection.tenant_id, connection.id)
            asked = answered or stand.label
            wanted = None if asked is None else asked.resource
            before = next((one for one in known if one.resource == wanted), None)
            error = _refusal(stand, action, answered, before)
            after = None if error else _after(stand, answered, before, now=now)
            if after is not None:
                await labels.put_label(conn, connection.tenant_id, after, now=now)
            with suppress(WriteLost):
                state = WriteState.DONE if error is None else WriteState.FAILED
                await ledger.finish(conn, write, state, now=now, reason=error, answer={})
            line = _line(stand, action, wanted, error)
            await sync_logs.add_lines(conn, connection.tenant_id, [line], now=now)
            if error is None:
                turn.touch_group(stand.group.id)
            await turn.end()

    async def _refused(self, stand: _Stand, write: Write, action: str, reason: str) -> None:
        now, resource = self._now(), stand.label.resource if stand.label else None
        async with transaction(self._pool) as conn:
            with suppress(WriteLost):
                await ledger.finish(
                    conn, write, WriteState.FAILED, now=now, reason=reason, answer={}
                )
            line = _line(stand, action, resource, reason)
            await sync_logs.add_lines(conn, write.tenant_id, [line], now=now)


class MembersCarrier(_Carrier):
    """Puts people into labels, and takes them out."""

    kind = MEMBERS

    async def _send(self, connection: Connection, write: Write) -> None:
        stand = await self._stand(connection, write)
        if stand is None or not stand.group.is_live:
            await self._end(write, WriteState.CANCELLED, "not-wanted")
            return
        if stand.label is None:
            if wants_label(stand.connection, stand.group):
                await self._give_way(connection, write)
            else:
                await self._end(write, WriteState.CANCELLED, "not-wanted")
            return
        async with self._pool.acquire() as conn:
            todo = await label_writes.find_differing(
                conn,
                connection.tenant_id,
                connection.id,
                group_id=stand.group.id,
                label=stand.label.resource,
                limit=MOST_MEMBERS,
            )
        done = todo
        if todo.is_anything:
            done = await self._modify(stand.connection, stand.label.resource, todo)
        await self._keep(stand, write, stand.label.resource, done, all_done=done == todo)

    async def _modify(self, connection: Connection, label: str, todo: Members) -> Members:
        """Change who has a label; return with whom that was done.

        Nobody can leave the last group they are in: those are put among all contacts before.
        """
        box, timeout_s = self._google.box(connection, Lane.SEND), self.patience.timeout_s
        said = await box.modify_members(
            label, add=todo.add, remove=todo.remove, timeout_s=timeout_s
        )
        if said.stuck:
            await box.modify_members(MY_CONTACTS, add=said.stuck, remove=(), timeout_s=timeout_s)
            await box.modify_members(label, add=(), remove=said.stuck, timeout_s=timeout_s)
        gone = {*said.not_found}
        return Members(
            add=tuple(one for one in todo.add if one not in gone),
            remove=tuple(one for one in todo.remove if one not in gone),
        )

    async def _keep(
        self, stand: _Stand, write: Write, label: str, done: Members, *, all_done: bool
    ) -> None:
        connection, now = stand.connection, self._now()
        async with transaction(self._pool) as conn:
            turn = await Turn.begin(conn, connection.tenant_id, now=now)
            await label_writes.relabel(
                conn,
                connection.tenant_id,
                connection.id,
                label=label,
                add=done.add,
                remove=done.remove,
            )
            with suppress(WriteLost):
                await ledger.finish(
                    conn,
                    write,
                    WriteState.DONE,
                    now=now,
                    answer={"added": len(done.add), "removed": len(done.remove)},
                )
            if done.is_anything:
                line = _line(stand, "update", label, None)
                await sync_logs.add_lines(conn, connection.tenant_id, [line], now=now)
            if all_done and len(done.add) + len(done.remove) == MOST_MEMBERS:
                turn.touch_group(stand.group.id)
            await turn.end()
            if not all_done:  # somebody is gone: whoever reads will find that
                await wake(conn, people_address(connection.id), now=now)


def _refusal(
    stand: _Stand, action: str, answered: Label | None, before: KnownLabel | None
) -> str | None:
    """Return why a label cannot be the group's; None: it can."""
    if action == "create" and answered is None:
        return "name-taken"
    is_anothers = before is not None and before.is_live and before.group_id is not None
    if action == "create" and before is not None and is_anothers:
        return None if before.group_id == stand.group.id else "name-taken"
    return None


def _after(
    stand: _Stand, answered: Label | None, before: KnownLabel | None, *, now: datetime
) -> KnownLabel | None:
    if answered is None:
        return None if before is None else replace(before, gone_at=now)
    return KnownLabel(
        connection_id=stand.connection.id,
        resource=answered.resource,
        group_id=stand.group.id,
        kind=answered.kind,
        name=stand.group.name,
        etag=answered.etag,
        google_updated=answered.updated_at,
        members=answered.members,
    )


def _line(stand: _Stand, action: str, resource: str | None, error: str | None) -> Line:
    return Line(
        connection_id=stand.connection.id,
        kind="group",
        direction="to_google",
        action=action,
        status="success" if error is None else "error",
        item_id=stand.group.id,
        resource=resource,
        error=error,
    )


def _refuse_unconnected(exc: Conflict) -> None:
    """Keep apart what Google says of a name and what auth says of the connection.

    Raises:
        Conflict: it is auth that refuses.
    """
    if "google_status" not in exc.data:
        raise exc
