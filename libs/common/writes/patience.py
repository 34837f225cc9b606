"""How long Google is waited for when something is changed."""

from dataclasses import dataclass
from datetime import timedelta

UPLOAD_RATE = 500_000
"""Bytes a second that an upload should at least make."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long Google is waited for when something is changed.

    Args:
        timeout_s: seconds for a request; an upload gets more, by its size.
        settle_after_s: seconds after that for which a request may still take effect.
    """

    timeout_s: float = 20.0
    settle_after_s: float = 15.0

    def upload_s(self, size: int) -> float:
        """Return the seconds for an upload of so many bytes."""
        return self.timeout_s + size / UPLOAD_RATE

    def deadline(self, size: int = 0) -> timedelta:
        """Return how long Google may act on a request, from now on."""
        return timedelta(seconds=self.upload_s(size) + self.settle_after_s)
