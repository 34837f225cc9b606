"""A contacts service that is full of one person."""

from typing import Any
from uuid import UUID

import orjson

from libs.common import clock
from libs.common.db import POOL, transaction
from libs.common.events.base import Origin
from libs.common.ids import new_id
from services.contacts.domain.card import Card, Email
from services.contacts.domain.contact import NewContact
from services.contacts.sync.changing.turn import Turn
from tests.integration.contacts.stand import Stand, human
from tests.integration.privacy.holding import ADDRESS, ALIAS, BEA, CARL, NAME, OTHERS, THIRD, WORD
from tests.integration.service_stand import ALICE
from tests.support import caller_token, eventually

PHONE = "+361555"
CLEAR = {ADDRESS, ALIAS, NAME, WORD, PHONE, "zsofia", "quartz"}
SPELLINGS = CLEAR | {one.encode().hex() for one in CLEAR}
PUT_CONFLICT = """
INSERT INTO conflicts (tenant_id, id, kind, connection_id, resource, contact_id, base, ours, theirs,
                       created_at, state, resolved_at, resolved_by, choice)
VALUES ('acme', $1, $2, $3, $4, $5, $6, $6, $6, now(), $7, CASE $7 WHEN 'open' THEN NULL
        ELSE now() END, 'user:ada', $6)
"""
PUT_WRITE = """
INSERT INTO writes (tenant_id, id, group_id, connection_id, kind, item, base, desired, answer,
                    state, due_at, created_at, finished_at)
VALUES ('acme', $1, $1, $2, 'contacts.person', $3, $4, $4, $4, $5, now() + interval '1 day', now(),
        CASE $5 WHEN 'done' THEN now() END)
"""
PUT_DEAD_ITEM = """
INSERT INTO dead_items (id, tenant_id, feed_id, kind, item, cause, payload, created_at)
SELECT $2, tenant_id, id, 'contacts.person', 'people/c9', 'unusable', $3, now()
  FROM feeds WHERE connection_id = $1 AND kind = 'contacts.people'
"""
PUT_HOLD = """
INSERT INTO holds (tenant_id, id, connection_id, feed_id, kind, affected, total, state, created_at,
                   decided_at, decided_by)
SELECT tenant_id, $2, connection_id, id, 'wave', 1, 1, 'approved', now(), now(), 'user:ada'
  FROM feeds WHERE connection_id = $1 AND kind = 'contacts.people'
"""
PUT_LOST_EVENT = """
INSERT INTO outbox_dead (id, event_id, type, body, created_at, reason)
VALUES (1, $1, $2, $3, now(), 'unroutable')
"""
PUT_NICKNAME = """
INSERT INTO nicknames VALUES ('acme', $1, $2, $3, 'informal', $4, $5, true, now(), now())
"""
PUT_UNLINKED = """
INSERT INTO people (tenant_id, connection_id, resource, account_id, etag, google_updated, base,
                    person, emails, phones, seen_at)
SELECT p.tenant_id, c.connection_id, 'people/unlinked', c.account_id, p.etag, p.google_updated,
       p.base, p.person, p.emails, p.phones, now()
  FROM people p JOIN connections c ON c.connection_id = $2
 WHERE p.connection_id = $1 AND p.resource = $3
"""
PUT_GROUP = """
INSERT INTO groups VALUES ('acme', $1, 'ada', $2, 1, 1, now(), now())
"""


async def fill(stand: Stand) -> dict[str, str]:
    """Let the person appear wherever somebody can; return connections and contacts by name."""
    await stand.google.add_person(BEA, name="Bea")
    await stand.google.add_person(OTHERS, name="Otto")
    theirs = human(
        NAME,
        ADDRESS.title(),
        ALIAS,
        phone=PHONE,
        biographies=[{"value": f"{WORD} likes green"}],
        organizations=[{"name": WORD}],
    )
    ids = {"theirs": (await stand.add(theirs))["resourceName"]}
    couple = human("Both Ofthem", ADDRESS, CARL, biographies=[{"value": f"{NAME}, {PHONE}"}])
    ids["couple"] = (await stand.add(couple))["resourceName"]
    mention = human("Carl Else", CARL, biographies=[{"value": f"Ask {ADDRESS}."}])
    ids["mention"] = (await stand.add(mention))["resourceName"]
    await stand.add(human("Nobody Else", "nobody@else.example"))
    await stand.add(theirs, person=BEA)
    await stand.add(theirs, person=OTHERS)
    ids["ada"] = await stand.connect()
    bea = caller_token(user="bea")
    ids["bea"] = await stand.connect(person=BEA, token=bea)
    umbrella = caller_token(tenant="umbrella")
    ids["otto"] = await stand.connect(person=OTHERS, token=umbrella)
    for name, shown in (("theirs", NAME), ("couple", "Both Ofthem"), ("mention", "Carl Else")):
        ids[f"{name}_contact"] = await _contact_of_ada(stand, shown)
    await _of_the_crm(stand)
    await stand.quiet()
    await _remember(stand, ids)
    await stand.quiet()
    return ids


async def _contact_of_ada(stand: Stand, name: str) -> str:
    rows = [row for row in await stand.kept() if row["owner_user_id"] == "ada"]
    (found,) = [str(row["id"]) for row in rows if row["name"] == name]
    return found


async def _of_the_crm(stand: Stand) -> None:
    async with transaction(stand.app[POOL]) as conn:
        turn = await Turn.begin(conn, "acme", now=clock.now())
        card = Card(given_name="Zsofia", emails=(Email(address=THIRD),), notes=WORD)
        new = NewContact(owner_user_id="ada", card=card, entity_id="c-7", crm_version=3)
        turn.create(new, origin=Origin.CRM)
        await turn.end()


async def _remember(stand: Stand, ids: dict[str, str]) -> None:
    """Put there what else may name somebody."""
    ada = UUID(ids["ada"])
    theirs, mention = UUID(ids["theirs_contact"]), UUID(ids["mention_contact"])
    values = {f"emails/{ADDRESS}": {"address": ADDRESS}, "notes": f"{NAME} <{ADDRESS}>"}
    lost: dict[str, Any] = {
        "id": str(new_id()),
        "type": "contacts.contact.updated.v1",
        "tenantid": "acme",
        "subject": f"contact/{theirs}",
        "sequence": "00000000000000000001",
        "data": {"name": NAME, "emails": [{"address": ADDRESS}], "owner_user_id": "ada"},
    }
    async with stand.pool() as conn:
        one = (ada, ids["theirs"], theirs, values)
        await conn.execute(PUT_CONFLICT, new_id(), "fields", *one, "open")
        other = (ada, ids["mention"], mention, values)
        await conn.execute(PUT_CONFLICT, new_id(), "fields", *other, "resolved")
        await conn.execute(PUT_WRITE, new_id(), ada, str(theirs), {}, "queued")
        await conn.execute(PUT_WRITE, new_id(), ada, str(mention), values, "done")
        await conn.execute(PUT_DEAD_ITEM, ada, new_id(), orjson.dumps(values))
        await conn.execute(PUT_HOLD, ada, new_id())
        await conn.execute(PUT_LOST_EVENT, UUID(lost["id"]), lost["type"], orjson.dumps(lost))
        await conn.execute(PUT_NICKNAME, new_id(), theirs, "Zsofia", ["quartz"], WORD)
        await conn.execute(PUT_NICKNAME, new_id(), mention, ADDRESS, [f"like {ADDRESS}"], NAME)
        await conn.execute(PUT_UNLINKED, ada, UUID(ids["bea"]), ids["theirs"])
        await conn.execute(PUT_GROUP, new_id(), f"Friends of {ADDRESS}")


async def changed_at_google(stand: Stand, resource: str) -> None:
    """Let the person's contact be changed in Google, and wait until that was read."""
    changes = {"biographies": [{"value": f"{WORD} again"}]}
    await stand.edit(resource, "change", changes=changes)
    marker = await stand.add(human("A Marker"))
    await eventually(lambda: _is_read(stand, str(marker["resourceName"])))


async def _is_read(stand: Stand, resource: str) -> bool:
    return bool(await stand.fetch("SELECT 1 FROM people WHERE resource = $1", resource))


__all__ = ["ALICE", "PHONE", "SPELLINGS", "changed_at_google", "fill"]
