"""The ways out, as `tests.faults.paths` has the ways in: messages sent, labels changed."""

import itertools
import os
from contextlib import suppress

import aiohttp

from tests.faults.paths import ALICE, Begin, Done, Path, arrived, one_mailbox
from tests.house.house import House
from tests.house.letters import submit, tell_deal
from tests.house.outgoing import left_at_google
from tests.house.truth import first_seen
from tests.support import eventually

NUMBERS = itertools.count(1)
MANY = 12
"""Changed alike, they go to Google as one request."""
CONTENT = os.urandom(300_000)
"""Two pieces as it is stored."""
WRITE = """
SELECT count(*) FILTER (WHERE state = 'done') AS done, count(*) AS total
  FROM writes WHERE item = ANY($1::text[])
"""
IS_IN_TRASH = "SELECT 'TRASH' = ANY(labels) FROM messages WHERE google_id = $1"


async def mailbox_and_deal(house: House) -> None:
    """As `one_mailbox`, and a deal is known."""
    await one_mailbox(house)
    await tell_deal(house, "7")


def letter(house: House, subject: str) -> dict[str, object]:
    """Return a message from Alice that is to be logged with the deal."""
    (connection_id,) = house.mailboxes
    return {
        "connection_id": connection_id,
        "to": [{"address": "bob@example.org"}],
        "subject": subject,
        "text": "Hello Bob",
        "entities": [{"type": "deal", "id": "7"}],
    }


async def submission(house: House) -> Begin:
    """A message with an attachment is taken in; who gets no answer asks again."""
    number, wire = next(NUMBERS), house.wires["web", "inbound"]
    key, accepted = f"key-{number}", list[str]()
    body, file = letter(house, f"submitted {number}"), ("offer.pdf", CONTENT)

    async def attempt() -> None:
        with suppress(aiohttp.ClientError):
            status, said = await submit(house, body, file, key=key, origin=wire.url)
            assert status == 202, said
            accepted.append(said["id"])

    async def begin() -> Done:
        await attempt()

        async def done() -> bool:
            if not accepted:
                await attempt()
            return bool(accepted) and await is_logged_once(house, accepted[0])

        return done

    return begin


async def sending(house: House) -> Begin:
    """A message with an attachment goes out, comes back and is logged."""
    body, key = letter(house, "sent"), f"key-{next(NUMBERS)}"

    async def begin() -> Done:
        status, said = await submit(house, body, ("offer.pdf", CONTENT), key=key)
        assert status == 202, said

        async def done() -> bool:
            return await is_logged_once(house, said["id"])

        return done

    return begin


async def is_logged_once(house: House, send_id: str) -> bool:
    """Say whether a message was sent and logged; never may it have been sent or logged twice.

    Nor may there be one that nobody asked for.
    """
    row = await house.mail_db.fetchrow("SELECT state FROM outgoing WHERE id = $1::uuid", send_id)
    _must(row is not None, "what was accepted is gone")
    logged = [
        one
        for one in first_seen(house.events("mail.activity.logged."))
        if send_id in {copy["message_id"] for copy in one.data["activity"]["copies"]}
    ]
    _must(len(logged) <= 1, f"it was logged {len(logged)} times")
    if not logged or row is None or row["state"] != "sent":
        return False
    at_google = await left_at_google(house, ALICE)
    asked = {str(one["id"]) for one in await house.mail_db.fetch("SELECT id FROM outgoing")}
    _must(at_google.keys() <= asked, f"nobody asked for {at_google.keys() - asked}")
    sent = [one for one, draft in at_google[send_id] if not draft]
    _must(len(sent) == 1, f"it was sent as {sent}")
    return True


def _must(holds: bool, what: str) -> None:  # noqa: FBT001 - as `assert` has it
    """Fail at once, where an assertion would be waited out."""
    if not holds:
        raise RuntimeError(what)


async def one_label(house: House) -> Begin:
    """One message is starred from the CRM."""
    google_id = await arrived(house, subject="to be starred")
    await house.quiet()
    sql = "SELECT id FROM messages WHERE google_id = $1"
    message_id = await house.mail_db.fetchval(sql, google_id)

    async def begin() -> Done:
        path = f"/v1/mail/messages/{message_id}/labels"
        status, said = await house.call_mail("POST", path, {"action": "star"})
        assert status == 202, said
        return changed(house, [google_id], added=["STARRED"], removed=[])

    return begin


async def many_messages(house: House) -> None:
    """As `one_mailbox`, with more messages in it."""
    await one_mailbox(house)
    await house.deliver(ALICE, subject="to be thrown away", count=MANY)
    await eventually(lambda: here(house, "to be thrown away"), timeout_s=60)


async def many_labels(house: House) -> Begin:
    """Many messages are moved to the trash from the CRM, and the next time back."""
    await house.mail_db.execute("DELETE FROM writes")  # often enough it is taken for a loop
    google_ids, message_ids = await here(house, "to be thrown away")

    async def begin() -> Done:
        back = await house.mail_db.fetchval(IS_IN_TRASH, google_ids[0])
        body = {"message_ids": message_ids, "action": "restore" if back else "trash"}
        before = len(first_seen(house.events("mail.message.updated.")))
        status, said = await house.call_mail("POST", "/v1/mail/messages/labels", body)
        assert status == 202, said
        added, removed = (["INBOX"], ["TRASH"]) if back else (["TRASH"], ["INBOX"])
        return changed(house, google_ids, added=added, removed=removed, after=before)

    return begin


async def here(house: House, subject: str) -> tuple[list[str], list[str]]:
    """Return Google's and our ids of messages once all of them are here; nothing before."""
    sql = "SELECT google_id, id FROM messages WHERE subject = $1 ORDER BY google_id"
    rows = await house.mail_db.fetch(sql, subject)
    assert len(rows) == MANY
    return [row["google_id"] for row in rows], [str(row["id"]) for row in rows]


def changed(
    house: House, google_ids: list[str], *, added: list[str], removed: list[str], after: int = 0
) -> Done:
    """Return what says whether labels were changed; nothing else may ever be told of it.

    Args:
        house: where.
        google_ids: of the messages.
        added: labels that each gets.
        removed: labels that each loses.
        after: so many changes of labels were told before.
    """

    async def done() -> bool:
        told = [
            (one.data["origin"], one.data["labels_added"], one.data["labels_removed"])
            for one in first_seen(house.events("mail.message.updated."))[after:]
            if one.data["google_message_id"] in google_ids
        ]
        _must(all(one == ("crm", added, removed) for one in told), f"told {told}")
        _must(len(told) <= len(google_ids), "a change was told twice")
        row = await house.mail_db.fetchrow(WRITE, google_ids)
        assert row is not None
        _must(row["total"] == len(google_ids), f"{row['total']} changes are in the ledger")
        return bool(len(told) == row["done"] == len(google_ids))

    return done


PATHS = (
    Path("submit a message", "web", mailbox_and_deal, submission),
    Path("send a message", "worker", mailbox_and_deal, sending),
    Path("change a label", "worker", one_mailbox, one_label),
    Path("change many labels", "worker", many_messages, many_labels),
)
