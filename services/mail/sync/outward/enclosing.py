"""Attachments on their way in: spooled to disk as they come, cut to pieces that are stored."""

import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from libs.common.errors import InvalidInput, TooLarge
from services.mail.domain import mime
from services.mail.domain.sending.composing import CHUNK
from services.mail.domain.sending.outgoing import MOST_BYTES, Enclosure
from services.mail.sync.inward.spool import Spool

IN_MEMORY = 256 * 1024
MOST_ENCLOSURES = 100
LONGEST_FILENAME = 255
UNNAMED = "attachment"
OCTETS = "application/octet-stream"
TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}")
"""Source: https://www.rfc-editor.org/rfc/rfc6838#section-4.2"""
COMPOSITE = ("multipart/", "message/")
"""Types that must not be encoded, which everything attached here is."""


class Pieces:
    """A spooled attachment, read in the pieces in which it is stored."""

    def __init__(self, spool: Spool) -> None:
        """Read from the beginning of what `spool` holds."""
        self._spool = spool
        self._spool.seek(0)

    def read_next(self) -> bytes:
        """Return the next piece, `CHUNK` bytes long unless it is the last; empty behind that."""
        return self._spool.read(CHUNK)


@dataclass(frozen=True, slots=True)
class Enclosed:
    """An attachment and where its content is."""

    enclosure: Enclosure
    file: Pieces


class Enclosing:
    """The attachments of one message, kept until its block ends."""

    def __init__(self) -> None:
        self._spools: list[Spool] = []
        self._found: list[Enclosure] = []
        self._size = 0

    def __enter__(self) -> Self:
        """Begin its use."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        """Let all of them go."""
        for one in self._spools:
            one.close()

    @property
    def enclosed(self) -> list[Enclosed]:
        """Return them in the order they came."""
        return [
            Enclosed(one, Pieces(spool))
            for one, spool in zip(self._found, self._spools, strict=True)
        ]

    async def add(
        self, filename: str | None, content_type: str, content: AsyncIterator[bytes]
    ) -> None:
        """Take in one more.

        Raises:
            InvalidInput: field `attachments`: there are too many.
            TooLarge: together they are more than a message can be.
        """
        place = len(self._found)
        if place >= MOST_ENCLOSURES:
            raise InvalidInput.field("attachments", f"must not be over {MOST_ENCLOSURES}")
        spool = Spool(in_memory=IN_MEMORY)
        self._spools.append(spool)
        digest, size = hashlib.sha256(), 0
        async for chunk in content:
            size += len(chunk)
            self._size += len(chunk)
            if self._size > MOST_BYTES:
                raise TooLarge(
                    "The attachments are larger than Gmail takes.",
                    errors=[{"field": "attachments", "detail": "are too large together"}],
                    limit_bytes=MOST_BYTES,
                )
            digest.update(chunk)
            spool.write(chunk)
        self._found.append(
            Enclosure(
                place=place,
                filename=_filename(filename),
                content_type=_content_type(content_type),
                size=size,
                sha256=digest.digest(),
            )
        )


def _filename(given: str | None) -> str:
    """Return a name without a path and control characters."""
    name = re.split(r"[/\\]", mime.clean(given or "", LONGEST_FILENAME * 4))[-1]
    name = "".join(char for char in name if char.isprintable()).strip(" .")
    stem, dot, ending = name.rpartition(".")
    if len(name) > LONGEST_FILENAME and dot and len(ending) < 20:  # noqa: PLR2004 - an ending
        return stem[: LONGEST_FILENAME - len(ending) - 1] + dot + ending
    return name[:LONGEST_FILENAME] or UNNAMED


def _content_type(given: str) -> str:
    kind = given.partition(";")[0].strip().lower()
    return kind if TYPE.fullmatch(kind) and not kind.startswith(COMPOSITE) else OCTETS
