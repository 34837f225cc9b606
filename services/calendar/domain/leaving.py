"""A connection that somebody ends, while what we wrote into its calendar is taken out."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter

LONGEST = timedelta(minutes=10)
"""Google may be away; then the connection ends all the same."""


class Removal(StrEnum):
    """Which mirrored appointments go."""

    FUTURE = "future"
    ALL = "all"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """What was asked for."""

    asked_at: datetime
    by: datetime
    """It ends then, whatever is left."""
    removal: Removal
    purge: bool
    """What was read is to go, too."""
    ended: bool = False
    """Auth has ended it; that is not heard of yet."""

    @property
    def since(self) -> datetime | None:
        """Return from when on appointments go that end later; None: all of them do."""
        return self.asked_at if self.removal is Removal.FUTURE else None

    def stored(self) -> dict[str, Any]:
        """Return what a column keeps of it."""
        return dict(LEAVES.dump_python(self, mode="json"))


LEAVES = TypeAdapter(Leave)


def leave_of(column: dict[str, Any] | None) -> Leave | None:
    """Return what `stored` left; None: nobody has asked."""
    return None if column is None else LEAVES.validate_python(column)
