"""Reasons of feeds, in words for people."""

REASONS = {
    "dead-items": "some people could not be read and wait for a person",
    "held-deletions": "many contacts seem to be gone; a person has to say whether they are",
    "held-writes": "many contacts would be deleted in Google; a person has to say whether they may",
    "unconfirmed": "what the first writing would do waits for a yes",
    "paused": "somebody switched it off; it goes on from where it stands",
    "disconnected": "the contacts were disconnected",
    "disabled": "the connection is switched off",
}
"""Besides those that are the same in any service: `libs.common.feeds.words`."""
