"""How Google takes us, for an operator's eyes."""

from datetime import datetime

from aiohttp import web
from pydantic import BaseModel, Field

from libs.common import clock
from libs.common.web import reply
from services.auth.domain.setup import MAX_SKEW_S
from services.auth.web.keys import HEALTH


class ClientHealth(BaseModel):
    """Whether Google accepts our OAuth client."""

    accepted: bool
    detail: str


class CertsHealth(BaseModel):
    """Whether Google's signing keys can be had."""

    reachable: bool
    detail: str


class ClockHealth(BaseModel):
    """How far our clock is from Google's."""

    ok: bool
    skew_s: float | None = Field(description="Google's clock minus ours, in seconds")


class RefreshHealth(BaseModel):
    """How the refreshes of the last ten minutes ended."""

    alarm: bool = Field(description="So many fail that no account's state is changed")
    accounts: int
    failed: int


class GoogleHealth(BaseModel):
    """How Google takes us."""

    status: str = Field(description="ok, or degraded")
    checked_at: datetime
    client: ClientHealth
    certs: CertsHealth
    clock: ClockHealth
    refreshes: RefreshHealth


async def show_google_health(request: web.Request) -> web.Response:
    """GET /v1/google/health: client accepted, certificates reachable, clock skew, refreshes."""
    desk, now = request.app[HEALTH], clock.now()
    checked_at, seen = await desk.look(now=now)
    window, alarm = await desk.window(now=now)
    in_time = seen.clock_skew_s is not None and abs(seen.clock_skew_s) <= MAX_SKEW_S
    skew_s = None if seen.clock_skew_s is None else round(seen.clock_skew_s, 1)
    return reply(
        GoogleHealth(
            status="ok" if seen.is_good and in_time and not alarm else "degraded",
            checked_at=checked_at,
            client=ClientHealth(accepted=seen.client == "accepted", detail=seen.client),
            certs=CertsHealth(reachable=seen.certs == "ok", detail=seen.certs),
            clock=ClockHealth(ok=in_time, skew_s=skew_s),
            refreshes=RefreshHealth(alarm=alarm, accounts=window.accounts, failed=window.failed),
        )
    )
