"""Reasons of feeds, in words for people."""

REASONS = {
    "dead-items": "some events could not be read and wait for a person",
    "watch-failed": "Google does not tell us of changes; the calendar is polled instead",
    "calendar-gone": "the person does not see the calendar any more",
    "calendars-unreadable": "some calendars of the list could not be read",
    "not-chosen": "nobody wants the calendar read",
    "held-deletions": "many events seem to be gone; a person has to say whether they are",
    "paused": "somebody switched it off; it goes on from where it stands",
    "disconnected": "the calendars were disconnected",
    "disabled": "the connection is switched off",
}
"""Besides those that are the same in any service: `libs.common.feeds.words`."""
