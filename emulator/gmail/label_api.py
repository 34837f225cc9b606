"""The methods of labels."""

from dataclasses import replace
from typing import Any, Final

from emulator.errors import ApiError, invalid_argument, not_found
from emulator.gmail.access import mailbox
from emulator.gmail.labels import MAX_LABELS, MAX_NAME_CHARS, Label
from emulator.gmail.mailbox import Mailbox
from emulator.rest.call import Call, Operation

Json = dict[str, Any]


def list_labels(call: Call) -> Json:
    """Return all labels, without counts."""
    return {"labels": [label.json() for label in mailbox(call).labels.values()]}


def get(call: Call) -> Json:
    """Return one label with its counts."""
    box = mailbox(call)
    label = _label(box, call.path["id"])
    return {**label.json(), **_counts(box, label.id)}


def create(call: Call) -> Json:
    """Create a label of the person's own."""
    box = mailbox(call)
    if len(box.labels) >= MAX_LABELS:
        raise invalid_argument("Maximum number of labels reached.")
    label = Label(box.new_label_id(), _name(box, call.body, None), "user", "show", "labelShow")
    return _keep(box, label, call.body)


def update(call: Call) -> Json:
    """Replace a label's name, visibility and colour."""
    box = mailbox(call)
    old = _own(box, call.path["id"])
    bare = Label(old.id, _name(box, call.body, old), "user", "show", "labelShow")
    return _keep(box, bare, call.body)


def patch(call: Call) -> Json:
    """Change what the body names."""
    box = mailbox(call)
    old = _own(box, call.path["id"])
    name = _name(box, call.body, old) if "name" in call.body else old.name
    return _keep(box, replace(old, name=name), call.body)


def delete(call: Call) -> None:
    """Delete a label and take it off all messages."""
    box = mailbox(call)
    box.drop_label(_own(box, call.path["id"]).id)


def _label(box: Mailbox, label_id: str) -> Label:
    if label_id not in box.labels:
        raise not_found()
    return box.labels[label_id]


def _own(box: Mailbox, label_id: str) -> Label:
    label = _label(box, label_id)
    if label.type == "system":
        raise invalid_argument("Invalid update to a system label")
    return label


def _name(box: Mailbox, body: Json, old: Label | None) -> str:
    name = str(body.get("name", "")).strip()
    if not name or len(name) > MAX_NAME_CHARS:
        raise invalid_argument("Invalid label name")
    for label in box.labels.values():
        if label.name.lower() == name.lower() and label != old:
            raise ApiError(409, "Label name exists or conflicts", "aborted", status="ABORTED")
    return name


def _keep(box: Mailbox, label: Label, body: Json) -> Json:
    color = body.get("color")
    if color and not {"textColor", "backgroundColor"} <= color.keys():
        raise invalid_argument("A label color needs both textColor and backgroundColor")
    pair = (color["textColor"], color["backgroundColor"]) if color else label.color
    message_list = body.get("messageListVisibility", label.message_list)
    kept = replace(
        label,
        message_list=message_list and message_list.lower(),
        label_list=body.get("labelListVisibility", label.label_list),
        color=pair,
    )
    box.labels[kept.id] = kept
    return kept.json()


def _counts(box: Mailbox, label_id: str) -> Json:
    found = [stored for stored in box.messages.values() if label_id in stored.labels]
    unread = [stored for stored in found if "UNREAD" in stored.labels]
    return {
        "messagesTotal": len(found),
        "messagesUnread": len(unread),
        "threadsTotal": len({stored.thread_id for stored in found}),
        "threadsUnread": len({stored.thread_id for stored in unread}),
    }


_PREFIX: Final = "gmail.users.labels."
OPERATIONS: Final = {
    f"{_PREFIX}list": Operation(list_labels, units=1),
    f"{_PREFIX}get": Operation(get, units=1),
    f"{_PREFIX}create": Operation(create, units=5),
    f"{_PREFIX}update": Operation(update, units=5),
    f"{_PREFIX}patch": Operation(patch, units=5),
    f"{_PREFIX}delete": Operation(delete, units=5),
}
