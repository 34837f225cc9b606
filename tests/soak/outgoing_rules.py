"""What the CRM does in people's mailboxes: it sends, takes back, and changes labels."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from tests.house.letters import submit, tell_deal
from tests.soak.processes import ensure
from tests.soak.stage import STRANGERS, Mailbox, Send, Stage
from tests.soak.steps import Step

DEAL = "dot"
ACTIONS = ("read", "unread", "star", "unstar", "archive", "unarchive", "trash", "restore")
BUSY = {409, 429, 502, 503}
"""The mailbox may be out of reach, and Google may be in a bad mood."""
GONE = {400, 404}
"""The message may be gone."""
Json = dict[str, Any]


async def write(stage: Stage, step: Step) -> None:
    """A user writes to a stranger, perhaps with a file, perhaps about a deal."""
    mailbox = stage.mailbox(step.which)
    if mailbox is not None:
        to = STRANGERS[step.how % len(STRANGERS)]
        await _send(stage, mailbox, step, {"to": [{"address": to}], "subject": "written"})


async def reply(stage: Stage, step: Step) -> None:
    """A user answers a message."""
    mailbox = stage.mailbox(step.which)
    shown = await _shown(stage, mailbox) if mailbox else []
    if mailbox and shown:
        named = shown[step.how % len(shown)]["id"]
        await _send(stage, mailbox, step, {"reply_to_message_id": named})


async def schedule(stage: Stage, step: Step) -> None:
    """A user writes what is to leave later: in a moment, or when this story is long over."""
    mailbox = stage.mailbox(step.which)
    if mailbox is not None:
        waits = timedelta(hours=1) if step.how % 2 else timedelta(seconds=0.5)
        body = {"to": [{"address": STRANGERS[0]}], "subject": "later"}
        await _send(stage, mailbox, step, body, waits=waits)


async def take_back(stage: Stage, step: Step) -> None:
    """A user takes a message back, if it is not too late."""
    mine = [one for one in stage.sends if one.mailbox in stage.mailboxes and not one.taken_back]
    if not mine:
        return
    await ensure(stage, "web")
    one = mine[step.how % len(mine)]
    path = f"/v1/mail/sends/{one.id}"
    status, said = await stage.house.call_mail("DELETE", path, **_seat(one.mailbox))
    assert status in {204, 409}, said
    one.taken_back = status == 204


async def label(stage: Stage, step: Step) -> None:
    """A user changes a message's labels."""
    mailbox = stage.mailbox(step.which)
    shown = await _shown(stage, mailbox) if mailbox else []
    if mailbox and shown:
        one = shown[step.how % len(shown)]
        path = f"/v1/mail/messages/{one['id']}/labels"
        await _change(stage, mailbox, path, [one], {"action": ACTIONS[step.how % len(ACTIONS)]})


async def labels(stage: Stage, step: Step) -> None:
    """A user changes the labels of all messages alike."""
    mailbox = stage.mailbox(step.which)
    shown = await _shown(stage, mailbox, most=100) if mailbox else []
    if mailbox and shown:
        body = {
            "message_ids": [one["id"] for one in shown],
            "action": ACTIONS[step.how % len(ACTIONS)],
        }
        await _change(stage, mailbox, "/v1/mail/messages/labels", shown, body)


async def _send(
    stage: Stage, mailbox: Mailbox, step: Step, body: Json, *, waits: timedelta | None = None
) -> None:
    await ensure(stage, "web")
    about = step.how % 3 == 0
    if about:
        await tell_deal(stage.house, DEAL, tenant=mailbox.tenant)
        body["entities"] = [{"type": "deal", "id": DEAL}]
    if waits is not None:
        body["send_at"] = (datetime.now(UTC) + waits).isoformat()
    body |= {"connection_id": mailbox.connection_id, "text": "Hello"}
    files = [("file.pdf", b"x" * 1000)] if step.how % 4 == 1 else []
    key = str(uuid4())
    status, said = await submit(stage.house, body, *files, key=key, **_seat(mailbox))
    if status != 202:
        assert status in BUSY | GONE, said
        return
    people = frozenset(one["address"] for name in ("to", "cc", "bcc") for one in said[name])
    is_far = waits is not None and waits > timedelta(minutes=1)
    stage.sends.append(Send(said["id"], mailbox, people, about=about, far=is_far))
    if step.who:  # the answer was lost on its way to the CRM
        status, again = await submit(stage.house, body, *files, key=key, **_seat(mailbox))
        assert (status, again["id"]) == (202, said["id"]), again


async def _change(stage: Stage, mailbox: Mailbox, path: str, shown: list[Json], body: Json) -> None:
    status, said = await stage.house.call_mail("POST", path, body, **_seat(mailbox))
    if status != 202:
        assert status in BUSY | GONE, said
        return
    for one in shown:
        stage.written.setdefault(one["google_message_id"], set()).add(mailbox.connection_id)


async def _shown(stage: Stage, mailbox: Mailbox, *, most: int = 10) -> list[Json]:
    await ensure(stage, "web")
    path = f"/v1/mail/messages?limit={most}&connection_id={mailbox.connection_id}"
    status, page = await stage.house.call_mail("GET", path, **_seat(mailbox))
    assert status == 200, page
    return list(page["items"])


def _seat(mailbox: Mailbox) -> dict[str, str]:
    return {"tenant": mailbox.tenant, "user": mailbox.user}


RULES = {
    "write": write,
    "reply": reply,
    "schedule": schedule,
    "take_back": take_back,
    "label": label,
    "labels": labels,
}
