"""Forms with files (`multipart/form-data`): read part by part, never held as a whole.

Source: https://www.rfc-editor.org/rfc/rfc7578
"""

from collections.abc import AsyncIterator

from aiohttp import BodyPartReader, web

from libs.common.errors import InvalidInput, TooLarge
from libs.common.web.problems import UnsupportedMediaType
from libs.common.web.requests import begin_body, max_body

FORM = "multipart/form-data"
CHUNK = 65_536


async def iter_parts(request: web.Request) -> AsyncIterator[BodyPartReader]:
    """Yield the parts of a form as they come; what is left of one is skipped when the next is due.

    Raises:
        UnsupportedMediaType: the body is no form, or it is compressed.
        InvalidInput: field `body`: it is broken off or malformed.
        TooLarge: its announced length is more than the route takes.
    """
    if request.content_type != FORM:
        raise UnsupportedMediaType(f"The body must be {FORM}.")
    await begin_body(request)
    try:
        reader = await request.multipart()
        while (part := await reader.next()) is not None:
            if not isinstance(part, BodyPartReader):
                raise InvalidInput.field("body", "must not have forms within forms")
            yield part
    except (ValueError, AssertionError, RuntimeError) as exc:
        raise InvalidInput.field("body", "is no valid form") from exc


class Budget:
    """Counts what all parts of a form may be, together."""

    def __init__(self, request: web.Request) -> None:
        """Start with the route's `max_body`."""
        self.limit = max_body(request)
        self._left = self.limit

    def take(self, size: int) -> None:
        """Count some bytes.

        Raises:
            TooLarge: they are more than is left.
        """
        self._left -= size
        if self._left < 0:
            raise TooLarge("The body is too large.", limit_bytes=self.limit)


async def iter_part(part: BodyPartReader, budget: Budget) -> AsyncIterator[bytes]:
    """Yield the content of a part in chunks.

    Raises:
        TooLarge: see `Budget.take`.
    """
    while chunk := await part.read_chunk(CHUNK):
        budget.take(len(chunk))
        yield part.decode(chunk)
