"""The one clock of the product.

Rules never read it: they receive `now`. An offset, set once at start from
`CAUSEWAY_CLOCK_OFFSET`, lets a test or a rehearsal live next week.
"""

from datetime import UTC, datetime, timedelta

_offset = timedelta(0)


def set_offset(seconds: float) -> None:
    """Move the clock of this process by `seconds` (may be negative) against the machine's."""
    global _offset  # noqa: PLW0603 - a process has one clock, set once at start
    _offset = timedelta(seconds=seconds)


def now() -> datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.now(UTC) + _offset
