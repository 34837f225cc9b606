"""The CloudEvents attributes around an event's data: the one format on the wire.

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeAlias, TypeVar
from uuid import UUID

import orjson
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from libs.common.errors import InvalidInput
from libs.common.events.base import Event
from libs.common.ids import new_id

CONTENT_TYPE = "application/cloudevents+json"

SEQUENCE_DIGITS = 20
"""Enough for any bigint; padded, so that text compares as the numbers do."""

LARGEST_SEQUENCE = 2**63 - 1

MAX_TYPE_LENGTH = 255
"""Bytes of an AMQP routing key."""

E = TypeVar("E", bound=Event)
EventClass: TypeAlias = type[E]

Text = Annotated[str, Field(min_length=1, max_length=255)]


def _bigint(digits: str) -> str:
    if int(digits) > LARGEST_SEQUENCE:
        raise ValueError("must be a number that a bigint holds")
    return digits


def schema_uri(event_type: str) -> str:
    """Return the `dataschema` of an event type: the `$id` of its JSON Schema."""
    return f"urn:causeway:schema:{event_type}"


class Envelope(BaseModel):
    """One event as it travels: CloudEvents 1.0, structured JSON.

    Attributes it does not know are ignored: another producer may send more.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: Literal["1.0"] = "1.0"
    id: UUID
    source: Text
    type: Annotated[str, Field(max_length=MAX_TYPE_LENGTH, pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)+$")]
    subject: Text
    """`<aggregate>/<id>`: what the event is about."""
    time: AwareDatetime
    """When it happened at its origin (for Google's changes: at Google)."""
    dataschema: str
    datacontenttype: Literal["application/json"] = "application/json"
    tenantid: Text
    sequence: Annotated[
        str, Field(pattern=rf"^[0-9]{{{SEQUENCE_DIGITS}}}$"), AfterValidator(_bigint)
    ]
    """Rises within one subject: what is older than what a consumer has is dropped."""
    data: dict[str, Any]

    @classmethod
    def of(
        cls, event: Event, *, tenant_id: str, aggregate_id: str, sequence: int, time: datetime
    ) -> "Envelope":
        """Return `event` ready to be appended to the outbox, under a new id.

        Args:
            event: the fact.
            tenant_id: whose fact it is.
            aggregate_id: with the event's `aggregate` the subject.
            sequence: 0 or more, taken under the aggregate's row lock.
            time: aware; when it happened, not when it was noticed.
        """
        return cls(
            id=new_id(),
            source=event.source,
            type=event.type,
            subject=f"{event.aggregate}/{aggregate_id}",
            time=time.astimezone(UTC),
            dataschema=schema_uri(event.type),
            tenantid=tenant_id,
            sequence=f"{sequence:0{SEQUENCE_DIGITS}d}",
            data=event.model_dump(mode="json", by_alias=True),
        )

    @classmethod
    def from_json(cls, body: bytes) -> "Envelope":
        """Return the envelope in a message's body.

        Raises:
            InvalidInput: it is no JSON, or not the JSON of an envelope; names the fields.
        """
        try:
            return cls.model_validate_json(body)
        except ValidationError as exc:
            raise _invalid("The message is no event envelope.", exc) from None

    def to_json(self) -> bytes:
        """Return the body of the message, UTF-8."""
        return self.model_dump_json().encode()

    def parse(self, event_class: EventClass[E]) -> E:
        """Return the data as the event it is.

        Raises:
            InvalidInput: it is another type of event, or the data lacks what the event needs.
        """
        if self.type != event_class.type:
            raise InvalidInput.field("type", f"expected {event_class.type}")
        try:
            return event_class.model_validate(self.data)
        except ValidationError as exc:
            raise _invalid("The event's data does not fit its type.", exc) from None

    @property
    def aggregate_id(self) -> str:
        """Return the second half of the subject."""
        return self.subject.partition("/")[2]


@dataclass(frozen=True, slots=True)
class Sealed:
    """What goes into the outbox: an envelope as nothing but the bytes of its message."""

    id: UUID
    type: str
    body: bytes

    @classmethod
    def of(
        cls,
        kind: EventClass[Any],
        data: Mapping[str, Any],
        *,
        tenant_id: str,
        aggregate_id: str,
        sequence: int,
        time: datetime,
    ) -> "Sealed":
        """Return what `Envelope.of` would, where there are too many to make an event of each.

        Args:
            kind: what it is.
            data: what dumping the event gives, as orjson takes it: nobody checks it here, tests do.
            tenant_id: see `Envelope.of`, as for what follows.
            aggregate_id: with the event's `aggregate` the subject.
            sequence: 0 or more, taken under the aggregate's row lock.
            time: aware; when it happened.
        """
        event_id = new_id()
        envelope = {
            "specversion": "1.0",
            "id": event_id,
            "source": kind.source,
            "type": kind.type,
            "subject": f"{kind.aggregate}/{aggregate_id}",
            "time": time.astimezone(UTC),
            "dataschema": schema_uri(kind.type),
            "datacontenttype": "application/json",
            "tenantid": tenant_id,
            "sequence": f"{sequence:0{SEQUENCE_DIGITS}d}",
            "data": data,
        }
        return cls(event_id, kind.type, orjson.dumps(envelope, option=orjson.OPT_UTC_Z))

    def to_json(self) -> bytes:
        """Return the body of the message, UTF-8."""
        return self.body


def _invalid(message: str, exc: ValidationError) -> InvalidInput:
    # Only where and what kind: pydantic's own text quotes the content, and its cause would too.
    errors = [
        {"field": ".".join(str(part) for part in error["loc"]), "detail": error["type"]}
        for error in exc.errors(include_url=False, include_context=False, include_input=False)
    ]
    return InvalidInput(message, errors=errors)
