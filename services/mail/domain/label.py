"""Labels: messages carry their ids, so that renaming one touches no message."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A label of a mailbox."""

    google_id: str
    name: str
    type: Literal["system", "user"]
