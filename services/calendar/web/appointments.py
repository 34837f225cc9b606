"""HTTP handlers on appointments of the CRM, mirrored into Google."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from libs.common import idempotency
from libs.common.appointments import AppointmentFields, AppointmentId
from libs.common.db import POOL, transaction
from libs.common.errors import Conflict, Forbidden, InvalidInput, NotFound, RateLimited
from libs.common.web import (
    Access,
    Caller,
    Route,
    caller,
    read_body,
    read_bytes,
    read_query,
    reply,
    seen_by,
)
from services.calendar.store import appointments as store
from services.calendar.store.appointments import StoredAppointment
from services.calendar.sync.outward.appointments import Appointments
from services.calendar.sync.outward.wanted import appointment_of

APPOINTMENTS = web.AppKey("appointments", Appointments)
MAX_BODY = 65_536
NAMED: TypeAdapter[str] = TypeAdapter(AppointmentId)


class AppointmentIn(AppointmentFields):
    """An appointment, as the CRM has it now."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DeletionQuery(BaseModel):
    """Which version is cancelled."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int | None = Field(default=None, ge=1, description="Older ones change nothing")


class AppointmentOut(BaseModel):
    """An appointment, and where it is mirrored."""

    appointment_id: str
    version: int
    status: str
    start: datetime
    duration: int
    user_id: str
    state: Literal["mirrored", "not_mirrored"]
    reason: str | None = Field(description="Why it is not mirrored")
    connection_id: UUID | None
    calendar_id: UUID | None
    google_event_id: str | None


async def put_appointment(request: web.Request) -> web.Response:
    """PUT /v1/calendar/appointments/{id}: all of it, as it is now."""
    who, wanted = caller(request), await read_body(request, AppointmentIn)
    if wanted.appointment_id != _named(request):
        raise InvalidInput.field("appointment_id", "is another than the path names")
    _refuse_foreign(who, wanted.professional.user_id)
    async with transaction(request.app[POOL]) as conn:
        before = await store.find_appointment(conn, who.tenant_id, wanted.appointment_id)
        if before is not None:
            _refuse_foreign(who, before.appointment.professional.user_id)
        stored, _ = await request.app[APPOINTMENTS].put(conn, who.tenant_id, appointment_of(wanted))
    return reply(_out(stored))


async def read_appointment(request: web.Request) -> web.Response:
    """GET /v1/calendar/appointments/{id}."""
    who = caller(request)
    async with transaction(request.app[POOL]) as conn:
        found = await store.find_appointment(conn, who.tenant_id, _named(request))
    return reply(_out(_visible(who, found)))


async def delete_appointment(request: web.Request) -> web.Response:
    """DELETE /v1/calendar/appointments/{id}: it is cancelled; its event goes from Google."""
    who, query = caller(request), read_query(request, DeletionQuery)
    async with transaction(request.app[POOL]) as conn:
        _visible(who, await store.find_appointment(conn, who.tenant_id, _named(request)))
        stored = await request.app[APPOINTMENTS].delete(
            conn, who.tenant_id, _named(request), version=query.version
        )
    return reply(_out(_visible(who, stored)))


async def sync_appointment(request: web.Request) -> web.Response:
    """POST /v1/calendar/appointments/{id}/sync: write its event anew, as the CRM has it."""
    who, raw = caller(request), await read_bytes(request)
    async with transaction(request.app[POOL]) as conn:
        if (answered := await idempotency.claim(conn, request, raw)) is not None:
            return answered
        _visible(who, await store.find_appointment(conn, who.tenant_id, _named(request)))
        stored = await request.app[APPOINTMENTS].sync(conn, who.tenant_id, _named(request))
        response = reply(_out(stored), status=202)
        await idempotency.keep(conn, request, response)
    return response


def _named(request: web.Request) -> str:
    """Return which appointment a path names.

    Raises:
        NotFound: it names none.
    """
    try:
        return NAMED.validate_python(request.match_info["id"])
    except ValidationError:
        raise NotFound("There is no such appointment.") from None


def _visible(who: Caller, found: StoredAppointment | None) -> StoredAppointment:
    """Return an appointment that the caller may see: a user their own, a service any.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    mine = seen_by(who)
    if found is None or mine not in (None, found.appointment.professional.user_id):
        raise NotFound("There is no such appointment.")
    return found


def _refuse_foreign(who: Caller, user_id: str) -> None:
    """Let users keep only appointments of their own.

    Raises:
        Forbidden: it is somebody else's.
    """
    if seen_by(who) not in (None, user_id):
        raise Forbidden("Users keep their own appointments only.", slug="not-your-appointment")


def _out(stored: StoredAppointment) -> AppointmentOut:
    one = stored.appointment
    return AppointmentOut(
        appointment_id=one.appointment_id,
        version=one.version,
        status=one.status,
        start=one.start,
        duration=one.duration,
        user_id=one.professional.user_id,
        state="not_mirrored" if stored.google_id is None else "mirrored",
        reason=stored.reason,
        connection_id=stored.connection_id,
        calendar_id=stored.calendar_id,
        google_event_id=stored.google_id,
    )


ROUTES = (
    Route(
        method="PUT",
        path="/v1/calendar/appointments/{id}",
        handler=put_appointment,
        access=Access.USER_OR_SERVICE,
        summary="Mirror an appointment of the CRM, as it is now",
        body=AppointmentIn,
        max_body=MAX_BODY,
        returns=AppointmentOut,
        errors=(Conflict, Forbidden, RateLimited),
        tags=("appointments",),
    ),
    Route(
        method="GET",
        path="/v1/calendar/appointments/{id}",
        handler=read_appointment,
        access=Access.USER_OR_SERVICE,
        summary="An appointment, and where it is mirrored",
        returns=AppointmentOut,
        errors=(NotFound,),
        tags=("appointments",),
    ),
    Route(
        method="DELETE",
        path="/v1/calendar/appointments/{id}",
        handler=delete_appointment,
        access=Access.USER_OR_SERVICE,
        summary="An appointment is cancelled: its event goes from Google",
        query=DeletionQuery,
        returns=AppointmentOut,
        errors=(NotFound, Conflict, RateLimited),
        tags=("appointments",),
    ),
    Route(
        method="POST",
        path="/v1/calendar/appointments/{id}/sync",
        handler=sync_appointment,
        access=Access.USER_OR_SERVICE,
        summary="Write an appointment's event anew, as the CRM has it",
        returns=AppointmentOut,
        status=202,
        idempotent=True,
        max_body=1024,
        errors=(NotFound, Conflict, RateLimited),
        tags=("appointments",),
    ),
)
