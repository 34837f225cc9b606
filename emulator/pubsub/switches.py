"""Faults of delivery that the control API sets."""

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(slots=True)
class PushSwitches:
    """The faults in force; counters run down to nothing.

    `paused`, `drop` and `duplicate` also concern what is pulled.
    """

    paused: bool = False
    delay_s: float = 0.0
    drop: int = 0
    duplicate: int = 0
    reorder: int = 0
    claims: Json = field(default_factory=dict)
    key: str = "google"
    alg: str = "RS256"
    authorization: bool = True
