"""How far the Google project is set up, from what Google says and what people have done."""

from datetime import datetime

from libs.common.db import transaction
from services.auth.domain.setup import Seen
from services.auth.store import connections
from services.auth.sync.context import Context
from services.auth.sync.health import HealthDesk


async def look_at_setup(
    context: Context, desk: HealthDesk, *, now: datetime
) -> tuple[datetime, Seen]:
    """Return what is known, and when Google was asked: at most every few seconds."""
    checked_at, health = await desk.look(now=now)
    async with transaction(context.pool) as conn:
        last_consent = await connections.last_consent(conn)
        granted = await connections.granted_to_anybody(conn)
    return checked_at, Seen(
        client=health.client,
        certs=health.certs,
        clock_skew_s=health.clock_skew_s,
        redirect_uri=context.settings.redirect_uri,
        last_consent=last_consent,
        granted=granted,
    )
