"""HTTP handlers on attachments: what a message carries, and each part's content as a stream."""

import asyncio
import re
from collections.abc import Awaitable
from contextlib import aclosing
from typing import TypeVar
from urllib.parse import quote

import structlog
from aiohttp import hdrs, web
from pydantic import BaseModel

from libs.common.connections.access import readable
from libs.common.db import POOL, transaction
from libs.common.errors import AppError, Conflict, NotFound, Transient
from libs.common.web import Access, Route, caller, path_uuid, reply, seen_by
from services.mail.domain.message import Attachment
from services.mail.store import connections
from services.mail.store import reading as store
from services.mail.store.reading import StoredMessage
from services.mail.sync.inward.downloads import Downloader, Spool
from services.mail.web.models import AttachmentOut

OPEN_S = 60.0
"""For Google to hand the message over."""
WHOLE_S = 600.0
"""For all of it to have left."""
ROUTE_S = WHOLE_S + OPEN_S + 30.0
"""Never before ours: an answer that has begun cannot become a problem any more."""
LOOK_EVERY_S = 0.5
OCTETS = "application/octet-stream"
TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}")
"""Source: https://www.rfc-editor.org/rfc/rfc6838#section-4.2"""
RUNS = re.compile(r"text/|application/(xhtml|javascript|ecmascript)|image/svg|.*xml")
"""Types a browser may run, or read as if they were; text is saved just as well as octets."""
PLAIN = frozenset({"text/plain", "text/csv", "text/calendar"})

DOWNLOADER: web.AppKey[Downloader] = web.AppKey("downloader", Downloader)

BROKEN_OFF: tuple[type[Exception], ...] = (AppError, TimeoutError, OSError)
CLIENT_GONE = 499

log = structlog.get_logger(__name__)
T = TypeVar("T")


class AttachmentList(BaseModel):
    """All attachments of a message."""

    items: list[AttachmentOut]


class _Gone(ConnectionError):
    """The caller has gone away."""


async def read_attachments(request: web.Request) -> web.Response:
    """GET /v1/mail/messages/{id}/attachments: in the message's order."""
    who, message_id = caller(request), path_uuid(request)
    async with transaction(request.app[POOL]) as conn:
        row = await store.get_message(conn, who.tenant_id, message_id, user_id=seen_by(who))
    items = [AttachmentOut.model_validate(one) for one in row.content.attachments]
    return reply(AttachmentList(items=items))


async def download(request: web.Request) -> web.StreamResponse:
    """GET /v1/mail/messages/{id}/attachments/{part}: its content, to be saved, never shown."""
    who, message_id = caller(request), path_uuid(request)
    async with transaction(request.app[POOL]) as conn:
        row = await store.get_message(conn, who.tenant_id, message_id, user_id=seen_by(who))
        connection = await connections.find_connection(conn, who.tenant_id, row.connection_id)
    attachment = _part(row, request.match_info["part"])
    open_mailbox = readable(connection)
    if request.method == hdrs.METH_HEAD:
        return web.Response(headers=_headers(attachment, attachment.size))
    opening = request.app[DOWNLOADER].open(open_mailbox, row.google_id, attachment.part)
    try:
        found = await _opened(request, opening)
    except _Gone:
        return web.Response(status=CLIENT_GONE)
    async with aclosing(found) as content:
        return await _stream(request, attachment, content)


def _part(row: StoredMessage, part: str) -> Attachment:
    for one in row.content.attachments:
        if one.part == part:
            return one
    raise NotFound("The message has no such attachment.")


async def _opened(request: web.Request, opening: Awaitable[T]) -> T:
    """Return what is opened; given up when it takes too long or nobody waits for it."""
    task = asyncio.ensure_future(opening)
    try:
        async with asyncio.timeout(OPEN_S):
            while not task.done():
                await asyncio.wait({task}, timeout=LOOK_EVERY_S)
                if not task.done() and _is_gone(request):
                    raise _Gone
    except TimeoutError as exc:
        raise Transient("Google took too long.", slug="timeout") from exc
    finally:
        task.cancel()
    return task.result()


def _is_gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


async def _stream(
    request: web.Request, attachment: Attachment, content: Spool
) -> web.StreamResponse:
    """Send the content; what breaks under way breaks the connection off, so that it shows."""
    response = web.StreamResponse(headers=_headers(attachment, content.size))
    try:
        async with asyncio.timeout(WHOLE_S):
            await response.prepare(request)
            async for chunk in content:
                await response.write(chunk)
            await response.write_eof()
    except BROKEN_OFF as exc:
        log.info("download_broke_off", cause=type(exc).__name__)
        if request.transport is not None:
            request.transport.abort()
    return response


def _headers(attachment: Attachment, size: int) -> dict[str, str]:
    """Return the headers under which no browser shows, guesses or runs the content."""
    return {
        hdrs.CONTENT_TYPE: _type(attachment.content_type),
        hdrs.CONTENT_DISPOSITION: _disposition(attachment.filename or "attachment"),
        hdrs.CONTENT_LENGTH: str(size),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }


def _type(content_type: str) -> str:
    name = content_type.lower()
    is_safe = TYPE.fullmatch(name) and (name in PLAIN or not RUNS.match(name))
    return name if is_safe and not name.startswith("message/") else OCTETS


def _disposition(filename: str) -> str:
    """Return the header that names the file: in ASCII for old readers, and as it is.

    Source: https://www.rfc-editor.org/rfc/rfc6266#appendix-D and RFC 5987
    """
    name = re.sub(r"[/\\\x00-\x1f\x7f\ud800-\udfff]", "_", filename)
    ascii_name = re.sub(r'[^ -~]|["%]', "_", name)
    return f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(name, safe='')}"


ROUTES = (
    Route(
        method="GET",
        path="/v1/mail/messages/{id}/attachments",
        handler=read_attachments,
        access=Access.USER_OR_SERVICE,
        summary="List a message's attachments",
        returns=AttachmentList,
        errors=(NotFound,),
        tags=("attachments",),
    ),
    Route(
        method="GET",
        path="/v1/mail/messages/{id}/attachments/{part}",
        handler=download,
        access=Access.USER_OR_SERVICE,
        summary="Download an attachment: the content as it was sent",
        timeout_s=ROUTE_S,
        errors=(NotFound, Conflict, Transient),
        tags=("attachments",),
    ),
)
