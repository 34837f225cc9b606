"""Labels: the system's and the person's."""

from dataclasses import dataclass
from typing import Any, Final

Json = dict[str, Any]

MAX_LABELS: Final = 10_000
MAX_NAME_CHARS: Final = 225
MESSAGE_SYSTEM: Final = (
    "INBOX",
    "SENT",
    "DRAFT",
    "SPAM",
    "TRASH",
    "UNREAD",
    "STARRED",
    "IMPORTANT",
)
CATEGORIES: Final = (
    "CHAT",
    "CATEGORY_PERSONAL",
    "CATEGORY_SOCIAL",
    "CATEGORY_PROMOTIONS",
    "CATEGORY_UPDATES",
    "CATEGORY_FORUMS",
)
IMMUTABLE: Final = frozenset({"SENT", "DRAFT", "CHAT"})  # no client sets or clears these


@dataclass(frozen=True, slots=True)
class Label:
    """One label as the API describes it."""

    id: str
    name: str
    type: str
    message_list: str | None = None
    label_list: str | None = None
    color: tuple[str, str] | None = None

    def json(self) -> Json:
        """Return the label without its counts, as `labels.list` does."""
        result: Json = {"id": self.id, "name": self.name, "type": self.type}
        if self.message_list:
            result["messageListVisibility"] = self.message_list
        if self.label_list:
            result["labelListVisibility"] = self.label_list
        if self.color:
            result["color"] = {"textColor": self.color[0], "backgroundColor": self.color[1]}
        return result


def system_labels() -> dict[str, Label]:
    """Return the labels that every mailbox has."""
    return {name: Label(name, name, "system") for name in (*MESSAGE_SYSTEM, *CATEGORIES)}
