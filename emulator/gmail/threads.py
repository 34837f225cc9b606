"""The methods of threads."""

from typing import Any, Final

from emulator.gmail import paging, render
from emulator.gmail.access import mailbox, only_metadata
from emulator.gmail.mailbox import Mailbox
from emulator.gmail.messages import existing, label_changes, matching
from emulator.rest.call import Call, Operation

Json = dict[str, Any]


def list_threads(call: Call) -> Json:
    """Return a page of threads that have a matching message, the newest first."""
    box = mailbox(call)
    ids = list(dict.fromkeys(stored.thread_id for stored in matching(call, box)))
    mark = (box.email, "threads", call.query.get("q"), call.query.get("labelIds"))
    start = paging.position(call.query.get("pageToken"), *mark)
    end = start + paging.size(call.query.get("maxResults"))
    result: Json = {}
    if ids[start:end]:
        result["threads"] = [_summary(box, thread_id) for thread_id in ids[start:end]]
    if end < len(ids):
        result["nextPageToken"] = paging.token(end, *mark)
    result["resultSizeEstimate"] = paging.estimate(call, len(ids), end)
    return result


def get(call: Call) -> Json:
    """Return a thread with its messages, oldest first."""
    box = mailbox(call)
    form = str(call.query.get("format", "full")).lower()
    render.check_format(form, only_metadata=only_metadata(call))
    names = call.query.get("metadataHeaders", ())
    messages = existing(box, call.path["id"])
    newest = max(stored.history_id for stored in messages)
    shown = [render.message(stored, form, names=names) for stored in messages]
    return {"id": call.path["id"], "historyId": str(newest), "messages": shown}


def modify(call: Call) -> Json:
    """Change the labels of all messages of a thread."""
    add, remove = label_changes(call)
    return _relabel(call, add, remove)


def trash(call: Call) -> Json:
    """Move a thread to the bin."""
    return _relabel(call, ["TRASH"], ["INBOX"])


def untrash(call: Call) -> Json:
    """Take a thread out of the bin."""
    return _relabel(call, [], ["TRASH"])


def delete(call: Call) -> None:
    """Delete a thread for ever."""
    box = mailbox(call)
    for stored in existing(box, call.path["id"]):
        box.delete(stored.id)


def _relabel(call: Call, add: list[str], remove: list[str]) -> Json:
    box = mailbox(call)
    changed = [box.relabel(stored.id, add, remove) for stored in existing(box, call.path["id"])]
    return {"id": call.path["id"], "messages": [render.with_labels(stored) for stored in changed]}


def _summary(box: Mailbox, thread_id: str) -> Json:
    messages = existing(box, thread_id)
    newest = max(stored.history_id for stored in messages)
    return {"id": thread_id, "snippet": messages[-1].snippet, "historyId": str(newest)}


_PREFIX: Final = "gmail.users.threads."
OPERATIONS: Final = {
    f"{_PREFIX}list": Operation(list_threads, units=10),
    f"{_PREFIX}get": Operation(get, units=40),
    f"{_PREFIX}modify": Operation(modify, units=10),
    f"{_PREFIX}trash": Operation(trash, units=20),
    f"{_PREFIX}untrash": Operation(untrash, units=20),
    f"{_PREFIX}delete": Operation(delete, units=20),
}
