"""The route table of the calendar service: every module's own, one after the other."""

from libs.common import operations
from services.calendar.web import (
    activities,
    availability,
    calendars,
    events,
    push,
    settings,
    status,
    sync,
)

ROUTES = (
    *push.ROUTES,
    *calendars.ROUTES,
    *events.ROUTES,
    *settings.ROUTES,
    *status.ROUTES,
    *availability.ROUTES,
    *activities.ROUTES,
    *sync.ROUTES,
    *operations.routes("calendar"),
)
