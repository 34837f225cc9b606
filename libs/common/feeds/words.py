"""States and reasons of feeds, in words for people."""

from collections.abc import Mapping

from libs.common.feeds.model import Feed, FeedState

REASONS = {
    "reauthorization_required": "the person has to give access again",
    "google-permission-denied": "Google does not permit it; asking again changes nothing",
    "unavailable": "Google, the network or a service of ours did not answer; tried again soon",
    "internal": "something unexpected happened; it is in the log, and tried again",
}
"""What they are in any service."""
STATES = {
    FeedState.ACTIVE: "in step",
    FeedState.DEGRADED: "working, with trouble",
    FeedState.PAUSED: "paused",
    FeedState.CLOSED: "finished",
}


def in_words(feed: Feed, own: Mapping[str, str]) -> str:
    """Return how a feed is doing, as one would say it; `own` are the service's own reasons."""
    state = STATES[feed.state]
    if feed.reason is None:
        return state
    return f"{state}: {own.get(feed.reason) or REASONS.get(feed.reason, feed.reason)}"
