"""What every event has: a name, a producer, an aggregate, and where the change came from."""

from enum import StrEnum
from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Origin(StrEnum):
    """Why an event exists, so that connecting an account rings no alarms."""

    LIVE = "live"
    BACKFILL = "backfill"
    REPAIR = "repair"
    CRM = "crm"


class Event(BaseModel):
    """A published fact: ids and facts, no tokens, no bodies.

    Consumers ignore fields they do not know; a producer never sends any it did not declare.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: ClassVar[str]
    """CloudEvents `type` and AMQP routing key."""
    source: ClassVar[str]
    """CloudEvents `source`: `/causeway/<service>`."""
    aggregate: ClassVar[str]
    """First half of the CloudEvents `subject`; `sequence` rises within one subject."""

    origin: Origin
