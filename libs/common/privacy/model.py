"""What is asked about a person, and what a service brings along to answer it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from libs.common.db import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whose data: a user of the tenant, a correspondent, or both in one."""

    tenant_id: str
    user_id: str | None = None
    addresses: tuple[str, ...] = ()
    """Folded, each once."""


class Kind(StrEnum):
    """What is asked of the parts."""

    COUNT = "count"
    """Only look."""
    ERASE = "erase"


class State(StrEnum):
    """How far a request is; `done` and `failed` are for good."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One row of `privacy_requests`."""

    tenant_id: str
    id: UUID
    kind: Kind
    person: Person | None
    """None once it has ended."""
    state: State
    reason: str | None = None
    part: str | None = None
    place: Mapping[str, Any] | None = None
    """What the part noted for itself; None: it has not begun."""
    found: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    failures: int = 0
    created_at: datetime
    finished_at: datetime | None = None

    @property
    def erases(self) -> bool:
        """Say whether anything may be changed."""
        return self.kind is Kind.ERASE


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a bounded piece of a part's work came to."""

    found: Mapping[str, int] = field(default_factory=dict)
    """How many records of which kind, in words a person understands."""
    notes: Sequence[str] = ()
    place: Mapping[str, Any] | None = None
    """Where the next step begins; None: the part is done."""
    wait_s: float = 0.0
    """How long the next step should wait for something that others do."""


class Part(Protocol):
    """One kind of data, erased step by step."""

    @property
    def name(self) -> str:
        """Return its name: a constant, kept in rows."""

    async def step(self, conn: Connection, request: Request, person: Person) -> Step:
        """Do a bounded piece in the caller's transaction; doing it twice changes nothing more.

        With a request that does not erase, only count; the place then moves on all the same.
        """
        ...


@dataclass(frozen=True, slots=True)
class Record:
    """Something that is held about a person, with names that people understand."""

    kind: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Some records, and where the next page begins; None: there is none."""

    records: Sequence[Record]
    after: str | None


class Extract(Protocol):
    """Reads one kind of what is held about a person, a bounded page at a time."""

    async def __call__(self, conn: Connection, person: Person, after: str, /) -> Page:
        """Return the page behind `after`; "" is the beginning."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What becomes of a table with a person's data; a test wants an entry for every table."""

    shown: str
    """The kind of record an export has of it; or, after `no: `, why it has none."""
    erased: str
    """The part that erases it; or, after `no: `, why nothing of a person is left there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What a service brings along.

    Args:
        extracts: what an export holds, in its order.
        parts: the parts of an erasure, in their order; names are unique.
        coverage: of every table of the service's database.
    """

    extracts: Mapping[str, Extract]
    parts: Sequence[Part]
    coverage: Mapping[str, Coverage]

    def turn(self, name: str | None, *, is_under_way: bool) -> Part | None:
        """Return whose turn it is when `name` is under way, or done; None: nothing is left.

        A part that only another release knew means that all begins anew, which does no harm.
        """
        names = [part.name for part in self.parts]
        if name is None or name not in names:
            return self.parts[0]
        place = names.index(name) + (not is_under_way)
        return self.parts[place] if place < len(names) else None
