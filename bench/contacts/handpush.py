"""Pushing contacts by hand: batches of what is read, people and lines kept; nothing is remembered.

A lost answer would be 200 people twice.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
import orjson
import uvloop
from uuid_utils.compat import uuid7

from bench.backfill.reading import used_s
from bench.contacts.book import contact
from bench.contacts.handwritten import FIELDS, PUT_PEOPLE, person_row, session_of
from bench.contacts.shelf import USER, opened, put_shelf, shelf
from libs.common.db import Connection as Conn
from libs.common.db import transaction
from libs.common.events.base import Origin
from services.contacts.domain.card import Card
from services.contacts.domain.connection import Connection
from services.contacts.domain.contact import NewContact
from services.contacts.domain.phones import dialled
from services.contacts.google.answers import people_page
from services.contacts.store import connections
from services.contacts.sync.changing.turn import Turn

BATCH = 200
Json = dict[str, Any]
LIST = """
SELECT id, card FROM contacts c
 WHERE tenant_id = $1 AND deleted_at IS NULL AND NOT EXISTS (
       SELECT FROM people p WHERE p.tenant_id = c.tenant_id AND p.contact_id = c.id)
 ORDER BY id
"""
ADD_LINES = """
INSERT INTO sync_logs (tenant_id, id, connection_id, kind, direction, action, status, item_id,
                       resource, at)
SELECT $1, n.id, $2, 'contact', 'to_google', 'create', 'success', n.item_id, n.resource, $3
  FROM unnest($4::uuid[], $5::uuid[], $6::text[]) AS n (id, item_id, resource)
"""
NAMES = {"given_name": "givenName", "family_name": "familyName"}
JOB = {"organization": "name", "title": "title", "department": "department"}
ADDRESS = {
    "street": "streetAddress",
    "postal_code": "postalCode",
    "city": "city",
    "country": "country",
    "country_code": "countryCode",
}


async def prepare(database: str, number: int, contacts: int) -> None:
    """Let the CRM have so many contacts, of a user whose address book is empty."""
    async with opened(database) as pool, transaction(pool) as conn:
        connection = shelf(number, 0)
        await put_shelf(conn, connection)
        await make(conn, connection, contacts)


async def make(conn: Conn, connection: Connection, contacts: int) -> None:
    """Let the CRM make so many contacts of a user who has said yes to writing."""
    whose, now = (connection.tenant_id, connection.id), datetime.now(UTC)
    turn = await Turn.begin(conn, connection.tenant_id, now=now)
    await connections.confirm(conn, *whose, by=USER, now=now)
    for card in cards(contacts):
        turn.create(NewContact(owner_user_id=USER, card=card), origin=Origin.CRM)
    await turn.end()


def cards(contacts: int) -> list[Card]:
    """Return what is known of so many people."""
    page = people_page({"connections": [contact(one) for one in range(contacts)]})
    return [dialled(one.card, "BR") for one in page.people]


def run(database: str, origin: str, number: int, contacts: int) -> float:
    """Push all contacts; return the CPU seconds that took."""
    before = used_s()
    uvloop.run(_run(database, origin, number, contacts))
    return used_s() - before


async def _run(database: str, origin: str, number: int, contacts: int) -> None:
    connection = shelf(number, 0)
    conn = await asyncpg.connect(database)
    # Another address book at the stub than the product's, whose people come back in its lists.
    async with session_of(origin, UUID(int=connection.id.int + (1 << 100))) as session:
        rows = await conn.fetch(LIST, connection.tenant_id)
        if len(rows) != contacts:
            raise LookupError("not all contacts are there")
        for start in range(0, contacts, BATCH):
            chunk = rows[start : start + BATCH]
            made = await _create(session, [(row["id"], orjson.loads(row["card"])) for row in chunk])
            async with conn.transaction():
                await _keep(conn, number, chunk, made)
    await conn.close()


async def _create(session: aiohttp.ClientSession, wanted: list[tuple[Any, Json]]) -> list[Json]:
    bodies = [{"contactPerson": _body(contact_id, card)} for contact_id, card in wanted]
    body = {"contacts": bodies, "readMask": FIELDS, "sources": ["READ_SOURCE_TYPE_CONTACT"]}
    headers = {"Content-Type": "application/json"}
    path = "/v1/people:batchCreateContacts"
    async with session.post(path, data=orjson.dumps(body), headers=headers) as answer:
        answer.raise_for_status()
        return [one["person"] for one in orjson.loads(await answer.read())["createdPeople"]]


async def _keep(conn: Any, number: int, rows: list[Any], made: list[Json]) -> None:
    connection, now = shelf(number, 0), datetime.now(UTC)
    pairs = [(UUID(bytes=row["id"].bytes), one) for row, one in zip(rows, made, strict=True)]
    people = [person_row(one, contact_id) for contact_id, one in pairs]
    whose = connection.tenant_id, connection.id
    kept = orjson.dumps(people).decode()
    await conn.execute(PUT_PEOPLE, *whose, connection.account_id, now, kept)
    lines = [(uuid7(), contact_id, one["resourceName"]) for contact_id, one in pairs]
    await conn.execute(ADD_LINES, *whose, now, *zip(*lines, strict=True))


def _body(contact_id: Any, card: Json) -> Json:
    """Return a person as Google is asked to make them."""
    body: Json = {
        "names": [{theirs: card[ours] for ours, theirs in NAMES.items() if ours in card}],
        "clientData": [{"key": "causeway", "value": str(contact_id)}],
        "emailAddresses": [_item(one, {"value": one["address"]}) for one in card["emails"]],
    }
    if "phones" in card:
        body["phoneNumbers"] = [_item(one, {"value": one["number"]}) for one in card["phones"]]
    if "addresses" in card:
        body["addresses"] = [
            _item(one, {theirs: one[ours] for ours, theirs in ADDRESS.items() if ours in one})
            for one in card["addresses"]
        ]
    if job := {theirs: card[ours] for ours, theirs in JOB.items() if ours in card}:
        body["organizations"] = [job]
    if "birthday" in card:
        year, month, day = (int(part) for part in card["birthday"].split("-"))
        body["birthdays"] = [{"date": {"year": year, "month": month, "day": day}}]
    if "notes" in card:
        body["biographies"] = [{"value": card["notes"], "contentType": "TEXT_PLAIN"}]
    if "custom" in card:
        body["userDefined"] = [
            {"key": key, "value": value} for key, value in card["custom"].items()
        ]
    return body


def _item(one: Json, value: Json) -> Json:
    shown = {**value, "type": one["type"]}
    return shown | {"metadata": {"sourcePrimary": True}} if one.get("primary") else shown
