"""States and reasons of feeds, in words for people."""

from libs.common.feeds import Feed, FeedState

REASONS = {
    "dead-items": "some events could not be read and wait for a person",
    "watch-failed": "Google does not tell us of changes; the calendar is polled instead",
    "calendar-gone": "the person does not see the calendar any more",
    "calendars-unreadable": "some calendars of the list could not be read",
    "not-chosen": "nobody wants the calendar read",
    "held-deletions": "many events seem to be gone; a person has to say whether they are",
    "reauthorization_required": "the person has to give access again",
    "paused": "somebody switched it off; it goes on from where it stands",
    "disconnected": "the calendars were disconnected",
    "disabled": "the connection is switched off",
    "google-permission-denied": "Google does not permit it; asking again changes nothing",
    "unavailable": "Google, the network or a service of ours did not answer; tried again soon",
    "internal": "something unexpected happened; it is in the log, and tried again",
}
STATES = {
    FeedState.ACTIVE: "in step",
    FeedState.DEGRADED: "working, with trouble",
    FeedState.PAUSED: "paused",
    FeedState.CLOSED: "finished",
}


def in_words(feed: Feed) -> str:
    """Return how a feed is doing, as one would say it."""
    state = STATES[feed.state]
    if feed.reason is None:
        return state
    return f"{state}: {REASONS.get(feed.reason, feed.reason)}"
