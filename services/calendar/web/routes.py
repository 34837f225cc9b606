"""The route table of the calendar service: every module's own, one after the other."""

from libs.common import operations
from services.calendar.web import calendars, events, privacy, push

ROUTES = (
    *push.ROUTES,
    *calendars.ROUTES,
    *events.ROUTES,
    *operations.routes("calendar"),
    *privacy.ROUTES,
)
