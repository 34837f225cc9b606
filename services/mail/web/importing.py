"""Reading newline-delimited JSON as it comes: never more than a line and a batch in memory."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from libs.common.directory import Entity
from libs.common.errors import InvalidInput, TooLarge
from libs.common.web import parse_json
from services.mail.web.entity_models import EntityRow, ImportReport, RowError

MOST_ROWS = 100_000
LONGEST_LINE = 131_072
BATCH = 500
MOST_ERRORS = 1_000
BOM = b"\xef\xbb\xbf"

Take = Callable[[Sequence[Entity]], Awaitable[list[bool]]]
"""Commits a batch; says of each row whether it was newer."""


async def lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[tuple[int, bytes | None]]:
    """Yield the lines that are not blank, with their numbers; None for one that is too long."""
    number, held, is_long = 1, bytearray(), False
    async for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            held += part
            yield number, None if is_long or len(held) > LONGEST_LINE else bytes(held)
            number, held, is_long = number + 1, bytearray(), False
        held += rest
        if len(held) > LONGEST_LINE:
            held, is_long = bytearray(), True
    if held or is_long:
        yield number, None if is_long else bytes(held)


class Import:
    """Takes rows in, batch by batch, and keeps the report."""

    def __init__(self, take: Take) -> None:
        self.report = ImportReport()
        self._take = take
        self._batch: list[Entity] = []

    async def run(self, chunks: AsyncIterator[bytes]) -> ImportReport:
        """Take in every good row; return what became of all.

        Raises:
            TooLarge: more than 100,000 rows; those before are taken in, and `taken` says so.
        """
        async for number, line in lines(chunks):
            if number == 1 and line is not None:
                line = line.removeprefix(BOM)  # noqa: PLW2901 - the first line without its mark
            if line is not None and not line.strip():
                continue
            if self.report.rows >= MOST_ROWS:
                await self._flush()
                taken = self.report.model_dump(exclude={"errors"})
                raise TooLarge("There are too many rows.", limit_rows=MOST_ROWS, taken=taken)
            self.report.rows += 1
            self._read(number, line)
            if len(self._batch) >= BATCH:
                await self._flush()
        await self._flush()
        return self.report

    def _read(self, number: int, line: bytes | None) -> None:
        if line is None:
            self._refuse(number, [{"field": "line", "detail": "is too long"}])
            return
        try:
            row = parse_json(line, EntityRow)
        except InvalidInput as exc:
            self._refuse(number, exc.data["errors"])
            return
        self._batch.append(row.entity(row.entity_type, row.entity_id))

    def _refuse(self, number: int, errors: Any) -> None:
        self.report.failed += 1
        for one in errors[: MOST_ERRORS - len(self.report.errors)]:
            self.report.errors.append(RowError(line=number, **one))

    async def _flush(self) -> None:
        batch, self._batch = self._batch, []
        if batch:
            newer = sum(await self._take(batch))
            self.report.applied += newer
            self.report.stale += len(batch) - newer
