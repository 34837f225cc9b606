"""messages.insert, import and send.

Source: https://developers.google.com/workspace/gmail/api/guides/sending
"""

import re
import secrets
from email.message import Message
from email.utils import formatdate
from typing import Any, Final

from emulator.errors import ApiError, invalid_argument
from emulator.gmail import mime, render
from emulator.gmail.access import mailbox
from emulator.gmail.labels import IMMUTABLE
from emulator.gmail.mailbox import Mailbox, StoredMessage
from emulator.rest.call import Call, Operation
from emulator.rest.upload import check_size
from emulator.world import World

Json = dict[str, Any]

MOST_RECIPIENTS: Final = 500
_RECIPIENTS: Final = ("to", "cc", "bcc")
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")


def insert(call: Call) -> Json:
    """Put a message into the mailbox as it is, past filters and spam checks."""
    return render.with_labels(_put(call, default_source="receivedTime"))


def import_message(call: Call) -> Json:
    """Put a message into the mailbox as if it had come by SMTP."""
    return render.with_labels(_put(call, default_source="dateHeader"))


def send(call: Call) -> Json:
    """Send a message and keep it under SENT."""
    box = mailbox(call)
    raw = raw_of(call, call.body)
    return render.with_labels(deliver(call.world, box, raw, call.body.get("threadId")))


def raw_of(call: Call, message: Json) -> bytes:
    """Return the RFC 5322 bytes of the call's upload, else of the Message body.

    Raises:
        ApiError: 400; there are none, or they are not base64url. 413; too many.
    """
    if call.media is not None:
        raw = call.media
    elif not message.get("raw"):
        text = "'raw' RFC822 payload message string or uploading message via /upload/* URL required"
        raise invalid_argument(text)
    else:
        try:
            raw = mime.decode(message["raw"])
        except ValueError as exc:
            raise invalid_argument("Invalid value for ByteString: raw") from exc
    if not raw.strip():
        raise invalid_argument("The message is empty.")
    check_size(call.method, len(raw))
    return raw


def deliver(
    world: World, box: Mailbox, raw: bytes, thread_id: str | None, *, keep_thread: bool = False
) -> StoredMessage:
    """Send from `box`: the copy under SENT, and a new mail for every recipient who lives here."""
    message = mime.parse(raw)
    recipients = mime.addresses(message, *_RECIPIENTS)
    _check_addresses(message)
    if not recipients:
        raise invalid_argument("Recipient address required")
    if len(recipients) > MOST_RECIPIENTS:
        raise ApiError(400, "Too many recipients", "invalidArgument")
    raw = _complete(world, box, raw)
    sent = box.add(raw, ["SENT"], thread_id=thread_id, keep_thread=keep_thread)
    for address in dict.fromkeys(recipients):
        person = world.people.receiver(address)
        if person is not None and person.email == box.email:
            box.relabel(sent.id, ["INBOX", "UNREAD"])
        elif person is not None:
            world.mailbox(person.email).add(_without_bcc(raw), ["UNREAD", "INBOX"])
    return sent


def _check_addresses(message: Message) -> None:
    for name in _RECIPIENTS:
        if any("@" not in address for address in mime.addresses(message, name)):
            raise invalid_argument(f"Invalid {name.title()} header")


def _put(call: Call, *, default_source: str) -> StoredMessage:
    box = mailbox(call)
    raw = raw_of(call, call.body)
    labels = call.body.get("labelIds", [])
    if call.query.get("deleted"):
        raise invalid_argument("The 'deleted' parameter needs a Vault archive; there is none here.")
    if set(labels) & (IMMUTABLE - {"SENT"}):
        raise invalid_argument("Invalid label: DRAFT messages are made by drafts.create.")
    source = call.query.get("internalDateSource", default_source)
    date_ms = mime.date_ms(mime.parse(raw)) if source == "dateHeader" else None
    return box.add(raw, labels, thread_id=call.body.get("threadId"), internal_date_ms=date_ms)


def _complete(world: World, box: Mailbox, raw: bytes) -> bytes:
    """Return the message as Gmail sends it: with From, Date and Gmail's own Message-ID."""
    message = mime.parse(raw)
    added = []
    if not mime.header(message, "from"):
        added.append(f"From: {box.email}")
    if not mime.header(message, "date"):
        added.append(f"Date: {formatdate(world.clock.now_s())}")
    if world.switches.replace_message_id or not mime.header(message, "message-id"):
        raw = _without_header(raw, b"message-id")
        added.append(f"Message-ID: <CA{secrets.token_urlsafe(36)}@mail.gmail.com>")
    if not added:
        return raw
    newline = b"\r\n" if b"\r\n" in raw else b"\n"
    return newline.join([*(line.encode() for line in added), raw])


def _without_bcc(raw: bytes) -> bytes:
    return _without_header(raw, b"bcc")


def _without_header(raw: bytes, name: bytes) -> bytes:
    match = _HEAD_END.search(raw)
    end = match.end() if match else len(raw)
    folded = rb"(?im)^" + re.escape(name) + rb"[ \t]*:[^\n]*(?:\n[ \t][^\n]*)*(?:\n|\Z)"
    return re.sub(folded, b"", raw[:end]) + raw[end:]


_PREFIX: Final = "gmail.users.messages."
OPERATIONS: Final = {
    f"{_PREFIX}insert": Operation(insert, units=25),
    f"{_PREFIX}import": Operation(import_message, units=25),
    f"{_PREFIX}send": Operation(send, units=100),
}
