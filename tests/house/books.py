"""What must be true of address books when nothing is left to do: both sides have the same people.

Google's side is what the emulator holds, whatever its lists show. Each rule returns sentences that
say what is wrong; none of them waits.
"""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from libs.common.events.envelope import Envelope
from tests.emulated import Emulated
from tests.house.house import House
from tests.house.truth import first_seen, orders

Json = dict[str, Any]
Fetch = Callable[..., Awaitable[Sequence[Any]]]
"""Looks into the database of contacts."""

CONNECTION = """
SELECT tenant_id, user_id, preferences,
       access = 'write' AND state IN ('active', 'degraded') AND read_at IS NOT NULL
       AND confirmed_at IS NOT NULL AS writes
  FROM connections WHERE connection_id = $1
"""
PEOPLE = """
SELECT resource, etag, contact_id, groups, made_by_us, gone_at IS NULL AS live FROM people
 WHERE connection_id = $1
"""
CONTACTS = """
SELECT id, owner_user_id, entity_id, version, sequence, card, name, emails, phones,
       deleted_at IS NULL AS live, merged_into
  FROM contacts WHERE tenant_id = $1
"""
GROUPS = """
SELECT g.id, g.name, g.sequence, g.deleted_at IS NULL AS live,
       ARRAY(SELECT contact_id FROM group_members m
              WHERE m.tenant_id = g.tenant_id AND m.group_id = g.id) AS members
  FROM groups g WHERE tenant_id = $1
"""
LABELS = """
SELECT resource, group_id, name FROM labels
 WHERE connection_id = $1 AND kind = 'user' AND gone_at IS NULL
"""
OPEN = (
    "SELECT resource, kind, contact_id FROM conflicts WHERE connection_id = $1 AND state = 'open'"
)
IGNORED = """
SELECT resource FROM conflicts
 WHERE connection_id = $1 AND kind = 'match' AND state = 'resolved'
   AND choice ->> 'contact' = 'ignore'
"""
LEFT_OVER = {
    "events nobody could publish": "SELECT count(*) AS n FROM outbox_dead",
    "events not published": "SELECT count(*) AS n FROM outbox",
    "parked items": "SELECT count(*) AS n FROM dead_items",
    "leases": "SELECT count(*) AS n FROM feeds WHERE lease_until IS NOT NULL",
    "changes on their way": "SELECT count(*) AS n FROM writes WHERE finished_at IS NULL",
    # Who disconnects meanwhile leaves what nobody may look for any more.
    "changes of unknown fate": """
        SELECT count(*) AS n FROM writes w JOIN connections c USING (tenant_id, connection_id)
         WHERE w.state = 'unknown' AND c.state <> 'disconnected'
    """,
}
MINE = "contactGroups/myContacts"
OURS = "causeway"
TEXTS = {
    "prefix": ("names", "honorificPrefix"),
    "given_name": ("names", "givenName"),
    "middle_name": ("names", "middleName"),
    "family_name": ("names", "familyName"),
    "suffix": ("names", "honorificSuffix"),
    "organization": ("organizations", "name"),
    "title": ("organizations", "title"),
    "department": ("organizations", "department"),
    "notes": ("biographies", "value"),
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


@dataclass(frozen=True)
class Book:
    """One address book and its tenant, as both sides have them."""

    email: str
    connection: Any
    at_google: dict[str, Json]
    labels_at_google: dict[str, Json]
    people: dict[str, Any]
    contacts: dict[UUID, Any]
    groups: dict[UUID, Any]
    labels: dict[str, Any]
    conflicts: list[Any]
    ignored: set[str]
    """Whom somebody said to be nobody's contact."""

    @classmethod
    async def seen(cls, google: Emulated, fetch: Fetch, connection_id: str, email: str) -> "Book":
        """Return it as it is now."""
        given = UUID(connection_id)
        (connection,) = [_decoded(row) for row in await fetch(CONNECTION, given)]
        tenant = connection["tenant_id"]
        shown = (await google.control("GET", f"people/{email}/contacts"))["contacts"]
        groups = (await google.control("GET", f"people/{email}/contact-groups"))["groups"]
        return cls(
            email=email,
            connection=connection,
            at_google={one["resourceName"]: one for one in shown if not _is_other(one)},
            labels_at_google={
                one["resourceName"]: one
                for one in groups
                if one["groupType"] == "USER_CONTACT_GROUP"
            },
            people={row["resource"]: row for row in await fetch(PEOPLE, given)},
            contacts={row["id"]: _decoded(row) for row in await fetch(CONTACTS, tenant)},
            groups={row["id"]: row for row in await fetch(GROUPS, tenant)},
            labels={row["resource"]: row for row in await fetch(LABELS, given)},
            conflicts=list(await fetch(OPEN, given)),
            ignored={row["resource"] for row in await fetch(IGNORED, given)},
        )

    def differences(self) -> list[str]:
        """Return where both sides differ."""
        rules = (_rows, _links, _alike, _pushed, _twice, _members)
        return [wrong for rule in rules for wrong in rule(self)]

    def contact_of(self, resource: str) -> Any:
        """Return the contact that is there and that a person is; None: there is none."""
        row = self.people.get(resource)
        contact = None if row is None else self.contacts.get(row["contact_id"])
        return contact if contact is not None and contact["live"] else None


async def book_differences(house: House) -> list[str]:
    """Return all that is wrong; nothing if all is well."""
    assert house.contacts_db
    fetch = house.contacts_db.fetch
    found, told = [], first_seen(house.events())
    for connection_id, email in house.books.items():
        book = await Book.seen(house.google, fetch, connection_id, email)
        tenant = book.connection["tenant_id"]
        mine = [one for one in told if one.tenantid == tenant]
        found += book.differences()
        found += contacts_told(mine, book.contacts)
        found += groups_told(mine, book.groups, book.contacts)
    found += orders(told)
    found += echoed(told)
    found += await left_over(fetch)
    return list(dict.fromkeys(found))


async def left_over(fetch: Fetch) -> list[str]:
    """Return what is still to be done, or will never be."""
    found = []
    for what, sql in LEFT_OVER.items():
        (row,) = await fetch(sql)
        if row["n"]:
            found.append(f"{row['n']} {what}")
    return found


def _rows(book: Book) -> Iterable[str]:
    """The rows are the address book's people, as Google has them now."""
    here = {name: row for name, row in book.people.items() if row["live"]}
    for name in book.at_google.keys() - here.keys():
        yield f"{name} is missing"
    for name in here.keys() - book.at_google.keys():
        yield f"{name} is here and not at Google"
    for name in book.at_google.keys() & here.keys():
        if book.at_google[name]["etag"] != here[name]["etag"]:
            yield f"{name} is another than at Google"
        if groups_of(book.at_google[name]) != {*here[name]["groups"]}:
            yield f"{name} is in other groups than at Google"


def _links(book: Book) -> Iterable[str]:
    """Everybody is a contact, or was deleted here, or waits for a person to choose."""
    asked = {row["resource"] for row in book.conflicts if row["kind"] == "match"}
    if book.connection["preferences"].get("imports", "all") != "all":
        return
    for name, row in book.people.items():
        if not row["live"]:
            continue
        if row["contact_id"] is None and name not in asked | book.ignored:
            yield f"{name} is nobody's contact, and nobody was asked"
        if row["contact_id"] is not None and row["contact_id"] not in book.contacts:
            yield f"{name} is a contact that is not there"
    for name in asked:
        row = book.people.get(name)
        if row is None or not row["live"] or row["contact_id"] is not None:
            yield f"a person is asked who {name} is, who is known or gone"


def _alike(book: Book) -> Iterable[str]:
    """A person and the contact they are say the same, field by field."""
    for name, shown in book.at_google.items():
        contact = book.contact_of(name)
        if contact is None:
            continue
        theirs, ours = facts_of(shown), facts_of_card(contact["card"])
        for field in sorted(theirs.keys() | ours.keys()):
            if theirs.get(field) != ours.get(field):
                yield (
                    f"{field} of {name} is {theirs.get(field)} at Google and {ours.get(field)} here"
                )


def _pushed(book: Book) -> Iterable[str]:
    """What the CRM has of the user is at Google, and what it deleted of its own is not."""
    if not book.connection["writes"] or book.connection["preferences"].get("push"):
        return
    linked = {row["contact_id"] for row in book.people.values()}
    for one in book.contacts.values():
        if (
            one["live"]
            and one["owner_user_id"] == book.connection["user_id"]
            and one["id"] not in linked
        ):
            yield f"contact {one['id']} is not at Google"
    for name, row in book.people.items():
        contact = book.contacts.get(row["contact_id"])
        was_deleted = contact and not contact["live"] and contact["merged_into"] is None
        if was_deleted and row["live"] and row["made_by_us"]:
            yield f"{name} is still at Google, and its contact was deleted"


def _twice(book: Book) -> Iterable[str]:
    """Nobody is twice at Google, nor here."""
    marks = Counter(mark for one in book.at_google.values() for mark in marks_of(one))
    for mark, count in marks.items():
        if count > 1:
            yield f"contact {mark} is {count} people at Google"
    live = Counter(row["contact_id"] for row in book.people.values() if row["live"])
    del live[None]
    for contact_id, count in live.items():
        if count > 1:
            yield f"contact {contact_id} is {count} people here"


def _members(book: Book) -> Iterable[str]:
    """Labels are groups, with the same members; everybody stays in Google's own group."""
    for name, shown in book.at_google.items():
        if MINE not in groups_of(shown):
            yield f"{name} is not in my contacts any more"
    for name, label in book.labels_at_google.items():
        row = book.labels.get(name)
        if row is None:
            yield f"label {label['name']} is missing"
            continue
        group = book.groups.get(row["group_id"])
        if group is None or not group["live"]:
            yield f"label {label['name']} is no group"
            continue
        if group["name"] != label["name"]:
            yield f"label {label['name']} is called {group['name']} here"
        there = {
            contact["id"]
            for one in label["memberResourceNames"]
            if (contact := book.contact_of(one)) is not None
        }
        linked = {row["contact_id"] for row in book.people.values() if row["live"]}
        here = {one for one in group["members"] if one in linked}
        if there != here:
            yield f"label {label['name']} has {len(there)} members at Google, {len(here)} here"
    for name in book.labels.keys() - book.labels_at_google.keys():
        yield f"label {book.labels[name]['name']} is here and not at Google"


def contacts_told(told: Iterable[Envelope], contacts: Mapping[UUID, Any]) -> Iterable[str]:
    """Every contact was told of from its creation on, each change once, as it is now."""
    stories = _stories(told, "contacts.contact.")
    for one in contacts.values():
        events = stories.pop(str(one["id"]), [])
        kinds = [event.type.split(".")[2] for event in events]
        numbers = [int(event.sequence) for event in events]
        name = f"contact {one['id']}"
        if numbers != list(range(1, one["sequence"] + 1)):
            yield f"{name}: events {numbers} ({kinds}) and not 1 to {one['sequence']}"
            continue
        yield from (f"{name}: {wrong}" for wrong in _life(kinds, is_live=one["live"]))
        if one["live"] and events:
            yield from (f"{name}: {wrong}" for wrong in _last(events[-1].data, one))
    for name in stories:
        yield f"contact {name} was told of and is not here"


def groups_told(
    told: Iterable[Envelope], groups: Mapping[UUID, Any], contacts: Mapping[UUID, Any]
) -> Iterable[str]:
    """Every group was told of from its creation on, each change once, as it is now.

    Of a contact that is gone it is not told, too, that it is in no group any more.
    """
    there = {str(one["id"]) for one in contacts.values() if one["live"]}
    stories = _stories(told, "contacts.group.")
    for one in groups.values():
        events = stories.pop(str(one["id"]), [])
        kinds = [event.type.split(".")[2] for event in events]
        numbers = [int(event.sequence) for event in events]
        name = f"group {one['id']}"
        if numbers != list(range(1, one["sequence"] + 1)):
            yield f"{name}: events {numbers} ({kinds}) and not 1 to {one['sequence']}"
            continue
        yield from (f"{name}: {wrong}" for wrong in _life(kinds, is_live=one["live"]))
        members: set[str] = set()
        for event in events:
            if event.type.startswith("contacts.group.membership_changed."):
                members |= {*event.data["added"]}
                members -= {*event.data["removed"]}
        if one["live"]:
            members &= there
            if members != {str(member) for member in one["members"]}:
                yield f"{name}: told {len(members)} members, has {len(one['members'])}"
            if events and events[-1].data["name"] != one["name"]:
                yield f"{name}: told as {events[-1].data['name']}, is called {one['name']}"
    for name in stories:
        yield f"group {name} was told of and is not here"


def echoed(told: Iterable[Envelope]) -> Iterable[str]:
    """Nothing was told twice in a row with the same facts."""
    last: dict[str, Json] = {}
    for one in told:
        if not one.type.startswith("contacts.contact."):
            continue
        silent = {"origin", "version", "changed", "links", "fields"}
        facts = {name: value for name, value in one.data.items() if name not in silent}
        facts["fields"] = one.data.get("fields", {})
        facts["type"] = one.type.replace("created", "updated")
        # Notes are not told, and their change is.
        if last.get(one.subject) == facts and one.data.get("changed") != ["notes"]:
            yield f"{one.subject} was told twice alike: {one.data.get('changed')}"
        last[one.subject] = facts


def facts_of(shown: Json) -> Json:
    """Return what Google says of a person, so that it can be compared."""
    found: Json = {}
    for name, (field, part) in TEXTS.items():
        items = shown.get(field, [])
        main = next((one for one in items if one["metadata"].get("primary")), None)
        if main and main.get(part):
            found[name] = main[part]
    for day in shown.get("birthdays", []):
        date = day.get("date")
        year = f"{date['year']:04}" if date and date.get("year") else "-"
        found["birthday"] = f"{year}-{date['month']:02}-{date['day']:02}" if date else day["text"]
    # Of several that are the same, as people have who were merged, the first counts.
    emails = {one["value"].casefold(): one for one in reversed(shown.get("emailAddresses", []))}
    found["emails"] = _values(emails.values(), "value")
    found["phones"] = _values(shown.get("phoneNumbers", []), "value")
    found["urls"] = _values(shown.get("urls", []), "value")
    found["addresses"] = {
        tuple(one.get(part, "") for part in ADDRESS.values()) for one in shown.get("addresses", [])
    }
    pairs = reversed(shown.get("userDefined", []))
    found["custom"] = {one["key"]: one["value"] for one in pairs}
    return {name: value for name, value in found.items() if value}


def facts_of_card(card: Json) -> Json:
    """Return what a contact says, in the same form."""
    found: Json = {name: card[name] for name in (*TEXTS, "birthday") if name in card}
    found["emails"] = _values(card.get("emails", []), "address")
    found["phones"] = _values(card.get("phones", []), "number")
    found["urls"] = _values(card.get("urls", []), "value")
    found["addresses"] = {
        tuple(one.get(part, "") for part in ADDRESS) for one in card.get("addresses", [])
    }
    found["custom"] = card.get("custom", {})
    return {name: value for name, value in found.items() if value}


def groups_of(shown: Json) -> set[str]:
    """Return the resource names of the groups that a person is in at Google."""
    return {
        one["contactGroupMembership"]["contactGroupResourceName"]
        for one in shown.get("memberships", [])
    }


def marks_of(shown: Json) -> set[str]:
    """Return the contacts that a person at Google says it is."""
    return {one["value"] for one in shown.get("clientData", []) if one["key"] == OURS}


def _decoded(row: Any) -> Json:
    """Return a row whose JSON is read, whether or not its connection has done so."""
    return {
        name: orjson.loads(value)
        if name in ("card", "preferences") and isinstance(value, str)
        else value
        for name, value in row.items()
    }


def _values(items: Iterable[Json], part: str) -> set[tuple[str, str]]:
    return {(one[part], one.get("type", "")) for one in items}


def _is_other(shown: Json) -> bool:
    return bool(shown["resourceName"].startswith("otherContacts/"))


def _stories(told: Iterable[Envelope], kind: str) -> dict[str, list[Envelope]]:
    found = defaultdict(list)
    for one in told:
        if one.type.startswith(kind):
            found[one.aggregate_id].append(one)
    return found


def _life(kinds: Sequence[str], *, is_live: bool) -> Iterable[str]:
    """Created first, once in a life; gone last."""
    there = False
    for number, kind in enumerate(kinds):
        ends = kind in ("deleted", "merged")
        if (kind == "created") == there:
            yield f"{kind} as number {number + 1} of {kinds}"
            return
        there = not ends
    if kinds and there != is_live:
        yield f"told {kinds}, and is {'here' if is_live else 'gone'}"
    if is_live and not kinds:
        yield "is here, and was never told of"


def _last(data: Json, row: Any) -> Iterable[str]:
    card = row["card"]
    told = {
        "name": data["name"],
        "organization": data["organization"],
        "title": data["title"],
        "emails": _values(data["emails"], "address"),
        "phones": _values(data["phones"], "number"),
        "version": data["version"],
    }
    is_so = {
        "name": row["name"],
        "organization": card.get("organization", ""),
        "title": card.get("title", ""),
        "emails": _values(card.get("emails", []), "address"),
        "phones": _values(card.get("phones", []), "number"),
        "version": row["version"],
    }
    for what, value in told.items():
        if value != is_so[what]:
            yield f"{what} was told as {value}, and is {is_so[what]}"
