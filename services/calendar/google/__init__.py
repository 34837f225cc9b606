"""The only room that speaks to Google: requests out, Calendar's answers in."""

from services.calendar.google.api import CalendarBox, GoogleCalendar

__all__ = ["CalendarBox", "GoogleCalendar"]
