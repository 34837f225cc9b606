"""What must be true of all that the CRM changes: sent once, labelled as wished, nothing forgotten.

As in `tests.house.truth`, every rule returns sentences that say what is wrong.
"""

from collections import Counter, defaultdict
from typing import Any
from uuid import UUID

from libs.common.events.envelope import Envelope
from services.mail.domain.sending.outgoing import SEND_HEADER
from tests.house.house import House

Row = Any

SENDS = """
SELECT o.id, o.connection_id, o.state, o.reason, o.google_id, o.entities, w.state AS write,
       m.google_id AS returned
  FROM outgoing o
  LEFT JOIN writes w ON w.tenant_id = o.tenant_id AND w.id = o.id
  LEFT JOIN messages m ON m.tenant_id = o.tenant_id AND m.id = o.id
 WHERE o.connection_id = ANY($1::uuid[])
"""
OPEN = """
SELECT kind, state, reason, due_at, deadline FROM writes
 WHERE finished_at IS NULL AND connection_id = ANY($1::uuid[])
   AND (state = 'sending' OR due_at < now() + interval '15 minutes')
"""
CHUNKS = """
SELECT count(*) FROM outgoing_chunks c JOIN outgoing o ON (o.tenant_id, o.id) =
       (c.tenant_id, c.outgoing_id) WHERE o.ended_at IS NOT NULL
"""
WRITTEN = {
    "queued": {"queued"},
    "sent": {"done"},
    "failed": {"failed"},
    "unknown": {"unknown"},
    "cancelled": {"cancelled"},
}
"""What the ledger says of an outgoing message in that state."""


async def left_at_google(house: House, email: str) -> dict[str, list[tuple[str, bool]]]:
    """Return by send what a mailbox has of it: Gmail's ids, and whether each is still a draft."""
    path = f"people/{email}/mailbox?header={SEND_HEADER}"
    found = defaultdict(list)
    for one in (await house.google.control("GET", path))["messages"]:
        if send_id := one["headers"][SEND_HEADER]:
            found[send_id].append((one["id"], "DRAFT" in one["labels"]))
    return found


async def outgoing_differences(house: House, told: list[Envelope]) -> list[str]:
    """Return all that is wrong with what goes out; nothing if all is well."""
    ids = [UUID(one) for one in house.mailboxes]
    rows = await house.mail_db.fetch(SENDS, ids)
    at_google: dict[str, list[tuple[str, bool]]] = {}
    for email in sorted(set(house.mailboxes.values())):
        at_google |= await left_at_google(house, email)
    found = [
        f"{one['kind']} is {one['state']} ({one['reason']}): {one['due_at']}, {one['deadline']}"
        for one in await house.mail_db.fetch(OPEN, ids)
    ]
    if count := await house.mail_db.fetchval(CHUNKS):
        found.append(f"{count} pieces of attachments are kept that nobody needs")
    for send_id, copies in at_google.items():
        if sum(not draft for _, draft in copies) > 1:
            found.append(f"{send_id} was sent {len(copies)} times")
    for row in rows:
        copies = at_google.get(str(row["id"]), [])
        found += [f"send {row['id']}: {wrong}" for wrong in _send(house, row, copies)]
        found += [f"send {row['id']}: {wrong}" for wrong in _told(house, row, told)]
    return found


def _send(house: House, row: Row, copies: list[tuple[str, bool]]) -> list[str]:
    state, google_id = row["state"], row["google_id"]
    sent = [one for one, draft in copies if not draft]
    found = []
    if row["write"] not in WRITTEN.get(state, {row["write"]}):
        found.append(f"{state}, and {row['write']} in the ledger")
    # Who disconnects while a message is under way leaves its draft behind: nobody may remove it.
    if len(sent) < len(copies) and row["reason"] != "disconnected":
        found.append(f"a draft is left of what is {state} ({row['reason']})")
    if state == "sent":
        wanted = [] if google_id in house.deleted else [google_id]
        if sent != wanted:
            found.append(f"sent as {google_id}, and there are {sent}")
        if row["returned"] != google_id and google_id not in house.deleted:
            found.append(f"sent as {google_id}, and here is {row['returned']}")
    elif sent and state != "unknown":
        found.append(f"{state}, and there are {sent}")
    return found


def _told(house: House, row: Row, told: list[Envelope]) -> list[str]:
    """What came back was told once, under its id; what did not was told of once."""
    send_id, state = str(row["id"]), row["state"]
    sent = [
        one
        for one in told
        if one.type.startswith("mail.message.sent.") and one.data.get("send_id") == send_id
    ]
    ended = Counter(
        one.type.split(".")[2]
        for one in told
        if one.type.startswith("mail.send.") and one.data["send_id"] == send_id
    )
    found = []
    most = int(state == "sent")
    least = 0 if row["google_id"] in house.deleted else most
    if not least <= len(sent) <= most:
        found.append(f"{state}, and told {len(sent)} times")
    for one in sent:
        facts = (one.data["message_id"], one.data["google_message_id"], one.data["origin"])
        if facts != (send_id, row["google_id"], "crm"):
            found.append(f"told as {facts}")
    wanted = {"failed": {"failed": 1}, "unknown": {"unsettled": 1}}.get(state, {})
    if state != "sent" and row["reason"] != "disconnected" and ended != wanted:
        found.append(f"{state}, and told {dict(ended)}")
    return found
