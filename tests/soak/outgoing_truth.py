"""What must be true of what the CRM wanted: all of it came about, once, and counts as the CRM's."""

from collections import defaultdict
from uuid import UUID

from tests.house.outgoing import left_at_google
from tests.house.truth import first_seen
from tests.soak.outgoing_rules import DEAL
from tests.soak.stage import Stage

STATES = "SELECT id, state, reason FROM outgoing WHERE connection_id = ANY($1::uuid[])"


async def learn(stage: Stage) -> None:
    """Find out which messages the sends became: from now on they are mail like any other."""
    sends = {one.id: one for one in stage.sends}
    for person in stage.people:
        for send_id, copies in (await left_at_google(stage.house, person.email)).items():
            for google_id, draft in copies:
                if draft or send_id not in sends or google_id in person.letters:
                    continue
                one = sends[send_id]
                person.letters.append(google_id)
                stage.concerns[google_id] = one.people
                where = (one.mailbox.connection_id, google_id)
                stage.ours.add(where)
                if one.about:
                    stage.asked[where] = DEAL


async def unfulfilled(stage: Stage) -> list[str]:
    """Return all that is wrong; nothing if all is well."""
    ids = [UUID(one.connection_id) for one in stage.mailboxes]
    rows = {str(row["id"]): row for row in await stage.house.mail_db.fetch(STATES, ids)}
    mine = {one.id: one for one in stage.sends if one.mailbox in stage.mailboxes}
    found = [f"nobody asked for the send {one}" for one in rows.keys() - mine.keys()]
    for name, one in mine.items():
        wanted = "cancelled" if one.taken_back else "queued" if one.far else "sent"
        row = rows.get(name)
        if row is None or row["state"] != wanted:
            found.append(f"the send {name} is {row and dict(row)}, and not {wanted}")
    return found + _origins(stage)


def _origins(stage: Stage) -> list[str]:
    """A change counts as the CRM's if it is, and as the person's if it is."""
    told = defaultdict(set)
    for one in first_seen(stage.house.events("mail.message.updated.")):
        told[one.data["connection_id"], one.data["google_message_id"]].add(one.data["origin"])
    found = []
    for (connection_id, google_id), origins in told.items():
        by = stage.written.get(google_id, set())
        if connection_id not in by and "crm" in origins:
            found.append(f"{google_id} was told as the CRM's, which did nothing to it")
        if by == {connection_id} and google_id not in stage.edited and "live" in origins:
            found.append(f"{google_id} was told as the person's, who did nothing to it")
    return found
