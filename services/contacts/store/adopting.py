"""SQL by which a new connection has what ended ones of the same account knew.

What a contact is at Google is thus known again, and nothing doubles. Only of the same user: what
others have read is theirs. The caller has the tenant's lock, shared at least.
"""

from libs.common.db import Connection as Conn
from services.contacts.domain.connection import Connection


def _from_former(statement: str) -> str:
    """Return a statement on what ended connections of the same user's account know."""
    return f"""
WITH former AS (
    SELECT connection_id FROM connections
     WHERE tenant_id = $1 AND account_id = $2 AND user_id = $3 AND connection_id <> $4
       AND state = 'disconnected' AND purge = 'none' AND erased_at IS NULL
), {statement}"""  # noqa: S608 - constants


ADOPT_PEOPLE = _from_former("""newest AS (
    SELECT DISTINCT ON (p.resource) p.connection_id, p.resource
      FROM people p JOIN former f USING (connection_id)
     WHERE p.tenant_id = $1 AND p.account_id = $2
     ORDER BY p.resource, p.gone_at DESC NULLS FIRST, p.seen_at DESC
), single AS (
    SELECT DISTINCT ON (COALESCE(p.contact_id::text, p.resource), p.gone_at IS NULL)
           p.connection_id, p.resource
      FROM people p JOIN newest n USING (connection_id, resource)
     WHERE p.tenant_id = $1
     ORDER BY COALESCE(p.contact_id::text, p.resource), p.gone_at IS NULL, p.seen_at DESC
)
UPDATE people p SET connection_id = $4
  FROM single n
 WHERE p.tenant_id = $1 AND p.connection_id = n.connection_id AND p.resource = n.resource
   AND NOT EXISTS (SELECT FROM people o
                    WHERE o.tenant_id = $1 AND o.connection_id = $4
                      AND (o.resource = p.resource
                           OR (o.contact_id = p.contact_id AND o.gone_at IS NULL)))
""")
ADOPT_LABELS = _from_former("""newest AS (
    SELECT DISTINCT ON (l.resource) l.connection_id, l.resource
      FROM labels l JOIN former f USING (connection_id)
     WHERE l.tenant_id = $1
     ORDER BY l.resource, l.gone_at DESC NULLS FIRST, l.seen_at DESC
), single AS (
    SELECT DISTINCT ON (COALESCE(l.group_id::text, l.resource), l.gone_at IS NULL)
           l.connection_id, l.resource
      FROM labels l JOIN newest n USING (connection_id, resource)
     WHERE l.tenant_id = $1
     ORDER BY COALESCE(l.group_id::text, l.resource), l.gone_at IS NULL, l.seen_at DESC
)
UPDATE labels l SET connection_id = $4
  FROM single n
 WHERE l.tenant_id = $1 AND l.connection_id = n.connection_id AND l.resource = n.resource
   AND NOT EXISTS (SELECT FROM labels o
                    WHERE o.tenant_id = $1 AND o.connection_id = $4
                      AND (o.resource = l.resource
                           OR (o.group_id = l.group_id AND o.gone_at IS NULL)))
""")
ADOPT_CONFLICTS = _from_former("""newest AS (
    SELECT DISTINCT ON (c.resource, c.kind) c.id
      FROM conflicts c JOIN former f USING (connection_id)
     WHERE c.tenant_id = $1 AND c.state = 'open'
     ORDER BY c.resource, c.kind, c.created_at DESC
)
UPDATE conflicts c SET connection_id = $4
  FROM newest n
 WHERE c.tenant_id = $1 AND c.id = n.id
   AND NOT EXISTS (SELECT FROM conflicts o
                    WHERE o.tenant_id = $1 AND o.connection_id = $4 AND o.resource = c.resource
                      AND o.kind = c.kind AND o.state = 'open')
""")


async def adopt(conn: Conn, connection: Connection) -> None:
    """Let a connection have what its user's ended ones knew of the same account."""
    one = connection
    for statement in (ADOPT_LABELS, ADOPT_PEOPLE, ADOPT_CONFLICTS):
        await conn.execute(statement, one.tenant_id, one.account_id, one.user_id, one.id)
