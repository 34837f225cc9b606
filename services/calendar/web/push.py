"""The door for Calendar's notices: headers in, verify, knock; the rest is a worker's."""

from collections.abc import Sequence

from aiohttp import web

from libs.common.errors import InvalidInput, Transient, Unauthenticated
from libs.common.web import Access, Route
from services.calendar.domain.channel import ChannelKey, Notice
from services.calendar.sync.inward.notices import LEFT, Notices

MAX_BODY = 4096
"""Google sends none."""
TIMEOUT_S = 8.0

KEYS: web.AppKey[Sequence[ChannelKey]] = web.AppKey("channel_keys", tuple)
NOTICES = web.AppKey("notices", Notices)


async def receive_notice(request: web.Request) -> web.Response:
    """POST /webhooks/google/calendar: mark the calendar's feeds dirty; 204 once that is committed.

    The token is checked before anything is asked of the database. A genuine notice that makes no
    sense is answered 204 as well: refused, it would be lost just the same.
    """
    try:
        notice = Notice.from_headers(request.headers, keys=request.app[KEYS])
    except InvalidInput:
        LEFT.inc()
        return web.Response(status=204)
    await request.app[NOTICES].take(notice)
    return web.Response(status=204)


ROUTES = (
    Route(
        method="POST",
        path="/webhooks/google/calendar",
        handler=receive_notice,
        access=Access.WEBHOOK,
        summary="Take in a notice of a watch channel of Calendar's",
        status=204,
        max_body=MAX_BODY,
        timeout_s=TIMEOUT_S,
        errors=(Unauthenticated, Transient),
        tags=("webhooks",),
    ),
)
