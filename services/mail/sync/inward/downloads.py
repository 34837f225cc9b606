"""Attachments on demand: their content stays at Google until somebody asks for it."""

import asyncio
from tempfile import NamedTemporaryFile, SpooledTemporaryFile
from typing import IO, Protocol, Self

from libs.common.connections.access import revoked
from libs.common.errors import AccessRevoked, NotFound
from libs.common.quota import Lane
from services.mail.domain import mime
from services.mail.domain.connection import Connection
from services.mail.google import Gmail

CHUNK = 65_536
IN_MEMORY = 1_048_576
"""Larger attachments wait in a temporary file, which has no name and ends with its use."""
AT_ONCE = 4
"""Whole messages on disk, up to 35 MB each."""


class Spool:
    """Content on its way out: read once, closed by whoever opened it."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        """Hand out `file` from its beginning; `size` is its length in bytes."""
        self.size = size
        self._file = file

    def __aiter__(self) -> Self:
        """Return what yields the chunks."""
        return self

    async def __anext__(self) -> bytes:
        """Return the next chunk."""
        if chunk := await asyncio.to_thread(self._file.read, CHUNK):
            return chunk
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Let the temporary file go."""
        self._file.close()


class Downloader(Protocol):
    """Where the content of attachments comes from."""

    async def open(self, connection: Connection, google_id: str, part: str) -> Spool:
        """Return the content of a message's part, decoded.

        Raises:
            Conflict: `reauthorization-required` or `not-connected`.
            NotFound: Google has the message no more, or it has no such part.
            RateLimited, Transient: Google or auth cannot now.
        """


class GmailDownloader:
    """Asks Google for the whole message and takes the part out of it."""

    def __init__(self, gmail: Gmail) -> None:
        """Read through `gmail`."""
        self._gmail = gmail
        self._places = asyncio.Semaphore(AT_ONCE)

    async def open(self, connection: Connection, google_id: str, part: str) -> Spool:
        """Return the content; see `Downloader.open`."""
        content: IO[bytes] = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - the reader closes it
        try:
            async with self._places:
                size = await self._spool(connection, google_id, part, content)
            content.seek(0)
        except BaseException:
            content.close()
            raise
        return Spool(content, size)

    async def _spool(
        self, connection: Connection, google_id: str, part: str, content: IO[bytes]
    ) -> int:
        with NamedTemporaryFile(prefix="causeway-mail-") as whole:
            try:
                found = await self._gmail.box(connection, Lane.SEND).fetch_raw(google_id, whole)
            except AccessRevoked as exc:
                raise revoked(connection) from exc
            if found is None:
                raise NotFound("Google has the message no more.")
            whole.flush()
            return await asyncio.to_thread(mime.extract, whole.name, part, content)
