"""SQL on what a run has to know before it begins."""

from dataclasses import dataclass
from datetime import datetime

from libs.common.db import Connection as Conn
from libs.common.feeds import Feed
from services.calendar.domain.connection import Connection
from services.calendar.store.calendars import Calendar, calendar_of
from services.calendar.store.channels import Watch
from services.calendar.store.connections import ROWS, connection_of


@dataclass(frozen=True, slots=True)
class Beginning:
    """Which calendar is read, and how it is watched."""

    connection: Connection
    calendar: Calendar
    watch: Watch


FIND_BEGINNING = f"""
SELECT {ROWS.columns("c")},
       k.id, k.google_id, k.summary, k.zone, k.access_role, k.is_primary, k.has_meet, k.hidden,
       k.color, k.chosen, k.gone_at,
       w.failure, COALESCE(w.renew_at <= $4, true) AS is_due
  FROM connections c
  JOIN calendars k ON k.tenant_id = c.tenant_id AND k.connection_id = c.connection_id
  LEFT JOIN watches w ON w.account_id = c.account_id AND w.google_id = k.google_id
 WHERE c.tenant_id = $1 AND c.connection_id = $2 AND k.google_id = $3
"""  # noqa: S608 - constants


async def find_beginning(conn: Conn, feed: Feed, *, now: datetime) -> Beginning | None:
    """Return what a run of the feed begins with; None: its connection or calendar is gone."""
    row = await conn.fetchrow(
        FIND_BEGINNING, feed.tenant_id, feed.connection_id, feed.resource, now
    )
    if row is None:
        return None
    watch = Watch(row["failure"], row["is_due"])
    return Beginning(connection_of(row), calendar_of(row), watch)


@dataclass(frozen=True, slots=True)
class Todo:
    """What there is to do for a connection."""

    connection: Connection
    links: bool
    """Entities whose meetings are to be looked for."""
    mirrors: bool
    """Appointments to be mirrored."""
    replays: bool
    """Dead items to be tried again."""
    asked: bool
    """Somebody waits for comparisons."""
    channels: bool
    """Channels that tell in vain."""


FIND_TODO = f"""
SELECT {ROWS.columns("c")},
       EXISTS (SELECT FROM link_work w
                WHERE w.tenant_id = $1 AND w.connection_id = $2) AS links,
       EXISTS (SELECT FROM mirror_work w
                WHERE w.tenant_id = $1 AND w.connection_id = $2) AS mirrors,
       EXISTS (SELECT FROM dead_items d
                  JOIN feeds f ON f.tenant_id = d.tenant_id AND f.id = d.feed_id
                WHERE d.tenant_id = $1 AND f.connection_id = $2 AND d.replay_at IS NOT NULL)
       AS replays,
       EXISTS (SELECT FROM jobs j
                WHERE j.tenant_id = $1 AND j.feed_id = $3 AND j.finished_at IS NULL) AS asked,
       EXISTS (SELECT FROM channels h
                WHERE h.account_id = c.account_id AND h.state = 'superseded'
                  AND h.resource_id IS NOT NULL) AS channels
  FROM connections c
 WHERE c.tenant_id = $1 AND c.connection_id = $2
"""  # noqa: S608 - constants


async def find_todo(conn: Conn, feed: Feed) -> Todo | None:
    """Return what there is to do for a feed's connection; None: that is gone."""
    row = await conn.fetchrow(FIND_TODO, feed.tenant_id, feed.connection_id, feed.id)
    if row is None:
        return None
    return Todo(
        connection_of(row),
        links=row["links"],
        mirrors=row["mirrors"],
        replays=row["replays"],
        asked=row["asked"],
        channels=row["channels"],
    )
