"""Mail that arrives, and what people do to it in Google's own apps."""

import base64
import binascii
from email import policy
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any, Final, Literal, Self

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, model_validator

from emulator.control import files
from emulator.control.http import PREFIX, ControlError, body, breathe, person
from emulator.gmail import mime
from emulator.gmail.mailbox import Mailbox, StoredMessage
from emulator.world import WORLD, World

Json = dict[str, Any]

_EDITS: Final[dict[str, tuple[list[str], list[str]]]] = {
    "read": ([], ["UNREAD"]),
    "unread": (["UNREAD"], []),
    "star": (["STARRED"], []),
    "unstar": ([], ["STARRED"]),
    "archive": ([], ["INBOX"]),
    "trash": (["TRASH"], ["INBOX"]),
    "untrash": ([], ["TRASH"]),
    "spam": (["SPAM"], ["INBOX"]),
    "not_spam": (["INBOX"], ["SPAM"]),
}


class Attachment(BaseModel):
    """A file to attach; `content` is base64."""

    model_config = ConfigDict(extra="forbid")
    filename: str
    content: str = ""
    mime_type: str = "application/octet-stream"


class Arrival(BaseModel):
    """A message: either `raw` (RFC 5322 text, or base64 of it) or simple fields."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    raw: str | None = None
    sender: str = Field(default="somebody@example.net", alias="from")
    to: str | None = None
    cc: str | None = None
    subject: str = ""
    text: str = ""
    html: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    attachments: list[Attachment] = Field(default_factory=list)
    labels: list[str] | None = None
    thread_id: str | None = None
    internal_date_ms: int | None = None
    sent: bool = False
    count: int = Field(default=1, ge=1, le=100_000)


class Edit(BaseModel):
    """Something the person does to messages."""

    model_config = ConfigDict(extra="forbid")
    message: str | None = None
    messages: list[str] = Field(default_factory=list)
    action: Literal[
        "read", "unread", "star", "unstar", "archive", "trash", "untrash", "spam", "not_spam",
        "label", "delete",
    ]  # fmt: skip
    add: list[str] = Field(default_factory=list)
    remove: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not self.message and not self.messages:
            raise ValueError("name at least one message")
        return self


class HistoryAction(BaseModel):
    """What happens to the history."""

    model_config = ConfigDict(extra="forbid")
    action: Literal["expire"] = "expire"


async def arrive(request: web.Request) -> web.Response:
    """Deliver a message (or `count` copies of it) and say what became of it."""
    owner = person(request)
    world = request.app[WORLD]
    box = world.mailbox(owner.email)
    if request.content_type == files.MEDIA_TYPE:
        received_at = world.clock.now_ms()
        described = _described(await files.keep(request, box))
        return web.json_response({**described, "changed_at": received_at}, status=201)
    wanted = await body(request, Arrival)
    raw = _raw(wanted, owner.email, world)
    default = ["SENT"] if wanted.sent else ["INBOX", "UNREAD"]
    labels = default if wanted.labels is None else wanted.labels
    changed_at = world.clock.now_ms()
    stored = []
    for number in range(wanted.count):
        await breathe(number)  # thousands of messages do not hold up everyone else
        stored.append(
            box.add(
                _copy(raw, wanted, number),
                labels,
                thread_id=wanted.thread_id,
                keep_thread=True,
                internal_date_ms=wanted.internal_date_ms,
            )
        )
    answer = {**_described(stored[-1]), "changed_at": changed_at}
    if wanted.count > 1:
        answer["ids"] = [message.id for message in stored]
    return web.json_response(answer, status=201)


async def edit(request: web.Request) -> web.Response:
    """Do to messages what the person does in Gmail."""
    owner = person(request)
    wanted = await body(request, Edit)
    world = request.app[WORLD]
    box = world.mailbox(owner.email)
    ids = [*([wanted.message] if wanted.message else []), *wanted.messages]
    for message_id in ids:
        box.get(message_id)
    changed_at = world.clock.now_ms()
    _apply(box, wanted, ids)
    left = [_described(box.messages[i]) for i in ids if i in box.messages]
    answer = {
        "historyId": str(box.history_id),
        "changed_at": changed_at,
        "messages": left,
    }
    return web.json_response(answer)


async def mailbox(request: web.Request) -> web.Response:
    """Show what is in the mailbox, without bodies; `?header=` adds one header of each message."""
    box = request.app[WORLD].mailbox(person(request).email)
    wanted = request.query.getall("header", [])
    messages = [
        {
            "id": m.id,
            "threadId": m.thread_id,
            "labels": list(m.labels),
            "subject": mime.header(m.parsed(), "subject"),
            "messageId": m.message_id,
            "historyId": str(m.history_id),
            **(
                {"headers": {one: mime.header(m.parsed(), one) for one in wanted}} if wanted else {}
            ),
        }
        for m in box.messages.values()
    ]
    return web.json_response({"historyId": str(box.history_id), "messages": messages})


def _shown(message: StoredMessage, wanted: list[str]) -> Json:
    head = mime.parse_head(message.raw)
    shown: Json = {
        "id": message.id,
        "threadId": message.thread_id,
        "labels": list(message.labels),
        "subject": mime.header(head, "subject"),
        "messageId": message.message_id,
        "historyId": str(message.history_id),
    }
    if wanted:
        shown["headers"] = {name: mime.header(head, name) for name in wanted}
    return shown


async def change_history(request: web.Request) -> web.Response:
    """Make every history id that was given out too old, as after a long silence."""
    await body(request, HistoryAction)
    box = request.app[WORLD].mailbox(person(request).email)
    return web.json_response({"historyId": str(box.expire_history())})


def _raw(wanted: Arrival, owner: str, world: World) -> bytes:
    if wanted.raw is None:
        return _built(wanted, owner, world)
    if ":" in wanted.raw.partition("\n")[0]:
        try:
            return wanted.raw.encode("latin-1")
        except UnicodeEncodeError:
            return wanted.raw.encode()
    try:
        return mime.decode(wanted.raw)
    except ValueError as exc:
        raise ControlError(400, "raw is neither a message nor base64 of one") from exc


def _copy(raw: bytes, wanted: Arrival, number: int) -> bytes:
    """Return the message for its `number`th delivery: made ones get Message-IDs of their own."""
    made_id = not any(name.lower() == "message-id" for name in wanted.headers)
    if number == 0 or wanted.raw is not None or not made_id:
        return raw
    return raw.replace(b"\r\nMessage-ID: <", b"\r\nMessage-ID: <%d." % number, 1)


def _built(wanted: Arrival, owner: str, world: World) -> bytes:
    message = EmailMessage()
    sender = owner if wanted.sent and "sender" not in wanted.model_fields_set else wanted.sender
    message["From"] = sender
    message["To"] = wanted.to or ("somebody@example.net" if wanted.sent else owner)
    if wanted.cc:
        message["Cc"] = wanted.cc
    message["Subject"] = wanted.subject
    message["Date"] = formatdate((wanted.internal_date_ms or world.clock.now_ms()) / 1000)
    if not any(name.lower() == "message-id" for name in wanted.headers):
        message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2].strip("> "))
    for name, value in wanted.headers.items():
        message[name] = value
    message.set_content(wanted.text)
    if wanted.html is not None:
        message.add_alternative(wanted.html, subtype="html")
    for item in wanted.attachments:
        main, _, sub = item.mime_type.partition("/")
        try:
            content = base64.b64decode(item.content, validate=True)
        except binascii.Error as exc:
            raise ControlError(400, "an attachment's content is not base64") from exc
        message.add_attachment(content, maintype=main, subtype=sub, filename=item.filename)
    return message.as_bytes(policy=policy.SMTP)


def _apply(box: Mailbox, wanted: Edit, ids: list[str]) -> None:
    for message_id in ids:
        if wanted.action == "delete":
            box.delete(message_id)
        elif wanted.action == "label":
            box.relabel(message_id, wanted.add, wanted.remove)
        else:
            box.relabel(message_id, *_EDITS[wanted.action])


def _described(stored: StoredMessage) -> Json:
    return {
        "id": stored.id,
        "threadId": stored.thread_id,
        "historyId": str(stored.history_id),
        "labelIds": list(stored.labels),
        "messageId": stored.message_id,
    }


def routes() -> list[web.RouteDef]:
    """Return the routes of this module."""
    one = f"{PREFIX}/people/{{email}}"
    return [
        web.post(f"{one}/messages", arrive),
        web.post(f"{one}/edits", edit),
        web.get(f"{one}/mailbox", mailbox),
        web.post(f"{one}/history", change_history),
    ]
