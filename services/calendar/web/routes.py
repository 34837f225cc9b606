"""The route table of the calendar service: every module's own, one after the other."""

from libs.common import operations
from services.calendar.web import (
    activities,
    appointments,
    availability,
    calendars,
    conflicts,
    events,
    leaving,
    outgoing,
    privacy,
    push,
    settings,
    status,
    sync,
)

ROUTES = (
    *push.ROUTES,
    *calendars.ROUTES,
    *events.ROUTES,
    *outgoing.ROUTES,
    *appointments.ROUTES,
    *conflicts.ROUTES,
    *settings.ROUTES,
    *status.ROUTES,
    *leaving.ROUTES,
    *availability.ROUTES,
    *activities.ROUTES,
    *sync.ROUTES,
    *operations.routes("calendar"),
    *privacy.ROUTES,
)
