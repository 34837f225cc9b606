"""Reasons of feeds, in words for people."""

REASONS = {
    "dead-items": "some messages could not be read and wait for a person",
    "watch-failed": "Gmail does not tell us of changes; the mailbox is polled instead",
    "held-deletions": "many messages seem to be gone; a person has to say whether they are",
    "held-links": "an entity concerns very many messages; a person has to approve it",
    "paused": "somebody paused it; it goes on from where it stands",
    "disconnected": "the mailbox was disconnected",
    "disabled": "the mailbox is switched off",
}
"""Besides those that are the same in any service: `libs.common.feeds.words`."""
