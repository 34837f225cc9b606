"""What stands before every handler: the access rule, the body limit and the time-out."""

import asyncio
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler

from libs.common import clock, service_tokens
from libs.common.errors import Transient, Unauthenticated
from libs.common.web import callers, metrics
from libs.common.web.callers import CALLER, INTERNAL_CALLER, CallerVerifier
from libs.common.web.requests import check_length
from libs.common.web.routes import ROUTE, Access, Route


@dataclass(frozen=True, kw_only=True)
class Gatekeeper:
    """What it takes to recognise callers.

    Args:
        callers: recognises the CRM's users and services.
        service_key: recognises Causeway's own services.
        audience: the name under which they address this service.
    """

    callers: CallerVerifier
    service_key: str
    audience: str

    def guard(self, route: Route) -> Handler:
        """Return the route's handler behind its access rule, body limit and time-out."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            request[ROUTE] = route
            try:
                async with asyncio.timeout(route.timeout_s) as scope:
                    await self._admit(request, route.access)
                    return await route.handler(request)
            except TimeoutError as exc:
                if scope.expired():
                    raise Transient("This took too long.", slug="timeout") from exc
                raise
            except Unauthenticated as exc:
                metrics.REFUSED.labels(route.access, str(exc.data.get("reason", ""))).inc()
                raise

        return guarded

    async def _admit(self, request: web.Request, access: Access) -> None:
        """Let the request through, or raise what the rule says.

        A webhook's handler looks at the body's length only after it knows who sent it.
        """
        if access is Access.WEBHOOK:
            return
        if access is Access.INTERNAL:
            request[INTERNAL_CALLER] = service_tokens.verify(
                self.service_key,
                callers.bearer(request),
                audience=self.audience,
                now=clock.now(),
            )
        elif access is not Access.PUBLIC:
            who = await self.callers.verify(callers.bearer(request), now=clock.now())
            request[CALLER] = who
            callers.check_allowed(access, who)
        check_length(request)
