"""What must be true when nothing is left to do: Postgres equals the mailboxes, and was told once.

Each rule returns sentences that say what is wrong; none of them waits.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from libs.common.events.envelope import Envelope
from services.mail.domain.message import HIDDEN
from tests.house.house import House
from tests.house.outgoing import outgoing_differences

ROWS = """
SELECT google_id, labels, deleted_at IS NOT NULL AS deleted, traced, sequence
  FROM messages WHERE connection_id = $1
"""
ACTIVITIES = """
SELECT a.id, a.sequence,
       ARRAY(SELECT ARRAY[m.connection_id::text, m.google_id]
               FROM messages m
               JOIN connections c ON c.tenant_id = m.tenant_id
                                 AND c.connection_id = m.connection_id
              WHERE m.tenant_id = a.tenant_id AND m.activity_id = a.id
                AND m.deleted_at IS NULL AND NOT m.traced AND c.purge = 'none') AS copies,
       ARRAY(SELECT DISTINCT l.entity_type || '/' || l.entity_id
               FROM messages m
               JOIN connections c ON c.tenant_id = m.tenant_id
                                 AND c.connection_id = m.connection_id
               JOIN message_links l ON l.tenant_id = m.tenant_id AND l.message_id = m.id
              WHERE m.tenant_id = a.tenant_id AND m.activity_id = a.id
                AND m.deleted_at IS NULL AND NOT m.traced AND c.purge = 'none') AS entities
  FROM activities a
 WHERE a.id = ANY($1::uuid[])
    OR a.id IN (SELECT activity_id FROM messages WHERE connection_id = ANY($2::uuid[]))
"""
UNLIKE = """
SELECT google_id FROM messages m
 WHERE connection_id = ANY($1::uuid[])
   AND (activity_id IS NOT NULL)
       <> EXISTS (SELECT FROM message_links l
                   WHERE l.tenant_id = m.tenant_id AND l.message_id = m.id)
"""
CURSOR = "SELECT cursor FROM feeds WHERE connection_id = $1 AND kind = 'mail.live'"
LEFT_OVER = {
    "events nobody could publish": "SELECT count(*) FROM outbox_dead",
    "events not published": "SELECT count(*) FROM outbox",
    "parked messages": "SELECT count(*) FROM dead_items",
    "leases": "SELECT count(*) FROM feeds WHERE lease_until IS NOT NULL",
    "attempts": "SELECT count(*) FROM item_attempts",
}
BIRTHS = ("received", "sent")
ENDS = ("deleted", "redacted")
REDACTED = "mail.message.redacted."


async def differences(house: House) -> list[str]:
    """Return all that is wrong; nothing if all is well."""
    found = []
    told = first_seen(house.events())
    for connection_id, email in house.mailboxes.items():
        mailbox = await house.google.control("GET", f"people/{email}/mailbox")
        rows = await house.mail_db.fetch(ROWS, UUID(connection_id))
        mine = [one for one in told if one.data.get("connection_id") == connection_id]
        found += _rows(mailbox, rows)
        found += _messages(mine, rows)
        cursor = await house.mail_db.fetchval(CURSOR, UUID(connection_id))
        if int(cursor or 0) < int(mailbox["historyId"]):
            found.append(f"the cursor {cursor} is behind the mailbox ({mailbox['historyId']})")
    found += await _activities(house, told)
    found += orders(told)
    found += await outgoing_differences(house, told)
    for what, sql in LEFT_OVER.items():
        if count := await house.mail_db.fetchval(sql):
            found.append(f"{count} {what}")
    return found


async def mailbox_differences(house: House) -> list[str]:
    """Return what of the mailboxes is not in Postgres as it is at Google, whatever was told."""
    found = []
    for connection_id, email in house.mailboxes.items():
        mailbox = await house.google.control("GET", f"people/{email}/mailbox")
        found += _rows(mailbox, await house.mail_db.fetch(ROWS, UUID(connection_id)))
    return found


def first_seen(events: Iterable[Envelope]) -> list[Envelope]:
    """Return events as a consumer sees them who drops what he has seen (by id)."""
    return list({one.id: one for one in reversed(list(events))}.values())[::-1]


def _rows(mailbox: Any, rows: list[Any]) -> list[str]:
    """The rows are the mailbox: spam and drafts need not be here, unless they were mail before.

    Of mail that settings do not keep a trace is here, which has no labels.
    """
    at_google = {one["id"]: set(one["labels"]) for one in mailbox["messages"]}
    mail = {one for one, labels in at_google.items() if not HIDDEN & labels}
    here = {row["google_id"]: row for row in rows if not row["deleted"]}
    found = [f"{one} is missing" for one in mail - here.keys()]
    found += [f"{one} is here and not at Google" for one in here.keys() - at_google.keys()]
    found += [
        f"{one} has {sorted(here[one]['labels'])} and not {sorted(at_google[one])}"
        for one in at_google.keys() & here.keys()
        if not here[one]["traced"] and at_google[one] != set(here[one]["labels"])
    ]
    return found


def _messages(told: list[Envelope], rows: list[Any]) -> list[str]:
    """Every message was told from its birth to its present state, each change once."""
    by_message = defaultdict(list)
    for one in told:
        if one.type.startswith("mail.message."):
            by_message[one.data["google_message_id"]].append(one)
    found = []
    for row in rows:
        events = by_message.pop(row["google_id"], [])
        found += [f"{row['google_id']}: {wrong}" for wrong in _story(events, row)]
    # Of what was taken back, and then deleted at Google, nothing is left to tell of.
    found += [
        f"{one} was told of and is not here"
        for one, events in by_message.items()
        if not events[-1].type.startswith(REDACTED)
    ]
    return found


def _story(events: list[Envelope], row: Any) -> Iterable[str]:
    kinds = [one.type.split(".")[2] for one in events]
    numbers = [int(one.sequence) for one in events]
    if numbers != list(range(1, row["sequence"] + 1)):
        yield f"events {numbers} and not 1 to {row['sequence']}"
    is_told = False if kinds == ["deleted"] else _is_told(kinds)
    if is_told is None:
        yield f"{kinds}: not born once, nor once after it was taken back"
    elif is_told != (not row["deleted"] and not row["traced"]):
        yield f"{kinds} of a message that is {_standing(row)}"
    deaths = kinds.count("deleted")
    if deaths != int(row["deleted"]) or (deaths and kinds[-1] != "deleted"):
        yield f"{kinds} of a message that is {_standing(row)}"
    labels: set[str] | None = None
    for one, kind in zip(events, kinds, strict=True):
        if kind == "updated":
            added, removed = set(one.data["labels_added"]), set(one.data["labels_removed"])
            now = set(one.data["labels"])
            if labels is not None and (now != (labels | added) - removed or now == labels):
                yield f"an update from {sorted(labels)} to {sorted(now)} was told twice or wrongly"
        if kind not in ENDS:
            labels = set(one.data["labels"])
    if labels is not None and is_told and labels != set(row["labels"]):
        yield f"told {sorted(labels)}, has {sorted(row['labels'])}"


def _is_told(kinds: list[str]) -> bool | None:
    """Say whether consumers have a message after these events; None: they make no sense."""
    is_told = False
    for kind in kinds:
        if (kind in BIRTHS) == is_told:
            return None
        is_told = kind in BIRTHS or (is_told and kind not in ENDS)
    return is_told


def _standing(row: Any) -> str:
    return "deleted" if row["deleted"] else "a trace" if row["traced"] else "here"


async def _activities(house: House, told: list[Envelope]) -> list[str]:
    """Of every activity each number was told once, and the last event says what is."""
    by_id = defaultdict(list)
    for one in told:
        if one.type == "mail.activity.logged.v1":
            by_id[one.aggregate_id].append(one)
    mailboxes = [UUID(one) for one in house.mailboxes]
    rows = await house.mail_db.fetch(ACTIVITIES, [UUID(one) for one in by_id], mailboxes)
    found = [
        f"activity {row['id']}: {wrong}"
        for row in rows
        for wrong in _activity(by_id[str(row["id"])], row)
    ]
    unlike = await house.mail_db.fetch(UNLIKE, mailboxes)
    return found + [
        f"{row['google_id']} is a copy without a link, or linked and none" for row in unlike
    ]


def _activity(events: list[Envelope], row: Any) -> Iterable[str]:
    numbers = [int(one.sequence) for one in events]
    if numbers != list(range(1, row["sequence"] + 1)):
        yield f"events {numbers} and not 1 to {row['sequence']}"
        return
    last = events[-1].data["activity"]
    copies = sorted([one["connection_id"], one["google_message_id"]] for one in last["copies"])
    if copies != sorted(row["copies"]):
        yield f"told copies {copies}, has {sorted(row['copies'])}"
    entities = sorted(f"{one['type']}/{one['id']}" for one in last["entities"])
    if entities != sorted(row["entities"]):
        yield f"told {entities}, concerns {sorted(row['entities'])}"


def orders(told: list[Envelope]) -> list[str]:
    """Within one aggregate, our events come in the order of their numbers; the CRM's may not."""
    last: dict[tuple[str, str], int] = {}
    found = []
    for one in told:
        if one.type.startswith("crm."):
            continue
        number, aggregate = int(one.sequence), (one.tenantid, one.subject)
        if number <= last.get(aggregate, 0):
            found.append(f"{one.subject}: {number} after {last[aggregate]}")
        last[aggregate] = number
    return found
