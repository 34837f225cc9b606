"""What can go wrong in the story."""


class StoryError(Exception):
    """A step did not happen; the message says which and what was seen instead."""
