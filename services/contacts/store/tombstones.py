"""SQL on what is left of deleted contacts, people and groups, and goes after a while.

What still says something stays: who was deleted here and is at Google must not become somebody new,
and who was deleted there and is a contact here must not be written there again.
"""

from datetime import datetime

from libs.common.db import Connection as Conn

PURGE_CONTACTS = """
DELETE FROM contacts
 WHERE (tenant_id, id) IN (
       SELECT c.tenant_id, c.id FROM contacts c
        WHERE c.deleted_at < $1
          AND NOT EXISTS (SELECT FROM people p
                           WHERE p.tenant_id = c.tenant_id AND p.contact_id = c.id
                             AND p.gone_at IS NULL)
        ORDER BY c.deleted_at LIMIT $2 FOR UPDATE SKIP LOCKED)
"""


async def purge_contacts(conn: Conn, *, before: datetime, limit: int) -> int:
    """Forget up to `limit` contacts deleted before then, who are nobody at Google; say how many."""
    return _count(await conn.execute(PURGE_CONTACTS, before, limit))


PURGE_PEOPLE = """
DELETE FROM people
 WHERE (tenant_id, connection_id, resource) IN (
       SELECT p.tenant_id, p.connection_id, p.resource FROM people p
        WHERE p.gone_at < $1
          AND NOT EXISTS (SELECT FROM contacts c
                           WHERE c.tenant_id = p.tenant_id AND c.id = p.contact_id
                             AND c.deleted_at IS NULL)
        ORDER BY p.gone_at LIMIT $2 FOR UPDATE SKIP LOCKED)
"""


async def purge_people(conn: Conn, *, before: datetime, limit: int) -> int:
    """Forget up to `limit` people gone before then, who are no contact; say how many."""
    return _count(await conn.execute(PURGE_PEOPLE, before, limit))


FADE_PEOPLE = """
UPDATE people SET base = '{}', person = '{}', emails = '{}', phones = '{}', groups = '{}'
 WHERE (tenant_id, connection_id, resource) IN (
       SELECT p.tenant_id, p.connection_id, p.resource FROM people p
        WHERE p.gone_at < $1 AND (p.person <> '{}' OR p.base <> '{}')
        ORDER BY p.gone_at LIMIT $2 FOR UPDATE SKIP LOCKED)
"""


async def fade_people(conn: Conn, *, before: datetime, limit: int) -> int:
    """Keep of people gone before then no more than that they are; say of how many."""
    return _count(await conn.execute(FADE_PEOPLE, before, limit))


PURGE_GROUPS = """
DELETE FROM groups
 WHERE (tenant_id, id) IN (
       SELECT g.tenant_id, g.id FROM groups g
        WHERE g.deleted_at < $1
          AND NOT EXISTS (SELECT FROM labels l
                           WHERE l.tenant_id = g.tenant_id AND l.group_id = g.id
                             AND l.gone_at IS NULL)
        ORDER BY g.deleted_at LIMIT $2 FOR UPDATE SKIP LOCKED)
"""


async def purge_groups(conn: Conn, *, before: datetime, limit: int) -> int:
    """Forget up to `limit` groups deleted before then, that are no label; say how many."""
    return _count(await conn.execute(PURGE_GROUPS, before, limit))


PURGE_LABELS = """
DELETE FROM labels
 WHERE (tenant_id, connection_id, resource) IN (
       SELECT l.tenant_id, l.connection_id, l.resource FROM labels l
        WHERE l.gone_at < $1
          AND NOT EXISTS (SELECT FROM groups g
                           WHERE g.tenant_id = l.tenant_id AND g.id = l.group_id
                             AND g.deleted_at IS NULL)
        ORDER BY l.gone_at LIMIT $2 FOR UPDATE SKIP LOCKED)
"""


async def purge_labels(conn: Conn, *, before: datetime, limit: int) -> int:
    """Forget up to `limit` labels gone before then, that are no group; say how many."""
    return _count(await conn.execute(PURGE_LABELS, before, limit))


def _count(tag: str) -> int:
    return int(tag.rpartition(" ")[2])
