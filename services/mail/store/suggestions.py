"""SQL on addresses that were suggested as contacts."""

from collections.abc import Sequence
from datetime import datetime

from libs.common.db import Connection as Conn

ADD_SUGGESTIONS = """
INSERT INTO contact_suggestions (tenant_id, hash, suggested_at)
SELECT $1, n.hash, $3 FROM unnest($2::bytea[]) AS n (hash) ORDER BY n.hash
ON CONFLICT DO NOTHING
RETURNING hash
"""


async def add_suggestions(
    conn: Conn, tenant_id: str, hashes: Sequence[bytes], now: datetime
) -> set[bytes]:
    """Note addresses, by keyed hash, as suggested; return those that never were before."""
    rows = await conn.fetch(ADD_SUGGESTIONS, tenant_id, sorted(hashes), now)
    return {row["hash"] for row in rows}
