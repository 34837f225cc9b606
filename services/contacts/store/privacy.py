"""SQL that finds, and takes out, people in whatever the contacts service holds.

The caller has the tenant's lock where contacts or people are changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.privacy import Person
from libs.common.privacy.tables import NamedIn
from libs.common.scrubbing import needles
from services.contacts.domain.card import Card, card_of
from services.contacts.domain.person import Known
from services.contacts.store.people import COLUMNS, known_of

Row = Any

LIST_CARDS = """
SELECT card FROM contacts
 WHERE tenant_id = $1 AND emails && $2::text[] AND deleted_at IS NULL
UNION ALL
SELECT base FROM people WHERE tenant_id = $1 AND emails && $2::text[] AND gone_at IS NULL
LIMIT $3
"""


async def list_cards(
    conn: Conn, tenant_id: str, addresses: Sequence[str], *, limit: int
) -> list[Card]:
    """Return some cards that have one of these addresses (folded)."""
    rows = await conn.fetch(LIST_CARDS, tenant_id, list(addresses), limit)
    return [card_of(row["card"]) for row in rows]


LOOK_THROUGH_CONTACTS = """
SELECT o.id, o.emails && $5::text[]
       OR EXISTS (SELECT FROM unnest($4::text[]) AS n (needle)
                   WHERE strpos(lower(o.card::text), n.needle) > 0) AS concerned
  FROM (SELECT id, emails, card FROM contacts
         WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT $3) o
 ORDER BY o.id
"""


@dataclass(frozen=True, slots=True)
class Concerned:
    """Which of some contacts may name somebody, and behind which one to look next."""

    ids: Sequence[UUID]
    last: UUID | None
    """None: those were all."""


async def look_through_contacts(
    conn: Conn,
    tenant_id: str,
    *,
    after: UUID,
    limit: int,
    needles: Sequence[str],
    addresses: Sequence[str],
) -> Concerned:
    """Look through the next contacts."""
    rows = await conn.fetch(
        LOOK_THROUGH_CONTACTS, tenant_id, after, limit, list(needles), list(addresses)
    )
    last = rows[-1]["id"] if len(rows) == limit else None
    return Concerned([row["id"] for row in rows if row["concerned"]], last)


LOOK_THROUGH_PEOPLE = f"""
SELECT {COLUMNS}, o.emails && $6::text[]
       OR EXISTS (SELECT FROM unnest($5::text[]) AS n (needle)
                   WHERE strpos(lower(concat_ws(E'\\n', o.base::text, o.person::text)),
                                n.needle) > 0) AS concerned
  FROM (SELECT * FROM people
         WHERE tenant_id = $1 AND (connection_id, resource) > ($2, $3)
         ORDER BY connection_id, resource LIMIT $4) o
 ORDER BY o.connection_id, o.resource
"""  # noqa: S608 - constants


async def look_through_people(
    conn: Conn,
    tenant_id: str,
    *,
    after: tuple[UUID, str],
    limit: int,
    needles: Sequence[str],
    addresses: Sequence[str],
) -> tuple[list[Known], tuple[UUID, str] | None]:
    """Return those of the next people who may name somebody, and behind whom to look next."""
    rows = await conn.fetch(
        LOOK_THROUGH_PEOPLE, tenant_id, *after, limit, list(needles), list(addresses)
    )
    found = [known_of(row) for row in rows if row["concerned"]]
    if len(rows) < limit:
        return found, None
    return found, (rows[-1]["connection_id"], rows[-1]["resource"])


REWRITE_PERSON = """
UPDATE people SET base = $4, person = $5, emails = $6, phones = $7
 WHERE tenant_id = $1 AND connection_id = $2 AND resource = $3
"""


async def rewrite_person(conn: Conn, known: Known, base: Card, items: Mapping[str, Any]) -> None:
    """Keep of a person only so much; they still count as what Google has."""
    key = known.tenant_id, known.connection_id, known.resource
    keys = list(base.email_keys), list(base.phone_keys)
    await conn.execute(REWRITE_PERSON, *key, base.stored, dict(items), *keys)


ERASE_PERSON = """
UPDATE people SET base = '{}', person = '{}', emails = '{}', phones = '{}', groups = '{}',
       erased_at = COALESCE(erased_at, $4)
 WHERE tenant_id = $1 AND connection_id = $2 AND resource = $3
"""


async def erase_person(conn: Conn, known: Known, *, now: datetime) -> None:
    """Keep of a person no more than that they are to be left alone, whatever Google has."""
    await conn.execute(ERASE_PERSON, known.tenant_id, known.connection_id, known.resource, now)


OPEN_WRITES = """
SELECT id, state = 'sending' AS under_way FROM writes
 WHERE tenant_id = $1 AND item = ANY($2::text[]) AND finished_at IS NULL
 ORDER BY position
"""


async def list_open_writes(
    conn: Conn, tenant_id: str, contact_ids: Sequence[UUID]
) -> tuple[list[UUID], bool]:
    """Return changes of contacts that have not ended, and whether one is under way."""
    rows = await conn.fetch(OPEN_WRITES, tenant_id, [str(one) for one in contact_ids])
    return [row["id"] for row in rows], any(row["under_way"] for row in rows)


LOCK_WRITES = """
SELECT id, state = 'sending' AS under_way, base, desired, progress, answer
  FROM writes w
 WHERE w.tenant_id = $1 AND w.id > $2
   AND EXISTS (SELECT FROM unnest($4::text[]) AS n (needle)
                WHERE strpos(lower(concat_ws(E'\\n', w.base::text, w.desired::text,
                                             w.progress::text, w.answer::text)), n.needle) > 0)
 ORDER BY w.id LIMIT $3
   FOR UPDATE
"""


async def lock_writes(
    conn: Conn,
    tenant_id: str,
    *,
    after: UUID,
    limit: int,
    person: Person,
) -> list[Row]:
    """Return and lock the next changes with a needle."""
    return list(await conn.fetch(LOCK_WRITES, tenant_id, after, limit, needles(person.addresses)))


LOCK_CONFLICTS = """
SELECT id, base, ours, theirs, choice
  FROM conflicts k
 WHERE k.tenant_id = $1 AND k.id > $2
   AND EXISTS (SELECT FROM unnest($4::text[]) AS n (needle)
                WHERE strpos(lower(concat_ws(E'\\n', k.base::text, k.ours::text, k.theirs::text,
                                             k.choice::text)), n.needle) > 0)
 ORDER BY k.id LIMIT $3
   FOR UPDATE
"""


async def lock_conflicts(
    conn: Conn,
    tenant_id: str,
    *,
    after: UUID,
    limit: int,
    person: Person,
) -> list[Row]:
    """Return and lock the next conflicts with a needle."""
    return list(
        await conn.fetch(LOCK_CONFLICTS, tenant_id, after, limit, needles(person.addresses))
    )


CONFLICTS_OVER = """
SELECT id, state = 'open' AS is_open FROM conflicts
 WHERE tenant_id = $1
   AND (contact_id = ANY($2::uuid[])
        OR EXISTS (SELECT FROM unnest($3::uuid[], $4::text[]) AS p (connection_id, resource)
                    WHERE p.connection_id = conflicts.connection_id
                      AND p.resource = conflicts.resource))
 ORDER BY id FOR UPDATE
"""
EMPTY_CONFLICTS = """
UPDATE conflicts SET base = '{}', ours = '{}', theirs = '{}'
 WHERE tenant_id = $1 AND id = ANY($2::uuid[])
"""


async def empty_conflicts(
    conn: Conn, tenant_id: str, contact_ids: Sequence[UUID], people: Sequence[Known]
) -> list[UUID]:
    """Keep of conflicts over these contacts and people no values; return those that are open."""
    books, names = [one.connection_id for one in people], [one.resource for one in people]
    rows = await conn.fetch(CONFLICTS_OVER, tenant_id, list(contact_ids), books, names)
    await conn.execute(EMPTY_CONFLICTS, tenant_id, [row["id"] for row in rows])
    return [row["id"] for row in rows if row["is_open"]]


LIST_NICKNAMES = """
SELECT id, text, keywords, context FROM nicknames k
 WHERE k.tenant_id = $1 AND k.id > $2
   AND EXISTS (SELECT FROM unnest($4::text[]) AS n (needle)
                WHERE strpos(lower(concat_ws(E'\\n', k.text, array_to_string(k.keywords, E'\\n'),
                                             k.context)), n.needle) > 0)
 ORDER BY k.id LIMIT $3
   FOR UPDATE
"""
REWRITE_NICKNAME = """
UPDATE nicknames SET text = $3, keywords = $4, context = $5 WHERE tenant_id = $1 AND id = $2
"""


async def lock_nicknames(
    conn: Conn,
    tenant_id: str,
    *,
    after: UUID,
    limit: int,
    person: Person,
) -> list[Row]:
    """Return and lock the next nicknames with a needle."""
    return list(
        await conn.fetch(LIST_NICKNAMES, tenant_id, after, limit, needles(person.addresses))
    )


async def rewrite_nickname(
    conn: Conn, tenant_id: str, nickname_id: UUID, *, text: str, keywords: list[str], context: str
) -> None:
    """Keep of a nickname only so much."""
    await conn.execute(REWRITE_NICKNAME, tenant_id, nickname_id, text, keywords, context)


NAMES = """
SELECT 'group' AS kind, id, NULL::uuid AS connection_id, NULL AS resource, name FROM groups g
 WHERE g.tenant_id = $1 AND EXISTS (SELECT FROM unnest($2::text[]) AS n (needle)
                                     WHERE strpos(lower(g.name), n.needle) > 0)
UNION ALL
SELECT 'label', group_id, connection_id, resource, name FROM labels l
 WHERE l.tenant_id = $1 AND EXISTS (SELECT FROM unnest($2::text[]) AS n (needle)
                                     WHERE strpos(lower(l.name), n.needle) > 0)
"""
RENAME_GROUP = "UPDATE groups SET name = $3 WHERE tenant_id = $1 AND id = $2"
RENAME_LABEL = """
UPDATE labels SET name = $4 WHERE tenant_id = $1 AND connection_id = $2 AND resource = $3
"""


async def list_names(conn: Conn, tenant_id: str, needles: Sequence[str]) -> list[Row]:
    """Return groups and labels whose names hold a needle: there are few."""
    return list(await conn.fetch(NAMES, tenant_id, list(needles)))


async def rename(conn: Conn, tenant_id: str, row: Row, name: str) -> None:
    """Call a group or a label otherwise, here only."""
    if row["kind"] == "group":
        await conn.execute(RENAME_GROUP, tenant_id, row["id"], name)
    else:
        await conn.execute(RENAME_LABEL, tenant_id, row["connection_id"], row["resource"], name)


LIST_OWNED = """
SELECT id FROM contacts
 WHERE tenant_id = $1 AND owner_user_id = $2 AND id > $3 ORDER BY id LIMIT $4
"""
LIST_OWNED_GROUPS = """
SELECT id FROM groups WHERE tenant_id = $1 AND owner_user_id = $2 AND id > $3 ORDER BY id LIMIT $4
"""


async def list_owned(
    conn: Conn, tenant_id: str, user_id: str, *, after: UUID, limit: int
) -> list[UUID]:
    """Return the next contacts of a user's, deleted ones too."""
    rows = await conn.fetch(LIST_OWNED, tenant_id, user_id, after, limit)
    return [row["id"] for row in rows]


async def list_owned_groups(
    conn: Conn, tenant_id: str, user_id: str, *, after: UUID, limit: int
) -> list[UUID]:
    """Return the next groups of a user's, deleted ones too."""
    rows = await conn.fetch(LIST_OWNED_GROUPS, tenant_id, user_id, after, limit)
    return [row["id"] for row in rows]


DISOWN = """
UPDATE contacts SET owner_user_id = NULL WHERE tenant_id = $1 AND id = ANY($2::uuid[])
"""
DISOWN_GROUPS = """
UPDATE groups SET owner_user_id = 'erased', name = '' WHERE tenant_id = $1 AND id = ANY($2::uuid[])
"""


async def disown(conn: Conn, tenant_id: str, ids: Sequence[UUID]) -> None:
    """Let contacts be nobody's in particular."""
    await conn.execute(DISOWN, tenant_id, list(ids))


async def disown_groups(conn: Conn, tenant_id: str, ids: Sequence[UUID]) -> None:
    """Leave of groups that are deleted neither whose they were nor what they were called."""
    await conn.execute(DISOWN_GROUPS, tenant_id, list(ids))


COUNT_CONTENT = "SELECT count(*) FROM people WHERE tenant_id = $1 AND connection_id = $2"


async def count_content(conn: Conn, tenant_id: str, connection_id: UUID) -> int:
    """Return how many people of an address book are held."""
    return int(await conn.fetchval(COUNT_CONTENT, tenant_id, connection_id))


FORGET_USER = """
UPDATE connections
   SET user_id = '', email = '', account_id = '00000000-0000-0000-0000-000000000000',
       reauthorize_url = NULL, preferences = '{}', read_at = NULL, confirmed_at = NULL,
       confirmed_by = NULL, erased_at = $3
 WHERE tenant_id = $1 AND connection_id = $2 AND purge = 'done'
"""


async def forget_user(conn: Conn, tenant_id: str, connection_id: UUID, *, now: datetime) -> None:
    """Leave nothing of a connection that was purged but that it is none any more."""
    await conn.execute(FORGET_USER, tenant_id, connection_id, now)


COUNT_DECIDED = """
SELECT count(*) FROM conflicts
 WHERE tenant_id = $1 AND resolved_by IN ($2::text, 'user:' || $2::text)
"""
FORGET_DECIDED = """
UPDATE conflicts SET resolved_by = 'user:erased'
 WHERE tenant_id = $1 AND resolved_by IN ($2::text, 'user:' || $2::text)
"""
COUNT_CONFIRMED = """
SELECT count(*) FROM connections
 WHERE tenant_id = $1 AND confirmed_by IN ($2::text, 'user:' || $2::text)
"""
FORGET_CONFIRMED = """
UPDATE connections SET confirmed_by = 'user:erased'
 WHERE tenant_id = $1 AND confirmed_by IN ($2::text, 'user:' || $2::text)
"""
NAMED_IN = (
    NamedIn("decisions", COUNT_DECIDED, FORGET_DECIDED),
    NamedIn("decisions", COUNT_CONFIRMED, FORGET_CONFIRMED),
)
"""Where users are named outside of what is theirs."""
