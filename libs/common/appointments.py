"""The fields of an appointment as it comes in, from a call or an event: checked."""

from datetime import datetime
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

LONGEST_MINUTES = 7 * 24 * 60
LONGEST_TEXT = 1_000
LONGEST_NOTES = 8_000


def _text(value: str) -> str:
    if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
        raise ValueError("must be text without NUL")
    return value


def _id(value: str) -> str:
    if "/" in value or not value.isprintable() or value != value.strip():
        raise ValueError("must be printable, without slash or spaces around it")
    return value


def _zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError("is no zone of the IANA database")
    return value


def _near(value: datetime) -> datetime:
    if not 1970 <= value.year <= 9000:  # noqa: PLR2004 - years that a calendar has
        raise ValueError("is not within the years 1970..9000")
    return value


AppointmentId = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_id)]
Version = Annotated[int, Field(ge=1, le=2**63 - 1)]
Text = Annotated[str, Field(max_length=LONGEST_TEXT), AfterValidator(_text)]
Zone = Annotated[str, Field(max_length=64), AfterValidator(_zone)]
Start = Annotated[AwareDatetime, AfterValidator(_near)]


class ClientFields(BaseModel):
    """Who comes."""

    model_config = ConfigDict(frozen=True)

    name: Text = ""
    phone: Text = ""
    email: Text = ""


class ProfessionalFields(BaseModel):
    """Whose calendar it goes into."""

    model_config = ConfigDict(frozen=True)

    user_id: Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_text)] = Field(
        description="The CRM's user, whose connection is written"
    )
    name: Text = ""


class AppointmentFields(BaseModel):
    """An appointment, all of it."""

    appointment_id: AppointmentId
    version: Version = Field(description="Rises with every change; an older one changes nothing")
    service: Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT), AfterValidator(_text)]
    duration: int = Field(ge=1, le=LONGEST_MINUTES, description="Minutes")
    start: Start
    zone: Zone | None = Field(default=None, description="IANA name; without it, the connection's")
    status: Literal["scheduled", "confirmed", "completed", "no_show", "cancelled"] = "scheduled"
    client: ClientFields = ClientFields()
    professional: ProfessionalFields
    notes: Annotated[str, Field(max_length=LONGEST_NOTES), AfterValidator(_text)] = ""
    price: Text | None = Field(default=None, description="As it is to be shown")
