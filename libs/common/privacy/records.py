"""Records of JSON that may name a person: looked through some at a time, and left without them.

What a request has reached is in its place: an id, and the names that were found at its beginning.
A step that breaks off is done again, and finds what is left.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.privacy.model import Person, Request, Step
from libs.common.privacy.parts import AT_ONCE
from libs.common.scrubbing import Scrubber

UNDER_WAY_S: Final = 2.0
Begin = Callable[[Conn, Person], Awaitable[Mapping[str, Any]]]
"""Returns the first place of a request: `id`, and `names` of the person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """A table with JSON in some of its columns, that has what both sides said of something."""

    name: str
    """Of the part of an erasure."""
    called: str
    """What a person calls them, in the plural."""
    columns: tuple[str, ...]
    """Those in which somebody may be named."""
    rewrite: str
    """The statement that keeps of a row, by tenant and id, a value for each of `columns`."""


Lock = Callable[..., Awaitable[Sequence[Any]]]
"""Returns and locks the next rows that may name somebody; see `next_rows`.

One that has `under_way` is in somebody's hands, and not to be rewritten now.
"""
WRITES: Final = Records(
    name="writes",
    called="changes",
    columns=("base", "desired", "progress", "answer"),
    rewrite="""
UPDATE writes SET base = $3, desired = $4, progress = $5, answer = $6
 WHERE tenant_id = $1 AND id = $2
""",
)
CONFLICTS: Final = Records(
    name="conflicts",
    called="conflicts",
    columns=("base", "ours", "theirs", "choice"),
    rewrite="""
UPDATE conflicts SET base = $3, ours = $4, theirs = $5, choice = $6
 WHERE tenant_id = $1 AND id = $2
""",
)


class ErasedRecords:
    """Records that name the person stay without them; what is under way is waited for."""

    def __init__(
        self,
        records: Records,
        lock: Lock,
        begin: Begin,
        without: Callable[[Any, Scrubber], Any],
    ) -> None:
        """Look through what `lock` returns, from where `begin` says.

        Args:
            records: which table.
            lock: returns its next rows.
            begin: says where a request begins.
            without: leaves a value of JSON without the person.
        """
        self.name = records.name
        self._records = records
        self._lock = lock
        self._begin = begin
        self._without = without

    async def step(self, conn: Conn, request: Request, person: Person) -> Step:
        """Look through the next records."""
        if not person.addresses:
            return Step()
        mine, of = self._records, person.tenant_id
        place = request.place or await self._begin(conn, person)
        scrubber = Scrubber(person.addresses, place["names"])
        rows = await self._lock(conn, of, **next_rows(place, person))
        found = 0
        for row in rows:
            left = {name: self._without(row[name], scrubber) for name in mine.columns}
            if all(left[name] == row[name] for name in mine.columns):
                continue
            if request.erases:
                if row.get("under_way"):  # those before it are done: the next step begins with it
                    return Step(found=counted(mine.called, found), place=place, wait_s=UNDER_WAY_S)
                await conn.execute(mine.rewrite, of, row["id"], *left.values())
            found += 1
        return Step(found=counted(mine.called, found), place=behind(place, rows))


def next_rows(place: Mapping[str, Any], person: Person) -> dict[str, Any]:
    """Return which rows come next, as statements take it."""
    return {"after": UUID(place["id"]), "limit": AT_ONCE, "person": person}


def behind(place: Mapping[str, Any], rows: Sequence[Any]) -> Mapping[str, Any] | None:
    """Return the place behind rows; None: those were all."""
    return {**place, "id": str(rows[-1]["id"])} if len(rows) == AT_ONCE else None


def counted(kind: str, count: int) -> dict[str, int]:
    """Return how many were found of a kind; none is not worth a word."""
    return {kind: count} if count else {}
