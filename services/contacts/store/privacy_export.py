"""SQL that shows what is held about a person; see `libs.common.privacy.shown`."""

from libs.common.privacy.shown import CONFLICTS, CONFLICTS_NAMING, CONNECTIONS, LOG_LINES

PEOPLE = """
SELECT (p.connection_id || '/' || p.resource) COLLATE "C" AS position,
       to_jsonb(p) - '{tenant_id}'::text[] AS record
  FROM people p
  JOIN connections c ON c.tenant_id = p.tenant_id AND c.connection_id = p.connection_id
 WHERE c.tenant_id = $1 AND c.user_id = $2
   AND (p.connection_id || '/' || p.resource) COLLATE "C" > $3
 ORDER BY position LIMIT $4
"""
_CONTACT = """to_jsonb(k) - '{tenant_id,search}'::text[]
       || jsonb_build_object(
              'nicknames', (SELECT COALESCE(jsonb_agg(to_jsonb(n) - '{tenant_id}'::text[]), '[]')
                              FROM nicknames n
                             WHERE n.tenant_id = k.tenant_id AND n.contact_id = k.id),
              'groups', (SELECT COALESCE(jsonb_agg(m.group_id), '[]') FROM group_members m
                          WHERE m.tenant_id = k.tenant_id AND m.contact_id = k.id))"""
CONTACTS = f"""
SELECT k.id::text COLLATE "C" AS position, {_CONTACT} AS record
  FROM contacts k
 WHERE k.tenant_id = $1 AND k.owner_user_id = $2 AND k.id::text COLLATE "C" > $3
 ORDER BY position LIMIT $4
"""  # noqa: S608 - constants
GROUPS = """
SELECT g.id::text COLLATE "C" AS position, to_jsonb(g) - '{tenant_id}'::text[] AS record
  FROM groups g
 WHERE g.tenant_id = $1 AND g.owner_user_id = $2 AND g.id::text COLLATE "C" > $3
 ORDER BY position LIMIT $4
"""
LABELS = """
SELECT (l.connection_id || '/' || l.resource) COLLATE "C" AS position,
       to_jsonb(l) - '{tenant_id}'::text[] AS record
  FROM labels l
  JOIN connections c ON c.tenant_id = l.tenant_id AND c.connection_id = l.connection_id
 WHERE c.tenant_id = $1 AND c.user_id = $2
   AND (l.connection_id || '/' || l.resource) COLLATE "C" > $3
 ORDER BY position LIMIT $4
"""

OF_A_USER = {
    "connection": CONNECTIONS,
    "person of the address book": PEOPLE,
    "contact": CONTACTS,
    "group": GROUPS,
    "label": LABELS,
    "conflict": CONFLICTS,
    "line of the sync log": LOG_LINES,
}
"""What contacts alone shows of a user, by kind."""

CONTACTS_NAMING = f"""
SELECT c.id::text COLLATE "C" AS position, c.record
  FROM (SELECT k.id, {_CONTACT} AS record
          FROM contacts k WHERE k.tenant_id = $1 AND k.id::text COLLATE "C" > $3) c
 WHERE EXISTS (SELECT FROM unnest($2::text[]) AS n (needle)
                WHERE strpos(lower(c.record::text), n.needle) > 0)
 ORDER BY position LIMIT $4
"""  # noqa: S608 - constants
PEOPLE_NAMING = """
SELECT o.position, o.record
  FROM (SELECT (p.connection_id || '/' || p.resource) COLLATE "C" AS position,
               to_jsonb(p) - '{tenant_id}'::text[] AS record
          FROM people p WHERE p.tenant_id = $1) o
 WHERE o.position > $3
   AND EXISTS (SELECT FROM unnest($2::text[]) AS n (needle)
                WHERE strpos(lower(o.record::text), n.needle) > 0)
 ORDER BY o.position LIMIT $4
"""
NAMES_NAMING = """
SELECT o.position, o.record
  FROM (SELECT ('group/' || g.id) COLLATE "C" AS position,
               to_jsonb(g) - '{tenant_id}'::text[] AS record
          FROM groups g WHERE g.tenant_id = $1
         UNION ALL
        SELECT ('label/' || l.connection_id || '/' || l.resource) COLLATE "C",
               to_jsonb(l) - '{tenant_id}'::text[]
          FROM labels l WHERE l.tenant_id = $1) o
 WHERE o.position > $3
   AND EXISTS (SELECT FROM unnest($2::text[]) AS n (needle)
                WHERE strpos(lower(o.record::text), n.needle) > 0)
 ORDER BY o.position LIMIT $4
"""

OF_A_CORRESPONDENT = {
    "contact": CONTACTS_NAMING,
    "person of the address book": PEOPLE_NAMING,
    "conflict": CONFLICTS_NAMING,
    "group": NAMES_NAMING,
}
"""What contacts alone shows of a correspondent by whether it holds a needle, by kind."""
