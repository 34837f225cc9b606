"""Lists in pages, each with a cursor to the next.

A cursor is opaque to callers. Inside it is only a position, so what a caller may see is
decided by the query it is used in, never by the cursor.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from libs.common.errors import InvalidInput

MAX_LIMIT = 200
DEFAULT_LIMIT = 50
MAX_CURSOR = 1024

T = TypeVar("T")
P = TypeVar("P", bound=BaseModel)
R = TypeVar("R")


class PageQuery(BaseModel):
    """The query string of a list; subclass it to add filters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    limit: int = Field(
        default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="Most items in this page"
    )
    cursor: str | None = Field(
        default=None, max_length=MAX_CURSOR, description="`next_cursor` of the page before"
    )


class Page(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T]
    next_cursor: str | None = Field(
        default=None, description="Ask with it for the next page; null on the last"
    )


def encode_cursor(position: BaseModel) -> str:
    """Return a position as an opaque text, safe in URLs."""
    raw = position.model_dump_json().encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode_cursor(cursor: str | None, position: type[P]) -> P | None:
    """Return the position in `cursor`; None without a cursor: the first page.

    Raises:
        InvalidInput: field `cursor`, when we did not make it for this list.
    """
    if cursor is None:
        return None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        raw = base64.b64decode(padded, altchars=b"-_", validate=True)
        found = position.model_validate_json(raw)
    except (UnicodeEncodeError, binascii.Error, ValidationError) as exc:
        raise InvalidInput.field("cursor", "is not a cursor of this list") from exc
    if "\0" in raw.decode("utf-8", "replace") or b"\\u0000" in raw:
        raise InvalidInput.field("cursor", "is not a cursor of this list")
    return found


def cut(
    rows: Sequence[R], *, limit: int, position: Callable[[R], BaseModel]
) -> tuple[Sequence[R], str | None]:
    """Return the page's rows, and the cursor of the next page or None.

    Args:
        rows: up to `limit + 1` rows: the one too many says that there is a next page.
        limit: most rows of a page.
        position: where a row stands in the order of the list.
    """
    if len(rows) <= limit:
        return rows, None
    kept = rows[:limit]
    return kept, encode_cursor(position(kept[-1]))
