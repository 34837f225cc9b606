"""Messages that arrive as files: their bytes stay as they are."""

import re
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emulator.control.http import ControlError
from emulator.gmail.mailbox import Mailbox, StoredMessage

MEDIA_TYPE: Final = "message/rfc822"
# What an mbox puts before a message, which is no header of it.
_POSTMARK: Final = re.compile(rb"\AFrom (?![ \t]*:)[^\n]*\n")


class FileArrival(BaseModel):
    """The query of such an upload.

    Attributes:
        labels: ids or names; a name that nobody has becomes a label of the person's own.
        internal_date_ms: when the message arrived; now by default.
        thread_key: messages with the same key share a thread; without, their headers decide.
    """

    model_config = ConfigDict(extra="forbid")
    labels: list[str] | None = None
    internal_date_ms: int | None = Field(default=None, ge=0, lt=2**53)
    thread_key: str | None = Field(default=None, min_length=1, max_length=200)


async def keep(request: web.Request, box: Mailbox) -> StoredMessage:
    """Store the file in the request's body and return the message it has become.

    Raises:
        ControlError: 400; the file is empty, or the query is not one of `FileArrival`.
    """
    wanted = _wanted(request)
    raw = _POSTMARK.sub(b"", await request.read(), count=1)
    if not raw.strip():
        raise ControlError(400, "the message is empty")
    labels = _label_ids(box, wanted)
    stored = box.add(
        raw, labels, thread_key=wanted.thread_key, internal_date_ms=wanted.internal_date_ms
    )
    if "DRAFT" in labels:
        box.drafts[box.new_draft_id()] = stored.id
    return stored


def _wanted(request: web.Request) -> FileArrival:
    values: dict[str, Any] = dict(request.query)
    if "labels" in values:
        values["labels"] = [name for name in request.query.getall("labels") if name]
    try:
        return FileArrival.model_validate(values)
    except ValidationError as exc:
        details = exc.errors(include_url=False, include_context=False, include_input=False)
        raise ControlError(400, "the query is not valid", details) from exc


def _label_ids(box: Mailbox, wanted: FileArrival) -> list[str]:
    if wanted.labels is None:
        return ["INBOX", "UNREAD"]
    return [box.label_named(name).id for name in wanted.labels]
