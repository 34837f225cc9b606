"""Page tokens: opaque, and bound to the query they belong to."""

import base64
import hashlib
import json
from typing import Any, Final

from emulator.errors import invalid_argument
from emulator.rest.call import Call

_TRUE_DIGITS: Final = 2


def token(position: int, *query: Any) -> str:
    """Return a page token for `position` of this query."""
    text = f"{position}.{_mark(query)}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def position(text: str | None, *query: Any) -> int:
    """Return where the page starts; 0 without a token.

    Raises:
        ApiError: 400; the token is not of this query.
    """
    if not text:
        return 0
    try:
        padded = text + "=" * (-len(text) % 4)
        number, _, mark = base64.urlsafe_b64decode(padded).decode().partition(".")
        start = int(number)
    except ValueError as exc:
        raise invalid_argument("Invalid pageToken") from exc
    if mark != _mark(query) or start < 0:
        raise invalid_argument("Invalid pageToken")
    return start


def size(wanted: int | None, *, default: int = 100, most: int = 500) -> int:
    """Return the page size that is served: the wanted one within the documented limits."""
    return default if not wanted else max(1, min(wanted, most))


def estimate(call: Call, found: int, page_end: int) -> int:
    """Return `resultSizeEstimate`: exact on the last page, before it two digits are true."""
    cap = call.world.switches.size_estimate_cap
    step = 10 ** max(0, len(str(found)) - _TRUE_DIGITS)
    size = found if page_end >= found else max(page_end + 1, found // step * step)
    return size if cap is None else min(size, cap)


def _mark(query: tuple[Any, ...]) -> str:
    return hashlib.sha256(json.dumps(query, default=str).encode()).hexdigest()[:12]
