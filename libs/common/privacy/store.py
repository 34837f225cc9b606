"""Every SQL statement on requests about people. The caller owns the transaction."""

from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection
from libs.common.errors import NotFound
from libs.common.ids import new_id
from libs.common.privacy.model import Kind, Person, Request, State, Step


def _request(row: Any) -> Request:
    given = dict(row)
    person = given.pop("person")
    return Request(
        **{
            **given,
            "kind": Kind(row["kind"]),
            "state": State(row["state"]),
            "notes": tuple(row["notes"]),
            "person": None if person is None else _person(row["tenant_id"], person),
        }
    )


def _person(tenant_id: str, stored: Any) -> Person:
    return Person(
        tenant_id=tenant_id, user_id=stored["user_id"], addresses=tuple(stored["addresses"])
    )


ADD_REQUEST = """
INSERT INTO privacy_requests (tenant_id, id, kind, person, due_at, created_at)
VALUES ($1, $2, $3, $4, $5, $5)
RETURNING tenant_id, id, kind, person, state, reason, part, place, found, notes, failures,
          created_at, finished_at
"""


async def add_request(conn: Connection, person: Person, kind: Kind, *, now: datetime) -> Request:
    """Return a new request, which the worker takes up at once."""
    stored = {"user_id": person.user_id, "addresses": list(person.addresses)}
    row = await conn.fetchrow(ADD_REQUEST, person.tenant_id, new_id(), kind.value, stored, now)
    return _request(row)


FIND_REQUEST = """
SELECT tenant_id, id, kind, person, state, reason, part, place, found, notes, failures,
       created_at, finished_at
  FROM privacy_requests WHERE tenant_id = $1 AND id = $2
"""


async def get_request(conn: Connection, tenant_id: str, request_id: UUID) -> Request:
    """Return the tenant's request.

    Raises:
        NotFound: it has no such one (any more).
    """
    row = await conn.fetchrow(FIND_REQUEST, tenant_id, request_id)
    if row is None:
        raise NotFound("There is no such request.")
    return _request(row)


TAKE_DUE = """
SELECT tenant_id, id, kind, person, state, reason, part, place, found, notes, failures,
       created_at, finished_at
  FROM privacy_requests
 WHERE finished_at IS NULL AND due_at <= $1
 ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""


async def take_due(conn: Connection, *, now: datetime) -> Request | None:
    """Lock the request that is due longest, of any tenant; None: none is, or others have them.

    Nobody else takes it until the transaction ends: a step and its place commit together.
    """
    row = await conn.fetchrow(TAKE_DUE, now)
    return None if row is None else _request(row)


NOTE_STEP = """
UPDATE privacy_requests r
   SET state = 'running', reason = NULL, part = $3, place = $4, failures = 0, due_at = $5,
       found = (SELECT COALESCE(jsonb_object_agg(key, total), '{}')
                  FROM (SELECT key, sum(value::bigint) AS total
                          FROM (SELECT * FROM jsonb_each_text(r.found)
                                UNION ALL SELECT * FROM jsonb_each_text($6::jsonb)) AS each
                         GROUP BY key) AS summed),
       notes = (SELECT COALESCE(jsonb_agg(DISTINCT note), '[]')
                  FROM jsonb_array_elements(r.notes || $7::jsonb) AS note)
 WHERE tenant_id = $1 AND id = $2
"""


async def note_step(
    conn: Connection, request: Request, step: Step, *, part: str, due_at: datetime
) -> None:
    """Note what a step found, and where the next one begins."""
    await conn.execute(
        NOTE_STEP,
        request.tenant_id,
        request.id,
        part,
        None if step.place is None else dict(step.place),
        due_at,
        dict(step.found),
        list(step.notes),
    )


FINISH_REQUEST = """
UPDATE privacy_requests
   SET state = $3, reason = $4, finished_at = $5, person = NULL, place = NULL
 WHERE tenant_id = $1 AND id = $2 AND finished_at IS NULL
"""


async def finish_request(
    conn: Connection, request: Request, state: State, *, now: datetime, reason: str | None = None
) -> None:
    """End a request and forget whose it was."""
    await conn.execute(FINISH_REQUEST, request.tenant_id, request.id, state.value, reason, now)


NOTE_FAILURE = """
UPDATE privacy_requests SET failures = failures + 1, due_at = $3, reason = $4
 WHERE tenant_id = $1 AND id = $2 AND finished_at IS NULL
"""


async def note_failure(
    conn: Connection, request: Request, *, due_at: datetime, reason: str
) -> None:
    """Note that a step broke off, and when it is tried again."""
    await conn.execute(NOTE_FAILURE, request.tenant_id, request.id, due_at, reason)


PURGE_REQUESTS = """
DELETE FROM privacy_requests
 WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM privacy_requests WHERE finished_at < $1
                            ORDER BY finished_at LIMIT $2)
"""


async def purge_requests(conn: Connection, *, before: datetime, limit: int = 1_000) -> int:
    """Forget up to `limit` requests that ended before then; return how many."""
    tag: str = await conn.execute(PURGE_REQUESTS, before, limit)
    return int(tag.rpartition(" ")[2])
