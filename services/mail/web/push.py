"""The door for Gmail's pushes: verify, decode, knock; the rest is a worker's."""

from aiohttp import web

from libs.common import clock
from libs.common.errors import InvalidInput, NotFound, Transient
from libs.common.google.oidc import PushVerifier
from libs.common.web import Access, Route, read_bytes
from services.mail.domain.push import Push
from services.mail.sync.inward.notices import Notices

PUSH_MAX_BODY = 65_536
PUSH_TIMEOUT_S = 8.0
"""Less than Pub/Sub's shortest deadline: the answer must arrive within 10 seconds."""

VERIFIER = web.AppKey("push_verifier", PushVerifier)
"""Absent where notifications are only pulled: then nobody is let in."""
NOTICES = web.AppKey("notices", Notices)


async def receive_push(request: web.Request) -> web.Response:
    """POST /webhooks/google/gmail: mark the mailbox's feeds dirty; 204 once that is committed."""
    app = request.app
    if VERIFIER not in app:
        raise NotFound("No pushes are expected here.")
    await app[VERIFIER].verify(request.headers.get("Authorization"), clock.now())
    body = await read_bytes(request)
    try:
        push = Push.from_body(body)
    except InvalidInput:
        await app[NOTICES].put_aside(body)
        return web.Response(status=204)
    await app[NOTICES].take(push)
    return web.Response(status=204)


ROUTES = (
    Route(
        method="POST",
        path="/webhooks/google/gmail",
        handler=receive_push,
        access=Access.WEBHOOK,
        summary="Take in a Pub/Sub push of Gmail's",
        status=204,
        max_body=PUSH_MAX_BODY,
        timeout_s=PUSH_TIMEOUT_S,
        errors=(NotFound, Transient),
        tags=("webhooks",),
    ),
)
