"""HTTP handler that says when people are busy, and when all of them are free; never with what."""

from datetime import datetime, timedelta

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from libs.common.db import POOL, transaction
from libs.common.errors import InvalidInput
from libs.common.moments import Moment
from libs.common.web import Access, Route, caller, read_query, reply
from services.calendar.domain.availability import Interval, free
from services.calendar.sync.freeing import list_busy

MOST_USERS = 20
LONGEST_USER = 256
LONGEST_DAYS = 92


class AvailabilityQuery(BaseModel):
    """Who has to be free, and when."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    users: str = Field(
        min_length=1, max_length=8_192, description=f"Up to {MOST_USERS} users, between commas"
    )
    from_: Moment = Field(alias="from")
    to: Moment = Field(description=f"At most {LONGEST_DAYS} days later")
    shortest: int = Field(
        default=0, ge=0, le=1440, description="Minutes that a slot has to have to be of use"
    )


class IntervalOut(BaseModel):
    """From one instant to another, which is not part of it."""

    model_config = ConfigDict(from_attributes=True)

    start: datetime
    end: datetime


class BusyOut(BaseModel):
    """When somebody is busy."""

    user_id: str
    busy: list[IntervalOut]


class AvailabilityOut(BaseModel):
    """When people are busy, and when all of them that are known are free."""

    users: list[BusyOut]
    unknown: list[str] = Field(description="Of whom no calendar is being read")
    free: list[IntervalOut]


async def read_availability(request: web.Request) -> web.Response:
    """GET /v1/calendar/availability: by the calendars that are people's own."""
    who, query = caller(request), read_query(request, AvailabilityQuery)
    window = Interval(query.from_, query.to)
    if not timedelta(0) < window.end - window.start <= timedelta(days=LONGEST_DAYS):
        raise InvalidInput.field("to", f"must be within {LONGEST_DAYS} days after from")
    async with transaction(request.app[POOL]) as conn:
        found, unknown = await list_busy(conn, who.tenant_id, _users(query.users), window)
    slots = []
    if found:
        everybody = [one for busy in found for one in busy.intervals]
        slots = free(everybody, window, shortest=timedelta(minutes=query.shortest))
    return reply(
        AvailabilityOut(
            users=[
                BusyOut(user_id=one.user_id, busy=[_out(busy) for busy in one.intervals])
                for one in found
            ],
            unknown=unknown,
            free=[_out(one) for one in slots],
        )
    )


def _users(text: str) -> list[str]:
    users = list(dict.fromkeys(one.strip() for one in text.split(",")))
    if not all(0 < len(one) <= LONGEST_USER for one in users):
        raise InvalidInput.field("users", "has a name that is empty, or too long")
    if len(users) > MOST_USERS:
        raise InvalidInput.field("users", f"takes {MOST_USERS} at most")
    return users


def _out(one: Interval) -> IntervalOut:
    return IntervalOut.model_validate(one)


ROUTES = (
    Route(
        method="GET",
        path="/v1/calendar/availability",
        handler=read_availability,
        access=Access.USER_OR_SERVICE,
        summary="When people of the tenant are busy, and when all of them are free",
        query=AvailabilityQuery,
        returns=AvailabilityOut,
        tags=("events",),
    ),
)
