"""SQL that shows what is held about a person; see `libs.common.privacy.shown`."""

from libs.common.privacy.shown import CONFLICTS, CONFLICTS_NAMING, CONNECTIONS, LOG_LINES

CALENDARS = """
SELECT k.id::text COLLATE "C" AS position, to_jsonb(k) - '{tenant_id}'::text[] AS record
  FROM calendars k
  JOIN connections c ON c.tenant_id = k.tenant_id AND c.connection_id = k.connection_id
 WHERE c.tenant_id = $1 AND c.user_id = $2 AND k.id::text COLLATE "C" > $3
 ORDER BY position LIMIT $4
"""
WATCHES = """
SELECT (w.account_id || '/' || w.google_id) COLLATE "C" AS position,
       to_jsonb(w) - '{lease_until}'::text[] AS record
  FROM watches w
 WHERE w.account_id IN (SELECT account_id FROM connections WHERE tenant_id = $1 AND user_id = $2)
   AND (w.account_id || '/' || w.google_id) COLLATE "C" > $3
 ORDER BY position LIMIT $4
"""
CHANNELS = """
SELECT h.id::text COLLATE "C" AS position, to_jsonb(h) AS record
  FROM channels h
 WHERE h.account_id IN (SELECT account_id FROM connections WHERE tenant_id = $1 AND user_id = $2)
   AND h.id::text COLLATE "C" > $3
 ORDER BY position LIMIT $4
"""
EVENTS = """
SELECT e.id::text COLLATE "C" AS position,
       to_jsonb(e) - '{tenant_id}'::text[]
       || jsonb_build_object('entities', (
              SELECT COALESCE(jsonb_agg(l.entity_type || '/' || l.entity_id), '[]')
                FROM meeting_links l
               WHERE l.tenant_id = e.tenant_id AND l.series_id = e.series_id
                 AND l.occurrence = e.occurrence)) AS record
  FROM events e
  JOIN connections c ON c.tenant_id = e.tenant_id AND c.connection_id = e.connection_id
 WHERE c.tenant_id = $1 AND c.user_id = $2 AND e.id::text COLLATE "C" > $3
 ORDER BY position LIMIT $4
"""
APPOINTMENTS = """
SELECT a.appointment_id COLLATE "C" AS position, to_jsonb(a) - '{tenant_id}'::text[] AS record
  FROM appointments a
 WHERE a.tenant_id = $1 AND a.user_id = $2 AND a.appointment_id COLLATE "C" > $3
 ORDER BY position LIMIT $4
"""
REMINDERS = """
SELECT r.id::text COLLATE "C" AS position, to_jsonb(r) - '{tenant_id}'::text[] AS record
  FROM reminders r
  JOIN connections c ON c.tenant_id = r.tenant_id AND c.connection_id = r.connection_id
 WHERE c.tenant_id = $1 AND c.user_id = $2 AND r.id::text COLLATE "C" > $3
 ORDER BY position LIMIT $4
"""

OF_A_USER = {
    "connection": CONNECTIONS,
    "calendar": CALENDARS,
    "watch": WATCHES,
    "channel": CHANNELS,
    "event": EVENTS,
    "appointment": APPOINTMENTS,
    "conflict": CONFLICTS,
    "reminder": REMINDERS,
    "line of the sync log": LOG_LINES,
}
"""What the calendar alone shows of a user, by kind."""

EVENTS_NAMING = """
SELECT e.id::text COLLATE "C" AS position,
       e.record
       || jsonb_build_object('entities', (
              SELECT COALESCE(jsonb_agg(l.entity_type || '/' || l.entity_id), '[]')
                FROM meeting_links l
               WHERE l.tenant_id = $1 AND l.series_id = e.series_id
                 AND l.occurrence = e.occurrence)) AS record
  FROM (SELECT p.id, p.series_id, p.occurrence, to_jsonb(p) - '{tenant_id}'::text[] AS record
          FROM events p WHERE p.tenant_id = $1 AND p.id::text COLLATE "C" > $3) e
 WHERE EXISTS (SELECT FROM unnest($2::text[]) AS n (needle)
                WHERE strpos(lower(e.record::text), n.needle) > 0)
 ORDER BY position LIMIT $4
"""
APPOINTMENTS_NAMING = """
SELECT a.appointment_id COLLATE "C" AS position, a.record
  FROM (SELECT p.appointment_id, to_jsonb(p) - '{tenant_id}'::text[] AS record
          FROM appointments p WHERE p.tenant_id = $1 AND p.appointment_id COLLATE "C" > $3) a
 WHERE EXISTS (SELECT FROM unnest($2::text[]) AS n (needle)
                WHERE strpos(lower(a.record::text), n.needle) > 0)
 ORDER BY position LIMIT $4
"""
CALENDARS_NAMING = """
SELECT k.id::text COLLATE "C" AS position, k.record
  FROM (SELECT p.id, to_jsonb(p) - '{tenant_id}'::text[] AS record
          FROM calendars p WHERE p.tenant_id = $1 AND p.id::text COLLATE "C" > $3) k
 WHERE EXISTS (SELECT FROM unnest($2::text[]) AS n (needle)
                WHERE strpos(lower(k.record::text), n.needle) > 0)
 ORDER BY position LIMIT $4
"""
SETTINGS_NAMING = """
SELECT s.position, s.record
  FROM (SELECT '' || tenant_id COLLATE "C" AS position, defaults AS record
          FROM tenant_defaults WHERE tenant_id = $1
         UNION ALL
        SELECT connection_id::text COLLATE "C", preferences
          FROM connections WHERE tenant_id = $1) s
 WHERE s.position > $3
   AND EXISTS (SELECT FROM unnest($2::text[]) AS n (needle)
                WHERE strpos(lower(s.record::text), n.needle) > 0)
 ORDER BY s.position LIMIT $4
"""

OF_A_CORRESPONDENT = {
    "event": EVENTS_NAMING,
    "appointment": APPOINTMENTS_NAMING,
    "conflict": CONFLICTS_NAMING,
    "calendar": CALENDARS_NAMING,
    "settings": SETTINGS_NAMING,
}
"""What the calendar alone shows of a correspondent by whether it holds a needle, by kind."""
