"""SQL on labels: groups as address books have them, and which group of ours each is."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn
from services.contacts.domain.label import KnownLabel, LabelKind

COLUMNS = """
connection_id, resource, group_id, kind, name, etag, google_updated, members, gone_at
"""


def label_of(row: Any) -> KnownLabel:
    """Return a row of labels."""
    return KnownLabel(**{**dict(row), "kind": LabelKind(row["kind"])})


PUT = """
INSERT INTO labels (tenant_id, connection_id, resource, group_id, kind, name, etag, google_updated,
                    members, seen_at, gone_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    ON CONFLICT (tenant_id, connection_id, resource) DO UPDATE
   SET group_id = EXCLUDED.group_id, kind = EXCLUDED.kind, name = EXCLUDED.name,
       etag = EXCLUDED.etag, google_updated = EXCLUDED.google_updated,
       members = EXCLUDED.members, seen_at = EXCLUDED.seen_at, gone_at = EXCLUDED.gone_at
"""


async def put_label(conn: Conn, tenant_id: str, label: KnownLabel, *, now: datetime) -> None:
    """Add a label, or replace it by what it is now."""
    await conn.execute(
        PUT,
        tenant_id,
        label.connection_id,
        label.resource,
        label.group_id,
        label.kind.value,
        label.name,
        label.etag,
        label.google_updated,
        label.members,
        now,
        label.gone_at,
    )


LIST = f"""
SELECT {COLUMNS} FROM labels WHERE tenant_id = $1 AND connection_id = $2 ORDER BY resource
"""  # noqa: S608 - constants


async def list_labels(conn: Conn, tenant_id: str, connection_id: UUID) -> list[KnownLabel]:
    """Return the labels of an address book, Google's own and those that are gone among them."""
    return [label_of(row) for row in await conn.fetch(LIST, tenant_id, connection_id)]


LIST_FRESH = """
SELECT resource FROM labels
 WHERE tenant_id = $1 AND connection_id = $2 AND gone_at IS NULL AND seen_at >= $3
"""


async def list_fresh(
    conn: Conn, tenant_id: str, connection_id: UUID, *, since: datetime
) -> frozenset[str]:
    """Return the live labels of an address book that were read or written since then."""
    rows = await conn.fetch(LIST_FRESH, tenant_id, connection_id, since)
    return frozenset(row["resource"] for row in rows)


LIST_OF_GROUPS = f"""
SELECT {COLUMNS} FROM labels
 WHERE tenant_id = $1 AND group_id = ANY($2::uuid[]) AND gone_at IS NULL
 ORDER BY connection_id, resource
"""  # noqa: S608 - constants


async def list_of_groups(
    conn: Conn, tenant_id: str, group_ids: Sequence[UUID]
) -> dict[UUID, list[KnownLabel]]:
    """Return which live labels each group is, in every address book."""
    found: dict[UUID, list[KnownLabel]] = {one: [] for one in group_ids}
    for row in await conn.fetch(LIST_OF_GROUPS, tenant_id, list(group_ids)):
        found[row["group_id"]].append(label_of(row))
    return found


GROUPS = """
SELECT resource, group_id FROM labels
 WHERE tenant_id = $1 AND connection_id = $2 AND group_id IS NOT NULL AND gone_at IS NULL
"""


async def groups_by_label(conn: Conn, tenant_id: str, connection_id: UUID) -> dict[str, UUID]:
    """Return which group each live label of an address book is; others are none."""
    rows = await conn.fetch(GROUPS, tenant_id, connection_id)
    return {row["resource"]: row["group_id"] for row in rows}
