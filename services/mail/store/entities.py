"""SQL on what messages concern, as it is shown."""

from collections.abc import Sequence
from uuid import UUID

from libs.common.db import Connection as Conn

LIST_ENTITIES = """
SELECT message_id, entity_type, entity_id FROM message_links
 WHERE tenant_id = $1 AND message_id = ANY($2::uuid[])
 ORDER BY message_id, entity_type, entity_id
"""


async def list_entities(
    conn: Conn, tenant_id: str, message_ids: Sequence[UUID]
) -> dict[UUID, list[tuple[str, str]]]:
    """Return type and id of the entities that each of those messages concerns."""
    found: dict[UUID, list[tuple[str, str]]] = {one: [] for one in message_ids}
    for row in await conn.fetch(LIST_ENTITIES, tenant_id, list(message_ids)):
        found[row["message_id"]].append((row["entity_type"], row["entity_id"]))
    return found
