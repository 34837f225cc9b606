"""The floor: the same rows by hand, with aiohttp, orjson and asyncpg: a statement a table and page.

It keeps the product's promises about rows (known people are looked up, nobody becomes a second
contact, contacts are told of in the transaction of the fact, the cursor goes with them) and none
about trouble: no leases, no attempts, no quota, no retries, no answer that is not as it should be.
"""

import gc
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
import orjson
import phonenumbers
import uvloop
from uuid_utils.compat import uuid7

from bench.backfill.reading import used_s
from bench.contacts.shelf import USER, shelf
from libs.common.web.run import GARBAGE

PAGE = 1000
USUAL = gc.get_threshold()
WARM_UP = 5
"""Changes that are not measured."""
REGION = "BR"
KEPT = (
    "names",
    "emailAddresses",
    "phoneNumbers",
    "addresses",
    "organizations",
    "birthdays",
    "biographies",
    "urls",
    "userDefined",
    "clientData",
)
FIELDS = ",".join((*KEPT, "memberships", "metadata"))
NAMES = {
    "prefix": "honorificPrefix",
    "given_name": "givenName",
    "middle_name": "middleName",
    "family_name": "familyName",
    "suffix": "honorificSuffix",
    "organization": "name",
    "title": "title",
    "department": "department",
}
ADDRESS = {
    "street": "streetAddress",
    "extended": "extendedAddress",
    "po_box": "poBox",
    "postal_code": "postalCode",
    "city": "city",
    "region": "region",
    "country": "country",
    "country_code": "countryCode",
}
NAMED = {
    "prefix": "civilite",
    "given_name": "prenom",
    "middle_name": "deuxieme_prenom",
    "family_name": "nom",
    "suffix": "suffixe",
    "organization": "entreprise",
    "title": "fonction",
    "department": "departement",
    "birthday": "date_naissance",
    "emails": "emails",
    "phones": "telephones",
    "addresses": "adresses",
    "urls": "sites_web",
}
"""What a CRM calls the fields of a person."""
ITEMS = {"emails": ("email", "address"), "phones": ("telephone", "number")}
PLACES = {
    "street": "adresse",
    "extended": "complement_adresse",
    "po_box": "boite_postale",
    "postal_code": "code_postal",
    "city": "ville",
    "region": "region",
    "country": "pays",
}
Json = dict[str, Any]

LOCK = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
FIND_KNOWN = """
SELECT p.resource, p.etag, p.contact_id, c.version, c.sequence, c.card AS card
  FROM people p JOIN contacts c ON c.tenant_id = p.tenant_id AND c.id = p.contact_id
 WHERE p.tenant_id = $1 AND p.connection_id = $2 AND p.resource = ANY($3::text[])
"""
FIND_OTHERS = """
SELECT count(*) FROM contacts
 WHERE tenant_id = $1 AND deleted_at IS NULL AND (emails && $2::text[] OR phones && $3::text[])
"""
PUT_CONTACTS = """
INSERT INTO contacts
       (tenant_id, id, owner_user_id, version, sequence, card, changed, created_at, updated_at,
        name, emails, phones, search)
SELECT $1, n.id, $2, n.version, n.sequence, n.card, '{}', $3, $3, n.name, n.emails, n.phones,
       n.search
  FROM jsonb_to_recordset($4::jsonb)
       AS n (id uuid, version bigint, sequence bigint, card jsonb, name text, emails text[],
             phones text[], search text)
ON CONFLICT (tenant_id, id) DO UPDATE
   SET version = EXCLUDED.version, sequence = EXCLUDED.sequence, card = EXCLUDED.card,
       updated_at = EXCLUDED.updated_at, name = EXCLUDED.name, emails = EXCLUDED.emails,
       phones = EXCLUDED.phones, search = EXCLUDED.search
"""
PUT_PEOPLE = """
INSERT INTO people
       (tenant_id, connection_id, resource, account_id, contact_id, etag, google_updated, base,
        person, emails, phones, groups, seen_at)
SELECT $1, $2, n.resource, $3, n.contact_id, n.etag, n.google_updated, n.card, n.person, n.emails,
       n.phones, n.groups, $4
  FROM jsonb_to_recordset($5::jsonb)
       AS n (resource text, contact_id uuid, etag text, google_updated timestamptz, card jsonb,
             person jsonb, emails text[], phones text[], groups text[])
ON CONFLICT (tenant_id, connection_id, resource) DO UPDATE
   SET etag = EXCLUDED.etag, google_updated = EXCLUDED.google_updated, base = EXCLUDED.base,
       person = EXCLUDED.person, emails = EXCLUDED.emails, phones = EXCLUDED.phones,
       groups = EXCLUDED.groups, seen_at = EXCLUDED.seen_at
"""
PUT_LABELS = """
INSERT INTO labels (tenant_id, connection_id, resource, group_id, kind, name, etag, seen_at)
SELECT $1, $2, n.resource, n.group_id, n.kind, n.name, n.etag, $3
  FROM jsonb_to_recordset($4::jsonb)
       AS n (resource text, group_id uuid, kind text, name text, etag text)
"""
PUT_GROUP = """
INSERT INTO groups (tenant_id, id, owner_user_id, name, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $5)
"""
PUT_MEMBERS = """
INSERT INTO group_members (tenant_id, group_id, contact_id, added_at)
SELECT $1, $2, n, $3 FROM unnest($4::uuid[]) AS n
ON CONFLICT DO NOTHING
"""
ADD_LINES = """
INSERT INTO sync_logs (tenant_id, id, connection_id, kind, direction, action, status, item_id,
                       resource, at)
SELECT $1, n.id, $2, 'contact', 'from_google', n.action, 'success', n.item_id, n.resource, $3
  FROM unnest($4::uuid[], $5::text[], $6::uuid[], $7::text[]) AS n (id, action, item_id, resource)
"""
ADD_EVENTS = """
INSERT INTO outbox (event_id, type, body)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[])
"""
PUT_CURSOR = """
INSERT INTO feeds (tenant_id, id, connection_id, account_id, kind, resource, cursor, created_at)
VALUES ($1, $2, $2, $2, 'floor', '', $3, now())
ON CONFLICT (tenant_id, connection_id, kind, resource) DO UPDATE SET cursor = EXCLUDED.cursor
"""


def run(
    database: str, origin: str, number: int, people: int, *, collects_rarely: bool = False
) -> float:
    """Take in an address book; return the CPU seconds it took.

    `collects_rarely`: with the collector of garbage set as the product sets it.
    """
    if collects_rarely:
        gc.collect()
        gc.freeze()
        gc.set_threshold(GARBAGE, *USUAL[1:])
    try:
        before = used_s()
        uvloop.run(_first(database, origin, number, people))
        return used_s() - before
    finally:
        gc.set_threshold(*USUAL)
        gc.unfreeze()


def follow(database: str, origin: str, number: int, people: int, changes: int) -> float:
    """Take in so many changes, one after the other; return the CPU seconds that took."""
    return uvloop.run(_follow(database, origin, number, people, changes))


async def _first(database: str, origin: str, number: int, people: int) -> None:
    connection = shelf(number, people)
    conn = await asyncpg.connect(database)
    async with session_of(origin, connection.id) as session:
        keeper = Keeper(conn, number, people)
        await keeper.keep_labels((await _ask(session, "/v1/contactGroups", {}))["contactGroups"])
        page: str | None = ""
        while page is not None:
            found = await ask(session, {"pageToken": page} if page else {})
            page = found.get("nextPageToken")
            cursor = page or found["nextSyncToken"]
            await keeper.keep(found["connections"], cursor, origin="backfill")
    await conn.close()


async def _follow(database: str, origin: str, number: int, people: int, changes: int) -> float:
    connection = shelf(number, people)
    conn = await asyncpg.connect(database)
    used = 0.0
    async with session_of(origin, connection.id) as session:
        keeper, place = Keeper(conn, number, people), "0"
        for change in range(-WARM_UP, changes):
            async with session.get(f"/_change/{connection.id}"):
                pass
            before = used_s()
            found = await ask(session, {"syncToken": place})
            place = found["nextSyncToken"]
            await keeper.keep(found["connections"], place, origin="live")
            used += used_s() - before if change >= 0 else 0.0
    await conn.close()
    return used


def session_of(origin: str, granted: object) -> aiohttp.ClientSession:
    """Return a session that asks Google with this access token."""
    headers = {"Authorization": f"Bearer {granted}", "Accept-Encoding": "identity"}
    return aiohttp.ClientSession(origin, headers=headers)


async def ask(session: aiohttp.ClientSession, query: dict[str, str]) -> Any:
    """Return a page of people."""
    params = {
        "pageSize": str(PAGE),
        "personFields": FIELDS,
        "sources": "READ_SOURCE_TYPE_CONTACT",
        "requestSyncToken": "true",
        **query,
    }
    return await _ask(session, "/v1/people/me/connections", params)


async def _ask(session: aiohttp.ClientSession, path: str, params: dict[str, str]) -> Any:
    async with session.get(path, params=params) as answer:
        return orjson.loads(await answer.read())


class Keeper:
    """Keeps what is read of one address book."""

    def __init__(self, conn: Any, number: int, people: int) -> None:
        connection = shelf(number, people)
        self._conn = conn
        self._tenant, self._id = connection.tenant_id, connection.id
        self._account = connection.account_id
        self._groups: dict[str, UUID] = {}

    async def keep_labels(self, items: list[Json]) -> None:
        """Keep labels; those of the person's own are groups."""
        now, rows = datetime.now(UTC), []
        async with self._conn.transaction():
            for one in items:
                is_own = one["groupType"] == "USER_CONTACT_GROUP"
                group_id = uuid7() if is_own else None
                if group_id is not None:
                    self._groups[one["resourceName"]] = group_id
                    group = self._tenant, group_id, USER, one["name"], now
                    await self._conn.execute(PUT_GROUP, *group)
                kept = {
                    "resource": one["resourceName"],
                    "group_id": group_id,
                    "kind": "user" if is_own else "system",
                    "name": one["name"],
                    "etag": one["etag"],
                }
                rows.append(kept)
            await self._conn.execute(PUT_LABELS, self._tenant, self._id, now, _json(rows))

    async def keep(self, items: list[Json], cursor: str, *, origin: str) -> None:
        """Keep a page, tell of it, and where the next one begins, in one transaction."""
        conn, tenant, now = self._conn, self._tenant, datetime.now(UTC)
        async with conn.transaction():
            await conn.execute(LOCK, tenant)
            names = [one["resourceName"] for one in items]
            rows = await conn.fetch(FIND_KNOWN, tenant, self._id, names)
            known = {row["resource"]: row for row in rows}
            found = [
                _Found(one, known.get(one["resourceName"]))
                for one in items
                if one["resourceName"] not in known
                or known[one["resourceName"]]["etag"] != one["etag"]
            ]
            if found:
                await self._keep(found, now, origin)
            await conn.execute(PUT_CURSOR, tenant, self._id, cursor)

    async def _keep(self, found: list["_Found"], now: datetime, origin: str) -> None:
        conn, tenant = self._conn, self._tenant
        new = [one for one in found if one.is_new]
        emails = [key for one in new for key in one.emails]
        phones = [key for one in new for key in one.phones]
        if new and await conn.fetchval(FIND_OTHERS, tenant, emails, phones):
            raise NotImplementedError("nobody is somebody else")
        contacts = _json([one.contact() for one in found])
        await conn.execute(PUT_CONTACTS, tenant, USER, now, contacts)
        people = _json([one.person for one in found])
        await conn.execute(PUT_PEOPLE, tenant, self._id, self._account, now, people)
        for label, group_id in self._groups.items():
            members = [one.contact_id for one in new if label in one.groups]
            await conn.execute(PUT_MEMBERS, tenant, group_id, now, members)
        told = [one.event(tenant, self._id, now, origin) for one in found]
        await conn.execute(ADD_EVENTS, *zip(*told, strict=True))
        lines = [one.line() for one in found]
        await conn.execute(ADD_LINES, tenant, self._id, now, *zip(*lines, strict=True))


class _Found:
    """A person as Google has them, read."""

    def __init__(self, item: Json, known: Any) -> None:
        self.item = item
        self.is_new = known is None
        self.contact_id = uuid7() if known is None else UUID(bytes=known["contact_id"].bytes)
        self.version = 1 if known is None else known["version"] + 1
        self.sequence = 1 if known is None else known["sequence"] + 1
        self.before = {} if known is None else orjson.loads(known["card"])
        self.person = person_row(item, self.contact_id)
        self.card = self.person["card"]
        self.emails, self.phones = self.person["emails"], self.person["phones"]
        self.groups = self.person["groups"]
        self.name = f"{self.card['given_name']} {self.card['family_name']}"

    def contact(self) -> Json:
        """Return its row of contacts."""
        card = self.card
        words = [self.name, card.get("organization", ""), card.get("title", "")]
        words += [one["address"] for one in card["emails"]]
        words += [
            text
            for one in card.get("phones", ())
            for text in (one["number"], one.get("e164"))
            if text
        ]
        return {
            "id": self.contact_id,
            "version": self.version,
            "sequence": self.sequence,
            "card": card,
            "name": self.name,
            "emails": self.emails,
            "phones": self.phones,
            "search": "\n".join(one for one in words if one).casefold()[:4000],
        }

    def event(
        self, tenant: str, connection_id: UUID, now: datetime, origin: str
    ) -> tuple[UUID, str, bytes]:
        """Return what goes into the outbox."""
        event_id, card = uuid7(), self.card
        kind = f"contacts.contact.{'created' if self.is_new else 'updated'}.v1"
        data = {
            "origin": origin,
            "contact_id": self.contact_id,
            "version": self.version,
            "owner_user_id": USER,
            "entity": {"type": "contact", "id": self.contact_id},
            "visible_to": "owner",
            "name": self.name,
            "emails": [{"type": "", "primary": False, **one} for one in card["emails"]],
            "phones": [
                {"e164": None, "type": "", "primary": False, **one}
                for one in card.get("phones", ())
            ],
            "organization": card.get("organization", ""),
            "title": card.get("title", ""),
            "fields": _fields(card),
            "links": [{"connection_id": connection_id, "resource": self.item["resourceName"]}],
        }
        if not self.is_new:
            names = {*card, *self.before}
            data["changed"] = sorted(one for one in names if card.get(one) != self.before.get(one))
        envelope = {
            "specversion": "1.0",
            "id": event_id,
            "source": "/causeway/contacts",
            "type": kind,
            "subject": f"contact/{self.contact_id}",
            "time": now,
            "dataschema": f"urn:causeway:schema:{kind}",
            "datacontenttype": "application/json",
            "tenantid": tenant,
            "sequence": f"{self.sequence:020d}",
            "data": data,
        }
        return event_id, kind, orjson.dumps(envelope)

    def line(self) -> tuple[UUID, str, UUID, str]:
        """Return its line of the sync log."""
        action = "create" if self.is_new else "update"
        return uuid7(), action, self.contact_id, self.item["resourceName"]


def person_row(item: Json, contact_id: UUID) -> Json:
    """Return a person's row of people."""
    sources = item["metadata"]["sources"]
    card = _card(item)
    numbers = [one.get("e164") for one in card.get("phones", ())]
    kept = {name: item[name] for name in KEPT if name in item}
    return {
        "resource": item["resourceName"],
        "contact_id": contact_id,
        "etag": item["etag"],
        "google_updated": sources[0]["updateTime"],
        "card": card,
        "person": {**kept, "metadata": {"sources": sources}},
        "emails": list(dict.fromkeys(one["address"].casefold() for one in card["emails"])),
        "phones": list(dict.fromkeys(one for one in numbers if one)),
        "groups": sorted(
            one["contactGroupMembership"]["contactGroupResourceName"] for one in item["memberships"]
        ),
    }


def _card(item: Json) -> Json:
    """Return what is known of a person, without what is empty."""
    card: Json = {}
    for field in ("names", "organizations"):
        for main in item.get(field, ())[:1]:
            parts = {ours: main.get(theirs) for ours, theirs in NAMES.items()}
            skipped = "organization" if field == "names" else ""
            card |= {one: text for one, text in parts.items() if text and one != skipped}
    for main in item.get("birthdays", ())[:1]:
        day = main["date"]
        card["birthday"] = f"{day['year']:04}-{day['month']:02}-{day['day']:02}"
    for main in item.get("biographies", ())[:1]:
        card["notes"] = main["value"]
    card["emails"] = [_item(one, {"address": one["value"]}) for one in item["emailAddresses"]]
    if "phoneNumbers" in item:
        card["phones"] = [_item(one, _number(one["value"])) for one in item["phoneNumbers"]]
    if "addresses" in item:
        card["addresses"] = [
            _item(one, {ours: one[theirs] for ours, theirs in ADDRESS.items() if theirs in one})
            for one in item["addresses"]
        ]
    if "userDefined" in item:
        card["custom"] = {one["key"]: one["value"] for one in item["userDefined"]}
    return card


def _item(one: Json, value: Json) -> Json:
    shown = {**value, "type": one["type"]}
    return shown | {"primary": True} if one["metadata"].get("primary") else shown


def _number(text: str) -> Json:
    number = phonenumbers.parse(text, REGION)
    is_given_out = (
        phonenumbers.is_possible_number if text.startswith("+") else phonenumbers.is_valid_number
    )
    if not is_given_out(number):
        return {"number": text}
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return {"number": text, "e164": e164}


def _fields(card: Json) -> Json:
    """Return the same under the names that a CRM has by default."""
    found = dict(card.get("custom", {}))
    found |= {name: card[one] for one, name in NAMED.items() if one in card}
    for one, (name, part) in ITEMS.items():
        if one in card:
            found[name] = card[one][0][part]
    for address in card.get("addresses", ())[:1]:
        found |= {name: address[one] for one, name in PLACES.items() if one in address}
    return found


def _json(rows: list[Json]) -> str:
    return orjson.dumps(rows).decode()
