"""What goes into the write ledger: changes of events that the CRM wishes for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from libs.common.writes import MergePolicy
from services.calendar.domain.event import Notify, Response

EVENT = "calendar.event"
"""The kind of these writes."""


class Op(StrEnum):
    """What is done to the event."""

    INSERT = "insert"
    PATCH = "patch"
    DELETE = "delete"
    RESPOND = "respond"


ACTIONS = {Op.INSERT: "create", Op.PATCH: "update", Op.DELETE: "delete", Op.RESPOND: "update"}
"""As the log calls them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One change of one event."""

    op: Op
    calendar_id: UUID
    google_calendar: str
    """Google's id of the calendar."""
    google_id: str
    """Of the event; ours to choose when it is inserted."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Of `domain.fields`, as the CRM wants them."""
    notify: Notify | None = None
    """Whom Google writes to; None: nobody, and nobody had to choose."""
    policy: MergePolicy = MergePolicy.MANUAL
    wished_at: datetime
    marks: Mapping[str, str] = field(default_factory=dict)
    response: Response | None = None
    comment: str | None = None
    appointment_id: str | None = None
    forced: bool = False
    """A person has chosen: what Google's side has does not count."""
    source: str = ""
    """What an event is inserted for: its Google id follows from this and the generation."""
    generation: int = 0
    requires: UUID | None = None
    """The write that has to have been done before: without it this one makes no sense."""

    order: str = ""
    """Writes that share it go out one after the other; without it, those of one event do."""

    @property
    def item(self) -> str:
        """Return what it changes, for the order of writes."""
        return self.order or f"{self.calendar_id}:{self.google_id}"

    def stored(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "op": self.op.value,
            "calendar_id": str(self.calendar_id),
            "google_calendar": self.google_calendar,
            "google_id": self.google_id,
            "fields": dict(self.fields),
            "notify": None if self.notify is None else self.notify.value,
            "policy": self.policy.value,
            "wished_at": self.wished_at.isoformat(),
            "marks": dict(self.marks),
            "response": None if self.response is None else self.response.value,
            "comment": self.comment,
            "appointment_id": self.appointment_id,
            "forced": self.forced,
            "source": self.source,
            "generation": self.generation,
            "requires": None if self.requires is None else str(self.requires),
        }


def wish_of(desired: Mapping[str, Any]) -> Wish:
    """Return the wish of which `stored` made JSON."""
    notify, response = desired["notify"], desired["response"]
    return Wish(
        op=Op(desired["op"]),
        calendar_id=UUID(desired["calendar_id"]),
        google_calendar=desired["google_calendar"],
        google_id=desired["google_id"],
        fields=desired["fields"],
        notify=None if notify is None else Notify(notify),
        policy=MergePolicy(desired["policy"]),
        wished_at=datetime.fromisoformat(desired["wished_at"]),
        marks=desired["marks"],
        response=None if response is None else Response(response),
        comment=desired["comment"],
        appointment_id=desired["appointment_id"],
        forced=desired["forced"],
        source=desired["source"],
        generation=desired["generation"],
        requires=None if desired["requires"] is None else UUID(desired["requires"]),
    )
