"""The APIs on the wire: aiohttp in front of the dispatcher, and the faults in between."""

import asyncio
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web
from aiohttp.typedefs import Handler
from multidict import CIMultiDict, MultiDict

from emulator.calendar.delivery import Notifier
from emulator.errors import ApiError
from emulator.faults import FaultRule
from emulator.rest import batch
from emulator.rest.call import Answer, RestRequest
from emulator.rest.dispatch import Dispatcher
from emulator.world import WORLD

DISPATCHER: web.AppKey[Dispatcher] = web.AppKey("dispatcher", Dispatcher)

NOTIFIER: web.AppKey[Notifier] = web.AppKey("notifier", Notifier)

PREFIXES: Final = ("/gmail/v1", "/calendar/v3", "/v1", "/upload", "/resumable/upload")
CONTROL_PREFIX: Final = "/_emulator"


async def api(request: web.Request) -> web.StreamResponse:
    """Serve one call."""
    decoded = await read(request)
    answer = request.app[DISPATCHER].handle(decoded)
    await request.app[NOTIFIER].settle_syncs()
    return respond(answer)


async def batched(request: web.Request) -> web.StreamResponse:
    """Serve a batch; faults with a status hit single parts, too."""
    dispatcher = request.app[DISPATCHER]
    faults = request.app[WORLD].faults

    def run(part: RestRequest) -> Answer:
        rule = faults.pick(part.verb, part.path, dispatcher.person_of(part))
        if rule is not None and rule.status is not None:
            return answer_of(rule)
        return dispatcher.handle(part)

    return respond(batch.handle(await read(request), run))


@web.middleware
async def refuse_unreadable(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a body that breaks off or that no decompressor can read with a 400."""
    try:
        return await handler(request)
    except web.RequestPayloadError:
        refusal = respond(Answer.error(ApiError(400, "Bad Request", "badRequest")))
        refusal.force_close()  # where the next request begins is anybody's guess
        return refusal


@web.middleware
async def inject_faults(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Replace the answer when a rule asks for it; the control API is never hit."""
    if request.path.startswith(CONTROL_PREFIX) or not request.app[WORLD].faults.rules:
        return await handler(request)
    plain = RestRequest(request.method, request.path, MultiDict(request.query), _headers(request))
    person = request.app[DISPATCHER].person_of(plain)
    rule = request.app[WORLD].faults.pick(request.method, request.path, person)
    if rule is None:
        return await handler(request)
    if rule.delay_s:
        await asyncio.sleep(rule.delay_s)
    if rule.lose_answer:
        await handler(request)
    if rule.drop or rule.lose_answer:
        return _hang_up(request)
    if rule.garbage:
        return web.Response(body=b"<!doctype html><p>That's all we know.", content_type="text/html")
    if rule.status is not None:
        return respond(answer_of(rule))
    answer = await handler(request)
    if rule.late_s:
        await asyncio.sleep(rule.late_s)
    return answer if rule.truncate is None else await _cut_off(request, answer, rule.truncate)


def answer_of(rule: FaultRule) -> Answer:
    """Return the answer that a rule with a status describes."""
    status = rule.status or 500
    made = Answer.error(ApiError(status, rule.message, rule.reason))
    if rule.body is not None:
        made = Answer.json(rule.body, status)
    return Answer(made.status, made.body, {**made.headers, **rule.headers})


async def read(request: web.Request) -> RestRequest:
    """Return the request with `x-http-method-override` obeyed."""
    body = await request.read()
    query: MultiDict[str] = MultiDict(request.query)
    verb = request.headers.get("x-http-method-override", request.method).upper()
    form = request.content_type == "application/x-www-form-urlencoded"
    if verb != request.method and form:
        query.extend(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        body = b""
    path = request.rel_url.raw_path
    origin = str(request.url.origin())
    return RestRequest(verb, path, query, _headers(request), body, origin=origin)


def respond(answer: Answer) -> web.Response:
    """Return the answer as aiohttp sends it."""
    headers = {"Cache-Control": "private", "Vary": "Origin, X-Origin", **answer.headers}
    return web.Response(status=answer.status, body=answer.body or None, headers=headers)


def routes() -> list[web.RouteDef]:
    """Return the routes of every API and of the batch endpoints."""
    found = [web.post("/batch", batched), web.post("/batch/{api:.+}", batched)]
    return found + [web.route("*", f"{prefix}/{{rest:.+}}", api) for prefix in PREFIXES]


def _headers(request: web.Request) -> CIMultiDict[str]:
    return CIMultiDict(request.headers)


async def _cut_off(
    request: web.Request, answer: web.StreamResponse, kept: int
) -> web.StreamResponse:
    """Announce the whole body, send the first `kept` bytes of it, and close the connection."""
    whole = answer.body if isinstance(answer, web.Response) else None
    if not isinstance(whole, bytes) or kept >= len(whole):
        return answer
    cut = web.StreamResponse(status=answer.status, headers=answer.headers)
    cut.content_length = len(whole)
    cut.force_close()
    await cut.prepare(request)
    await cut.write(whole[:kept])
    if request.transport is not None:
        request.transport.close()
    return cut


def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
