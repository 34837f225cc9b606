"""Labels: messages carry their ids, so that renaming one touches no message."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A label of a mailbox."""

    google_id: str
    name: str
    type: Literal["system", "user"]


SETTABLE = frozenset(
    {
        "INBOX",
        "UNREAD",
        "STARRED",
        "IMPORTANT",
        "SPAM",
        "TRASH",
        "CATEGORY_PERSONAL",
        "CATEGORY_SOCIAL",
        "CATEGORY_PROMOTIONS",
        "CATEGORY_UPDATES",
        "CATEGORY_FORUMS",
    }
)
"""Labels of the system that anybody may put on and take off.

Source: https://developers.google.com/workspace/gmail/api/guides/labels
"""
FIXED = frozenset({"SENT", "DRAFT"})
"""Labels that say what a message is."""


class Action(StrEnum):
    """What people do with mail; each is a change of labels."""

    READ = "read"
    UNREAD = "unread"
    STAR = "star"
    UNSTAR = "unstar"
    ARCHIVE = "archive"
    UNARCHIVE = "unarchive"
    TRASH = "trash"
    RESTORE = "restore"
    """Out of the trash; what was received goes back to the inbox."""


ACTIONS: dict[Action, tuple[tuple[str, ...], tuple[str, ...]]] = {
    Action.READ: ((), ("UNREAD",)),
    Action.UNREAD: (("UNREAD",), ()),
    Action.STAR: (("STARRED",), ()),
    Action.UNSTAR: ((), ("STARRED",)),
    Action.ARCHIVE: ((), ("INBOX",)),
    Action.UNARCHIVE: (("INBOX",), ()),
    Action.TRASH: (("TRASH",), ("INBOX",)),
    Action.RESTORE: ((), ("TRASH",)),
}
"""To put on, and to take off."""


def labels_for(action: Action, *, sent: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what an action puts on a message, and what it takes off.

    Args:
        action: what somebody does.
        sent: the mailbox's owner sent the message: it was never in the inbox.
    """
    add, remove = ACTIONS[action]
    return (("INBOX",), remove) if action is Action.RESTORE and not sent else (add, remove)
