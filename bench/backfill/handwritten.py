"""Floor A: the same rows by hand: aiohttp, asyncpg, one statement per table and hundred messages.

It keeps the product's promises about rows (`ON CONFLICT`, events in the transaction of the fact,
the cursor with them) and none about trouble: no leases, no attempts, no quota, no retries.
"""

import asyncio
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
import orjson
import uvloop
from uuid_utils.compat import uuid7

from bench.backfill.mailbox import TENANT
from bench.backfill.reading import Read, read, used_s
from bench.house.letters import OWNER
from libs.common.google.rawbody import RawBody
from services.mail.domain.activities import activity_id
from services.mail.domain.message import Person

AT_ONCE = 10
CHUNK = 100
KEY = b"bench hash key".ljust(32)
OWN_DOMAIN = OWNER.rpartition("@")[2]

ADD_MESSAGES = """
INSERT INTO messages
       (tenant_id, id, connection_id, google_id, thread_id, internal_date, traced, direction,
        sender, recipients, subject, snippet, body_text, rfc822_message_id, in_reply_to,
        reference_ids, attachments, size, labels, label_history_id, sequence, stored_at,
        body_html, new_text, sent_at, calendar, report, search, activity_id)
SELECT $1, n.id, $2, n.google_id, n.thread_id, to_timestamp(n.millis / 1000.0), false,
       n.direction, n.sender::jsonb, n.recipients::jsonb, n.subject, n.snippet, n.body_text,
       n.rfc822_message_id, n.in_reply_to, string_to_array(n.reference_ids, ' '),
       n.attachments::jsonb, n.size, string_to_array(n.labels, ' '), n.history_id, 1, now(),
       n.body_html, n.new_text, n.sent_at, n.calendar::jsonb, NULL, n.search::tsvector,
       n.activity_id
  FROM unnest($3::uuid[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[],
              $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[],
              $15::text[], $16::text[], $17::bigint[], $18::text[], $19::bigint[], $20::text[],
              $21::text[], $22::timestamptz[], $23::text[], $24::text[], $25::uuid[])
       AS n (id, google_id, thread_id, millis, direction, sender, recipients, subject, snippet,
             body_text, rfc822_message_id, in_reply_to, reference_ids, attachments, size, labels,
             history_id, body_html, new_text, sent_at, calendar, search, activity_id)
ON CONFLICT (tenant_id, connection_id, google_id) DO NOTHING
"""
ADD_ADDRESSES = """
INSERT INTO message_addresses (tenant_id, hash, message_id, connection_id)
SELECT $1, n.hash, n.message_id, $2 FROM unnest($3::bytea[], $4::uuid[]) AS n (hash, message_id)
ON CONFLICT DO NOTHING
"""
FIND_ENTITIES = """
SELECT address, entity_type, entity_id FROM entity_addresses
 WHERE tenant_id = $1 AND address = ANY($2::text[])
"""
ADD_ACTIVITIES = """
INSERT INTO activities AS a (tenant_id, id, sequence, occurred_at)
SELECT $1, n.id, new.first, to_timestamp(n.millis / 1000.0)
  FROM unnest($2::uuid[], $3::bigint[]) AS n (id, millis), activity_numbers new
ON CONFLICT (tenant_id, id) DO UPDATE SET sequence = a.sequence + 1
"""
ADD_LINKS = """
INSERT INTO message_links (tenant_id, entity_type, entity_id, message_id, occurred_at)
SELECT $1, n.entity_type, n.entity_id, n.message_id, to_timestamp(n.millis / 1000.0)
  FROM unnest($2::text[], $3::text[], $4::uuid[], $5::bigint[])
       AS n (entity_type, entity_id, message_id, millis)
ON CONFLICT DO NOTHING
"""
ADD_EVENTS = """
INSERT INTO outbox (event_id, type, body)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[])
"""
PUT_CURSOR = """
INSERT INTO feeds (tenant_id, id, connection_id, account_id, kind, resource, cursor, created_at)
VALUES ($1, $2, $2, $2, 'floor', 'mailbox', $3, now())
ON CONFLICT (tenant_id, connection_id, kind, resource) DO UPDATE SET cursor = EXCLUDED.cursor
"""

Refs = dict[str, list[tuple[str, str]]]


def run(database: str, origin: str, connection_id: UUID) -> float:
    """Take in a mailbox; return the CPU seconds it took."""
    before = used_s()
    uvloop.run(_run(database, origin, connection_id))
    return used_s() - before


async def _run(database: str, origin: str, connection_id: UUID) -> None:
    headers = {"Authorization": f"Bearer {connection_id}", "Accept-Encoding": "identity"}
    conn = await asyncpg.connect(database)
    async with aiohttp.ClientSession(origin, headers=headers) as session:
        box = _Box(session)
        page: str | None = ""
        while page is not None:
            ids, page = await box.page(page)
            for start in range(0, len(ids), CHUNK):
                letters = await box.fetch(ids[start : start + CHUNK])
                await _write(conn, connection_id, letters)
    await conn.close()


class _Sink(list[bytes]):
    """What RawBody writes into."""

    write = list.append


@dataclass(slots=True)
class _Letter:
    id: UUID
    facts: dict[str, Any]
    read: Read

    @property
    def people(self) -> tuple[Person, ...]:
        return self.read.content.people()


class _Box:
    """The mailbox at Google."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def page(self, page: str) -> tuple[list[str], str | None]:
        query = {"maxResults": "500", "q": "after:1"} | ({"pageToken": page} if page else {})
        async with self._session.get("/gmail/v1/users/me/messages", params=query) as answer:
            listed = orjson.loads(await answer.read())
        return [one["id"] for one in listed.get("messages", ())], listed.get("nextPageToken")

    async def fetch(self, ids: list[str]) -> list[_Letter]:
        letters: list[_Letter] = []
        waiting = iter(ids)

        async def some() -> None:
            for google_id in waiting:
                letters.append(await self._fetch_one(google_id))  # noqa: PERF401 - several do so

        await asyncio.gather(*(some() for _ in range(AT_ONCE)))
        return letters

    async def _fetch_one(self, google_id: str) -> _Letter:
        path = f"/gmail/v1/users/me/messages/{google_id}?format=raw"
        async with self._session.get(path) as answer:
            body = await answer.read()
        sink = _Sink()
        raw = RawBody("raw", sink)  # type: ignore[arg-type]  # all it does is write
        raw.feed(body)
        return _Letter(uuid7(), orjson.loads(raw.close()), read(b"".join(sink)))


async def _write(
    conn: "asyncpg.Connection[asyncpg.Record]", connection_id: UUID, letters: list[_Letter]
) -> None:
    async with conn.transaction():
        refs = await _find_entities(conn, letters)
        await conn.execute(ADD_MESSAGES, TENANT, connection_id, *_columns(letters, refs))
        hashes = [(digest, one.id) for one in letters for digest in _hashes(one)]
        columns = zip(*hashes, strict=True)
        await conn.execute(ADD_ADDRESSES, TENANT, connection_id, *columns)
        links = [
            (kind, entity_id, one.id, int(one.facts["internalDate"]))
            for one in letters
            for kind, entity_id in _refs_of(one, refs)
        ]
        if links:
            told = [
                (_activity_of(one), int(one.facts["internalDate"]))
                for one in letters
                if _refs_of(one, refs)
            ]
            await conn.execute(ADD_ACTIVITIES, TENANT, *zip(*told, strict=True))
            await conn.execute(ADD_LINKS, TENANT, *zip(*links, strict=True))
        events = [event for one in letters for event in _events(connection_id, one, refs)]
        await conn.execute(ADD_EVENTS, *zip(*events, strict=True))
        await conn.execute(PUT_CURSOR, TENANT, connection_id, letters[-1].facts["id"])


async def _find_entities(
    conn: "asyncpg.Connection[asyncpg.Record]", letters: list[_Letter]
) -> Refs:
    wanted = {person.address.casefold() for one in letters for person in one.people}
    others = [address for address in wanted if not address.endswith(OWN_DOMAIN)]
    found: Refs = {}
    for address, kind, entity_id in await conn.fetch(FIND_ENTITIES, TENANT, others):
        found.setdefault(address, []).append((kind, entity_id))
    return found


def _refs_of(one: _Letter, refs: Refs) -> list[tuple[str, str]]:
    addresses = {person.address.casefold() for person in one.people}
    return sorted({ref for address in addresses for ref in refs.get(address, ())})


def _activity_of(one: _Letter) -> UUID:
    return activity_id(TENANT, one.id, one.read.content)


def _hashes(one: _Letter) -> list[bytes]:
    addresses = {person.address.casefold() for person in one.people}
    return [hmac.digest(KEY, address.encode(), "sha256") for address in addresses]


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _columns(letters: list[_Letter], refs: Refs) -> Any:
    rows = []
    for one in letters:
        facts, content = one.facts, one.read.content
        people = {"to": content.to, "cc": content.cc, "bcc": content.bcc}
        rows.append(
            (
                one.id,
                facts["id"],
                facts["threadId"],
                int(facts["internalDate"]),
                "outbound" if "SENT" in facts["labelIds"] else "inbound",
                _json(content.sender),
                _json(people),
                content.subject,
                facts["snippet"],
                content.text,
                content.rfc822_message_id,
                content.in_reply_to,
                " ".join(content.references),
                _json(content.attachments),
                facts["sizeEstimate"],
                " ".join(sorted(facts["labelIds"])),
                int(facts["historyId"]),
                content.html,
                content.new_text,
                content.date,
                _json(content.calendar),
                one.read.search,
                _activity_of(one) if _refs_of(one, refs) else None,
            )
        )
    return zip(*rows, strict=True)


def _events(connection_id: UUID, one: _Letter, refs: Refs) -> list[tuple[UUID, str, bytes]]:
    facts, content = one.facts, one.read.content
    moment = datetime.fromtimestamp(int(facts["internalDate"]) / 1000, UTC)
    way = "outbound" if "SENT" in facts["labelIds"] else "inbound"
    data = {
        "origin": "backfill",
        "message_id": one.id,
        "connection_id": connection_id,
        "user_id": "alice",
        "google_message_id": facts["id"],
        "thread_id": facts["threadId"],
        "occurred_at": moment,
        "direction": way,
        "from": content.sender,
        "to": content.to,
        "cc": content.cc,
        "subject": content.subject,
        "rfc822_message_id": content.rfc822_message_id,
        "in_reply_to": content.in_reply_to,
        "labels": sorted(facts["labelIds"]),
        "has_attachments": any(not part.inline for part in content.attachments),
    }
    kind = "sent" if way == "outbound" else "received"
    told = [_event(f"mail.message.{kind}.v1", "message", one.id, moment, data)]
    if found := _refs_of(one, refs):
        activity = {
            "id": _activity_of(one),
            "type": "email",
            "title": content.subject,
            "snippet": facts["snippet"],
            "direction": way,
            "entities": [{"type": kind, "id": entity_id} for kind, entity_id in found],
            "participants": [
                {"address": person.address, "name": person.name, "role": role}
                for role, people in (
                    ("from", (content.sender,)),
                    ("to", content.to),
                    ("cc", content.cc),
                )
                for person in people
                if person is not None
            ],
            "occurred_at": moment,
            "created_by": "alice",
            "copies": [
                {
                    "message_id": one.id,
                    "connection_id": connection_id,
                    "user_id": "alice",
                    "google_message_id": facts["id"],
                    "direction": way,
                    "visibility": "team",
                }
            ],
            "visibility": "team",
        }
        data = {
            "origin": "backfill",
            "connection_id": connection_id,
            "google_message_id": facts["id"],
            "activity": activity,
        }
        told.append(_event("mail.activity.logged.v1", "activity", _activity_of(one), moment, data))
    return told


def _event(
    kind: str, aggregate: str, subject: UUID, moment: datetime, data: dict[str, Any]
) -> tuple[UUID, str, bytes]:
    event_id = uuid7()
    envelope = {
        "specversion": "1.0",
        "id": event_id,
        "source": "/causeway/mail",
        "type": kind,
        "subject": f"{aggregate}/{subject}",
        "time": moment,
        "dataschema": f"urn:causeway:schema:{kind}",
        "datacontenttype": "application/json",
        "tenantid": TENANT,
        "sequence": "00000000000000000001",
        "data": data,
    }
    return event_id, kind, orjson.dumps(envelope)
