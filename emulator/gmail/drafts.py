"""The methods of drafts: the id stays, the message inside is replaced.

Source: https://developers.google.com/workspace/gmail/api/guides/drafts
"""

from typing import Any, Final

from emulator.errors import forbidden, invalid_argument
from emulator.gmail import paging, query, render
from emulator.gmail.access import mailbox, only_metadata
from emulator.gmail.mailbox import Mailbox, StoredMessage
from emulator.gmail.writing import deliver, raw_of
from emulator.rest.call import Call, Operation

Json = dict[str, Any]


def create(call: Call) -> Json:
    """Create a draft."""
    box = mailbox(call)
    message = call.body.get("message", {})
    stored = box.add(raw_of(call, message), ["DRAFT"], thread_id=message.get("threadId"))
    draft_id = box.new_draft_id()
    box.drafts[draft_id] = stored.id
    return _draft(draft_id, stored)


def get(call: Call) -> Json:
    """Return a draft with its message in the wanted format."""
    box = mailbox(call)
    form = str(call.query.get("format", "full")).lower()
    if only_metadata(call):
        raise forbidden("Metadata scope doesn't allow reading drafts")
    stored = box.draft_message(call.path["id"])
    return {"id": call.path["id"], "message": render.message(stored, form)}


def list_drafts(call: Call) -> Json:
    """Return a page of drafts, the newest first."""
    box = mailbox(call)
    text = call.query.get("q", "")
    search = query.parse(text, box, now_s=call.world.clock.now_s())
    found = [
        (draft_id, box.messages[message_id])
        for draft_id, message_id in reversed(box.drafts.items())
        if search.matches(box.messages[message_id])
    ]
    mark = (box.email, "drafts", text)
    start = paging.position(call.query.get("pageToken"), *mark)
    end = start + paging.size(call.query.get("maxResults"))
    result: Json = {}
    if found[start:end]:
        result["drafts"] = [
            {"id": draft_id, "message": render.ids(stored)} for draft_id, stored in found[start:end]
        ]
    if end < len(found):
        result["nextPageToken"] = paging.token(end, *mark)
    result["resultSizeEstimate"] = paging.estimate(call, len(found), end)
    return result


def update(call: Call) -> Json:
    """Replace the message inside a draft."""
    box = mailbox(call)
    draft_id = call.path["id"]
    stored = _replace(box, draft_id, raw_of(call, call.body.get("message", {})))
    return _draft(draft_id, stored)


def delete(call: Call) -> None:
    """Delete a draft and its message for ever."""
    box = mailbox(call)
    box.delete(box.draft_message(call.path["id"]).id)


def send(call: Call) -> Json:
    """Send a draft; it ends, and a message with a new id appears under SENT."""
    box = mailbox(call)
    draft_id = str(call.body.get("id", ""))
    if not draft_id and call.media is None:
        raise invalid_argument("Invalid draft: an id is needed")
    if not draft_id:
        return render.with_labels(deliver(call.world, box, raw_of(call, {}), None))
    draft = box.draft_message(draft_id)
    newer = call.body.get("message", {})
    raw = raw_of(call, newer) if newer.get("raw") or call.media else draft.raw
    sent = deliver(call.world, box, raw, draft.thread_id, keep_thread=True)
    box.delete(draft.id)
    return render.with_labels(box.messages[sent.id])


def _replace(box: Mailbox, draft_id: str, raw: bytes) -> StoredMessage:
    old = box.draft_message(draft_id)
    stored = box.add(raw, ["DRAFT"], thread_id=old.thread_id, keep_thread=True)
    box.drafts[draft_id] = stored.id
    box.delete(old.id)
    return stored


def _draft(draft_id: str, stored: StoredMessage) -> Json:
    return {"id": draft_id, "message": render.with_labels(stored)}


_PREFIX: Final = "gmail.users.drafts."
OPERATIONS: Final = {
    f"{_PREFIX}create": Operation(create, units=10),
    f"{_PREFIX}get": Operation(get, units=5),
    f"{_PREFIX}list": Operation(list_drafts, units=5),
    f"{_PREFIX}update": Operation(update, units=15),
    f"{_PREFIX}delete": Operation(delete, units=10),
    f"{_PREFIX}send": Operation(send, units=100),
}
