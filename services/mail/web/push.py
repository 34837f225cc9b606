"""The door for Gmail's pushes: verify, decode, knock; the rest is a worker's."""

import hashlib

from aiohttp import web
from prometheus_client import Counter

from libs.common import clock
from libs.common.db import POOL, transaction
from libs.common.errors import InvalidInput, Transient
from libs.common.feeds import Door
from libs.common.feeds.dead_items import add_dead_item
from libs.common.google.oidc import PushVerifier
from libs.common.web import Access, Route, read_bytes
from services.mail.domain.push import Push

PUSH_MAX_BODY = 65_536
PUSH_TIMEOUT_S = 8.0
"""Less than Pub/Sub's shortest deadline: the answer must arrive within 10 seconds."""

VERIFIER = web.AppKey("push_verifier", PushVerifier)
DOOR = web.AppKey("door", Door)

PUSHES = Counter(
    "causeway_mail_pushes_total",
    "Pushes with a valid token: known, unknown (no such mailbox) or unusable.",
    ["outcome"],
)
KNOWN, UNKNOWN, UNUSABLE = (PUSHES.labels(name) for name in ("known", "unknown", "unusable"))


async def receive_push(request: web.Request) -> web.Response:
    """POST /webhooks/google/gmail: mark the mailbox's feeds dirty; 204 once that is committed."""
    app = request.app
    await app[VERIFIER].verify(request.headers.get("Authorization"), clock.now())
    body = await read_bytes(request)
    try:
        push = Push.from_body(body)
    except InvalidInput:
        await _put_aside(app, body)
        return web.Response(status=204)
    known = await app[DOOR].knock(push.address)
    (KNOWN if known else UNKNOWN).inc()
    return web.Response(status=204)


async def _put_aside(app: web.Application, body: bytes) -> None:
    """Keep what Google signed and we cannot read: refused, it would only come again."""
    async with transaction(app[POOL]) as conn:
        await add_dead_item(
            conn,
            kind="gmail.push",
            item=hashlib.sha256(body).hexdigest(),
            cause="unusable-body",
            now=clock.now(),
            payload=body,
        )
    UNUSABLE.inc()


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
        errors=(Transient,),
        tags=("webhooks",),
    ),
)
