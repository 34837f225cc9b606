"""What must be true beside `tests.house.truth`: links, who sees what, and well feeds."""

from collections import defaultdict
from typing import Any
from uuid import UUID

from services.mail.domain.message import HIDDEN
from tests.soak.stage import Mailbox, Stage

ROWS = """
SELECT id, google_id, connection_id, traced, activity_id,
       ARRAY(SELECT l.entity_id FROM message_links l
               WHERE l.tenant_id = m.tenant_id AND l.message_id = m.id) AS entities
  FROM messages m
 WHERE connection_id = ANY($1::uuid[]) AND deleted_at IS NULL
"""
ILL = """
SELECT kind, state, reason FROM feeds
 WHERE connection_id = ANY($1::uuid[])
   AND state <> CASE WHEN kind IN ('mail.backfill', 'mail.repair') THEN 'closed' ELSE 'active' END
"""
WAITING = "SELECT count(*) FROM keep_work WHERE connection_id = ANY($1::uuid[])"
LEFT = "SELECT count(*) FROM messages WHERE connection_id = ANY($1::uuid[])"
PAGE = 100
Row = Any


async def misplaced(stage: Stage) -> list[str]:
    """Return all that is wrong; nothing if all is well."""
    ids = [UUID(one.connection_id) for one in stage.mailboxes]
    rows = await stage.house.mail_db.fetch(ROWS, ids)
    by_mailbox: dict[str, list[Row]] = defaultdict(list)
    traces: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        (traces if row["traced"] else by_mailbox)[str(row["connection_id"])].append(row)
    found = [
        f"{row['kind']} is {row['state']} ({row['reason']})"
        for row in await stage.house.mail_db.fetch(ILL, ids)
    ]
    if left := await stage.house.mail_db.fetchval(LEFT, [UUID(one) for one in stage.purged]):
        found.append(f"{left} messages are left of what should be purged")
    if waiting := await stage.house.mail_db.fetchval(WAITING, ids):
        found.append(f"{waiting} mailboxes are not held against their settings")
    for mailbox in stage.mailboxes:
        one = mailbox.connection_id
        found += await _kept(stage, mailbox, whole=by_mailbox[one], traces=traces[one])
    found += _links(stage, by_mailbox)
    for tenant, user in sorted({(one.tenant, one.user) for one in stage.mailboxes}):
        mine = [one for one in stage.mailboxes if (one.tenant, one.user) == (tenant, user)]
        found += await _shown(stage, mine, by_mailbox)
    return found


async def _kept(
    stage: Stage, mailbox: Mailbox, *, whole: list[Row], traces: list[Row]
) -> list[str]:
    """What settings let be kept is here, and of the rest only traces."""
    found = [
        f"{row['google_id']} is kept, against the settings"
        for row in whole
        if not stage.keeps(mailbox, row["google_id"])
    ]
    path = f"people/{mailbox.person.email}/mailbox"
    letters = (await stage.house.google.control("GET", path))["messages"]
    hidden = {one["id"] for one in letters if HIDDEN & set(one["labels"])}
    return found + [
        f"{row['google_id']} is a trace, against the settings"
        for row in traces
        if row["google_id"] not in hidden and stage.keeps(mailbox, row["google_id"])
    ]


def _links(stage: Stage, by_mailbox: dict[str, list[Row]]) -> list[str]:
    """Every message is linked to whom it concerns, and to nobody else."""
    found = []
    for mailbox in stage.mailboxes:
        for row in by_mailbox[mailbox.connection_id]:
            expected = sorted(stage.logged_with(mailbox, row["google_id"]))
            if sorted(row["entities"]) != expected:
                found.append(f"{row['google_id']} is linked to {row['entities']}, not {expected}")
    return found


async def _shown(stage: Stage, mine: list[Mailbox], by_mailbox: dict[str, list[Row]]) -> list[str]:
    """A user sees all that is theirs, and of colleagues what concerns an entity."""
    tenant, user = mine[0].tenant, mine[0].user
    own = {one.connection_id for one in mine}
    ours = {one.connection_id for one in stage.mailboxes if one.tenant == tenant}
    rows = {
        str(row["id"]): row
        for one in ours
        for row in by_mailbox[one]
        if one in own or row["entities"]
    }
    found = []
    everything = await _list(stage, "/v1/mail/messages?limit=100", tenant, user)
    shown = [one["id"] for one in everything if one["connection_id"] in ours]
    if sorted(shown) != sorted(rows):
        found.append(f"{user} of {tenant} is shown {len(shown)} messages of {len(rows)}")
    foreign = {one.connection_id for one in stage.mailboxes} - ours
    found += [
        f"{user} is shown {one['id']}" for one in everything if one["connection_id"] in foreign
    ]
    for name in sorted({name for whose, name in stage.entities if whose == tenant}):
        found += await _activities(stage, name, ours, (tenant, user), rows)
    for other in stage.mailboxes:
        if other not in mine:
            found += await _hidden(stage, other, by_mailbox[other.connection_id], tenant, user)
    return found


async def _activities(
    stage: Stage, name: str, ours: set[str], seat: tuple[str, str], rows: dict[str, Row]
) -> list[str]:
    """An activity is shown once, with the copies of all mailboxes of the tenant."""
    tenant, user = seat
    path = f"/v1/mail/activities?entity_type=lead&entity_id={name}&limit=100"
    if stage.entities[tenant, name].emails is None:
        status, _ = await stage.house.call_mail("GET", path, tenant=tenant, user=user)
        return [] if status == 404 else [f"{name} is gone, and shown ({status})"]
    shown = [
        (one["id"], each["message_id"])
        for one in await _list(stage, path, tenant, user)
        for each in one["copies"]
        if each["connection_id"] in ours
    ]
    expected = [
        (str(row["activity_id"]), message_id)
        for message_id, row in rows.items()
        if name in stage.expected(tenant, row["google_id"])
    ]
    if sorted(shown) == sorted(expected):
        return []
    return [f"{name} has activities {sorted(shown)}, and not {sorted(expected)}"]


async def _hidden(
    stage: Stage, other: Mailbox, rows: list[Row], tenant: str, user: str
) -> list[str]:
    """A mailbox of somebody else is not there, in either service; nor is what nobody shares."""
    house, seat = stage.house, {"tenant": tenant, "user": user}
    answers = [
        (await house.call_auth("GET", f"/v1/connections/{other.connection_id}", **seat))[0],
        (
            await house.call_mail(
                "GET", f"/v1/mail/connections/{other.connection_id}/settings", **seat
            )
        )[0],
    ]
    hidden = [row for row in rows if other.tenant != tenant or not row["entities"]]
    answers += [
        (await house.call_mail("GET", f"/v1/mail/messages/{row['id']}", **seat))[0]
        for row in hidden[:1]
    ]
    return [] if set(answers) == {404} else [f"{user} of {tenant} got {answers} of another's"]


async def _list(stage: Stage, path: str, tenant: str, user: str) -> list[Any]:
    """Return all pages of a list."""
    items, cursor = [], ""
    while True:
        status, page = await stage.house.call_mail("GET", path + cursor, tenant=tenant, user=user)
        assert status == 200, page
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        cursor = f"&cursor={page['next_cursor']}"
