"""The browser's way through: to Google with a cookie, and back to the CRM."""

from aiohttp import web

from libs.common import clock
from libs.common.web import read_query
from services.auth.domain import secrets
from services.auth.domain.urls import with_query
from services.auth.sync.consent import Arrival, arrive, depart
from services.auth.web import models
from services.auth.web.keys import CONTEXT

FOUND = 302


async def start(request: web.Request) -> web.Response:
    """GET /v1/oauth/start: use the ticket up, bind this browser, go to Google."""
    query = read_query(request, models.StartQuery)
    context = request.app[CONTEXT]
    departure = await depart(context, query.ticket, now=clock.now())
    response = web.Response(status=FOUND, headers={"Location": departure.url})
    response.set_cookie(
        departure.cookie_name,
        departure.cookie_value,
        max_age=int(context.settings.consent_ttl),
        path="/",
        secure=context.settings.is_secure,
        httponly=True,
        samesite="Lax",
    )
    return response


async def callback(request: web.Request) -> web.Response:
    """GET /v1/oauth/callback: take Google's answer, send the browser back to the CRM."""
    query = read_query(request, models.CallbackQuery)
    context = request.app[CONTEXT]
    arrival = await arrive(
        context,
        state=query.state,
        code=query.code,
        error=query.error,
        cookies=request.cookies,
        now=clock.now(),
    )
    response = web.Response(status=FOUND, headers={"Location": _way_back(arrival)})
    is_secure = context.settings.is_secure
    name = secrets.cookie_name(query.state, secure=is_secure)
    response.del_cookie(name, path="/", secure=is_secure, httponly=True, samesite="Lax")
    return response


def _way_back(arrival: Arrival) -> str:
    facts = {"connection_id": str(arrival.consent.connection_id), "status": arrival.status}
    if arrival.error is not None:
        facts["error"] = arrival.error
    if arrival.confirmation is not None:
        facts["confirmation"] = arrival.confirmation
    return with_query(arrival.consent.return_url, facts)
