"""SQL on the attachments of outgoing messages: what they are, and their content in chunks."""

from collections.abc import Sequence
from uuid import UUID

from libs.common.db import Connection as Conn
from services.mail.domain.sending.outgoing import Enclosure, Outgoing

ADD_ENCLOSURE = """
INSERT INTO outgoing_attachments
       (tenant_id, outgoing_id, place, filename, content_type, size, sha256)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""


async def add_enclosures(conn: Conn, new: Outgoing) -> None:
    """Add the attachments of a message; their content follows by `add_chunk`."""
    for one in new.enclosures:
        await conn.execute(
            ADD_ENCLOSURE,
            new.tenant_id,
            new.id,
            one.place,
            one.filename,
            one.content_type,
            one.size,
            one.sha256,
        )


DROP_ENCLOSURES = "DELETE FROM outgoing_attachments WHERE tenant_id = $1 AND outgoing_id = $2"


async def replace_enclosures(conn: Conn, draft: Outgoing) -> None:
    """Let a draft have the attachments it names, without content yet, and no others."""
    await conn.execute(DROP_ENCLOSURES, draft.tenant_id, draft.id)
    await add_enclosures(conn, draft)


LIST_ENCLOSURES = """
SELECT place, filename, content_type, size, sha256 FROM outgoing_attachments
 WHERE tenant_id = $1 AND outgoing_id = $2 ORDER BY place
"""


async def list_enclosures(conn: Conn, tenant_id: str, outgoing_id: UUID) -> list[Enclosure]:
    """Return the attachments of a message, in their order."""
    rows = await conn.fetch(LIST_ENCLOSURES, tenant_id, outgoing_id)
    return [Enclosure(**dict(row)) for row in rows]


ADD_CHUNK = """
INSERT INTO outgoing_chunks (tenant_id, outgoing_id, place, number, content)
VALUES ($1, $2, $3, $4, $5)
"""


async def add_chunk(
    conn: Conn, outgoing: Outgoing, place: int, number: int, content: bytes
) -> None:
    """Add the next chunk of an attachment; numbers begin at 0."""
    await conn.execute(ADD_CHUNK, outgoing.tenant_id, outgoing.id, place, number, content)


FIND_CHUNK = """
SELECT content FROM outgoing_chunks
 WHERE tenant_id = $1 AND outgoing_id = $2 AND place = $3 AND number = $4
"""


async def find_chunk(conn: Conn, outgoing: Outgoing, place: int, number: int) -> bytes | None:
    """Return a chunk of an attachment; None behind the last."""
    content: bytes | None = await conn.fetchval(
        FIND_CHUNK, outgoing.tenant_id, outgoing.id, place, number
    )
    return content


DROP_CHUNKS = """
DELETE FROM outgoing_chunks WHERE tenant_id = $1 AND outgoing_id = ANY($2::uuid[])
"""


async def drop_chunks(conn: Conn, tenant_id: str, outgoing_ids: Sequence[UUID]) -> None:
    """Let the content of those messages' attachments go."""
    await conn.execute(DROP_CHUNKS, tenant_id, list(outgoing_ids))
