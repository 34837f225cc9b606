"""Queueing what has to be written of groups: labels that differ, and who has them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from libs.common.db import Connection as Conn
from services.contacts.domain.connection import Connection
from services.contacts.domain.group import Group
from services.contacts.domain.label import KnownLabel
from services.contacts.domain.preferences import Push
from services.contacts.store import connections, label_writes, labels
from services.contacts.store import groups as store
from services.contacts.sync.outward.queueing import queue_step

GROUP: Final = "contacts.group"
"""The kind of write that brings one group and its label into step."""
MEMBERS: Final = "contacts.members"
"""The kind of write that brings who is in a group and who has its label into step."""


def wants_label(connection: Connection, group: Group) -> bool:
    """Say whether a group is to be a label of an address book: those of whose both are."""
    preferences = connection.preferences
    if not group.is_live or group.owner_user_id != connection.user_id:
        return False
    if preferences.push is Push.GROUPS:
        return group.id in preferences.push_groups
    return preferences.push is not Push.NONE


def label_differs(connection: Connection, group: Group, label: KnownLabel | None) -> bool:
    """Say whether a label has to be made, renamed or deleted."""
    if label is None:
        return wants_label(connection, group)
    return not group.is_live or label.name != group.name


async def queue_group_pushes(
    conn: Conn,
    tenant_id: str,
    group_ids: Iterable[UUID],
    *,
    now: datetime,
    only: Connection | None = None,
) -> int:
    """Queue a write for each group and address book that differ; return how many.

    Args:
        conn: inside a transaction that has locked no row of feeds yet.
        tenant_id: whose groups.
        group_ids: those to look at.
        now: the present moment.
        only: look at this connection; None: at all.
    """
    ids = sorted(set(group_ids))
    if not ids:
        return 0
    found = await store.find_groups(conn, tenant_id, ids)
    known = await labels.list_of_groups(conn, tenant_id, ids)
    targets = await connections.list_connections(conn, tenant_id, None) if only is None else [only]
    queued = 0
    for connection in sorted(targets, key=lambda one: one.id):
        if not connection.may_write:
            continue
        named, joined = list[UUID](), list[UUID]()
        for group in found.values():
            label = label_in(connection, known[group.id])
            if label_differs(connection, group, label):
                named.append(group.id)
            if group.is_live and (
                wants_label(connection, group)
                if label is None
                else await _members_differ(conn, connection, group, label)
            ):
                joined.append(group.id)
        queued += await queue_step(conn, connection, GROUP, named, now=now)
        queued += await queue_step(conn, connection, MEMBERS, joined, now=now)
    return queued


def label_in(connection: Connection, known: Iterable[KnownLabel]) -> KnownLabel | None:
    """Return the label that a group is in an address book."""
    return next((one for one in known if one.connection_id == connection.id), None)


async def _members_differ(
    conn: Conn, connection: Connection, group: Group, label: KnownLabel
) -> bool:
    found = await label_writes.find_differing(
        conn,
        connection.tenant_id,
        connection.id,
        group_id=group.id,
        label=label.resource,
        limit=1,
    )
    return found.is_anything
