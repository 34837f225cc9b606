"""Reading and changing messages."""

from typing import Any, Final

from emulator.errors import forbidden, invalid_argument, not_found
from emulator.gmail import mime, paging, query, render
from emulator.gmail.access import mailbox, only_metadata
from emulator.gmail.labels import IMMUTABLE
from emulator.gmail.mailbox import Mailbox, StoredMessage
from emulator.rest.call import Call, Operation

Json = dict[str, Any]

_MOST_IDS: Final = 1000
_MOST_LABELS: Final = 100
_HIDDEN: Final = frozenset({"SPAM", "TRASH"})


def list_messages(call: Call) -> Json:
    """Return a page of ids, newest first."""
    box = mailbox(call)
    found = matching(call, box)
    mark = (box.email, call.query.get("q"), call.query.get("labelIds"))
    start = paging.position(call.query.get("pageToken"), *mark)
    end = start + paging.size(call.query.get("maxResults"))
    result: Json = {}
    if found[start:end]:
        result["messages"] = [render.ids(stored) for stored in found[start:end]]
    if end < len(found):
        result["nextPageToken"] = paging.token(end, *mark)
    result["resultSizeEstimate"] = paging.estimate(call, len(found), end)
    return result


def matching(call: Call, box: Mailbox) -> list[StoredMessage]:
    """Return the messages that `q`, `labelIds` and `includeSpamTrash` select, newest first."""
    text = call.query.get("q", "")
    if text and only_metadata(call):
        raise forbidden("Metadata scope does not support 'q' parameter")
    labels = set(call.query.get("labelIds", ()))
    box.check_labels(labels)
    search = query.parse(text, box, now_s=call.world.clock.now_s())
    shown = labels | search.places
    hidden = frozenset() if call.query.get("includeSpamTrash") else _HIDDEN
    hidden = frozenset() if search.anywhere or shown & _HIDDEN else hidden
    found = [
        stored
        for stored in box.messages.values()
        if labels <= set(stored.labels)
        and not hidden & set(stored.labels)
        and search.matches(stored)
    ]
    return sorted(found, key=lambda stored: (-stored.internal_date_ms, -stored.history_id))


def get(call: Call) -> Json:
    """Return one message in the wanted format."""
    box = mailbox(call)
    form = str(call.query.get("format", "full")).lower()
    render.check_format(form, only_metadata=only_metadata(call))
    stored = box.get(call.path["id"])
    if call.world.vanished(stored.id):
        raise not_found()
    return render.message(stored, form, names=call.query.get("metadataHeaders", ()))


def get_attachment(call: Call) -> Json:
    """Return the bytes of an attachment."""
    stored = mailbox(call).get(call.path["messageId"])
    data = mime.attachment(stored.parsed(), call.path["id"])
    if data is None:
        raise invalid_argument("Invalid attachment token")
    return {"size": len(data), "data": mime.encode(data)}


def modify(call: Call) -> Json:
    """Change the labels of one message."""
    add, remove = label_changes(call)
    box = mailbox(call)
    stored = box.get(call.path["id"])
    if add:
        box.refuse_draft(stored)
    return render.with_labels(box.relabel(stored.id, add, remove))


def batch_modify(call: Call) -> None:
    """Change the labels of up to 1,000 messages; ids that do not exist are passed over."""
    add, remove = label_changes(call)
    box = mailbox(call)
    box.check_labels((*add, *remove))
    for message_id in _ids(call):
        if message_id in box.messages:
            box.relabel(message_id, add, remove)


def trash(call: Call) -> Json:
    """Move one message to the bin."""
    box = mailbox(call)
    return render.with_labels(box.relabel(call.path["id"], ["TRASH"], ["INBOX"]))


def untrash(call: Call) -> Json:
    """Take one message out of the bin."""
    return render.with_labels(mailbox(call).relabel(call.path["id"], [], ["TRASH"]))


def delete(call: Call) -> None:
    """Delete one message for ever."""
    mailbox(call).delete(call.path["id"])


def batch_delete(call: Call) -> None:
    """Delete up to 1,000 messages for ever; ids need not exist."""
    box = mailbox(call)
    for message_id in _ids(call):
        if message_id in box.messages:
            box.delete(message_id)


def label_changes(call: Call) -> tuple[list[str], list[str]]:
    """Return the labels to add and to remove, or raise Gmail's 400."""
    add = call.body.get("addLabelIds", [])
    remove = call.body.get("removeLabelIds", [])
    if max(len(add), len(remove)) > _MOST_LABELS:
        raise invalid_argument("Too many labels: at most 100 can be added and 100 removed.")
    for name in (*add, *remove):
        if name in IMMUTABLE:
            raise invalid_argument(f"Invalid label: {name}")
    if set(add) & set(remove):
        raise invalid_argument("Cannot both add and remove the same label")
    if not add and not remove:
        raise invalid_argument("No label add or removes specified")
    return add, remove


def _ids(call: Call) -> list[str]:
    ids: list[str] = call.body.get("ids", [])
    if not ids:
        raise invalid_argument("No message ids specified")
    if len(ids) > _MOST_IDS:
        raise invalid_argument("Too many ids: at most 1000 are allowed.")
    return ids


def existing(box: Mailbox, thread_id: str) -> list[StoredMessage]:
    """Return the messages of a thread, oldest first, or raise Gmail's 404."""
    members = box.threads.members(thread_id)
    if not members:
        raise not_found()
    return [box.messages[message_id] for message_id in members]


_PREFIX: Final = "gmail.users.messages."
OPERATIONS: Final = {
    f"{_PREFIX}list": Operation(list_messages, units=5),
    f"{_PREFIX}get": Operation(get, units=20),
    f"{_PREFIX}attachments.get": Operation(get_attachment, units=20),
    f"{_PREFIX}modify": Operation(modify, units=5),
    f"{_PREFIX}batchModify": Operation(batch_modify, units=50),
    f"{_PREFIX}trash": Operation(trash, units=5),
    f"{_PREFIX}untrash": Operation(untrash, units=5),
    f"{_PREFIX}delete": Operation(delete, units=10),
    f"{_PREFIX}batchDelete": Operation(batch_delete, units=50),
}
