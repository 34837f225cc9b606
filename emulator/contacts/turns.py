"""One mutation of a person's contacts at a time: those that overlap are aborted.

Google wants them sequential "to avoid increased latency and failures", and does not say what the
failures look like.
"""

import asyncio
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler
from multidict import MultiDict

from emulator.contacts.errors import concurrent
from emulator.rest.call import Answer, RestRequest
from emulator.rest.web import DISPATCHER, respond
from emulator.world import WORLD

_PATHS: Final = ("/v1/people", "/v1/contactGroups", "/v1/otherContacts")
_OVERRIDE: Final = "x-http-method-override"


@web.middleware
async def one_at_a_time(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a mutation while another one of the same person is under way.

    It is until its answer was made; `contact_mutation_s` makes that take longer.
    """
    verb = request.headers.get(_OVERRIDE, request.method).upper()
    if verb == "GET" or not request.path.startswith(_PATHS):
        return await handler(request)
    world = request.app[WORLD]
    plain = RestRequest(verb, request.path, MultiDict(request.query), request.headers.copy())
    who = request.app[DISPATCHER].person_of(plain)
    if who is None:
        return await handler(request)
    if who in world.contacts.writing:
        return respond(Answer.error(concurrent().without_errors()))
    writing = world.contacts.writing
    writing.add(who)
    try:
        await asyncio.sleep(world.switches.contact_mutation_s)
        return await handler(request)
    finally:
        writing.discard(who)
