"""What all carriers of writes make of Google's answers."""

from datetime import datetime, timedelta
from typing import Final

from libs.common.errors import AccessRevoked, AppError, Conflict, RateLimited
from libs.common.google.errors import PermissionDenied, RequestRefused
from libs.common.google.wire import Unreachable

RETRY: Final = timedelta(seconds=30)
REFUSED: Final = (RequestRefused, PermissionDenied)
"""For good: asking again would not help."""
NOT_DONE: Final = (RateLimited, Unreachable, AccessRevoked, Conflict)
"""Nothing of the last request had an effect."""


def later(exc: AppError, now: datetime) -> datetime:
    """Return when a write is tried again that could not be made."""
    wait = timedelta(seconds=exc.retry_after_s) if isinstance(exc, RateLimited) else RETRY
    return now + wait
