"""A message on its way from Google to the parser."""

from io import BytesIO
from tempfile import NamedTemporaryFile
from types import TracebackType
from typing import IO, Self


class Spool:
    """Holds octets in memory while they are few, then in a temporary file that has a name.

    It is a sink for `libs.common.google.rawbody`, and gone when its block ends.
    """

    def __init__(self, *, in_memory: int) -> None:
        """Keep up to `in_memory` bytes out of the file system."""
        self._in_memory = in_memory
        self._file: IO[bytes] = BytesIO()
        self.path: str | None = None
        """Of the file; None: there is none."""

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
        """Let it go."""
        self.close()

    def close(self) -> None:
        """Let the octets go."""
        self._file.close()

    def write(self, octets: bytes, /) -> int:
        """Take in the next octets."""
        if self.path is None and self._file.tell() + len(octets) > self._in_memory:
            self._go_to_disk()
        return self._file.write(octets)

    def read(self, most: int, /) -> bytes:
        """Return up to so many octets from the place on."""
        return self._file.read(most)

    def seek(self, place: int, /) -> int:
        """Go to a place, from the beginning."""
        return self._file.seek(place)

    def truncate(self) -> int:
        """Forget what is beyond the place."""
        return self._file.truncate()

    def tell(self) -> int:
        """Return the place."""
        return self._file.tell()

    def octets(self) -> bytes:
        """Return all there is; only of what is in memory."""
        self._file.seek(0)
        return self._file.read()

    def flush(self) -> None:
        """Let whoever opens the file find everything in it."""
        self._file.flush()

    def _go_to_disk(self) -> None:
        file = NamedTemporaryFile(prefix="causeway-mail-")  # noqa: SIM115 - closed with the spool
        file.write(self.octets())
        self._file.close()
        self._file, self.path = file, file.name
