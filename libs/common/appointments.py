"""The fields of an appointment as it comes in, from a call or an event: checked."""

from datetime import datetime
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from libs.common.fields import plain_id, plain_text

LONGEST_MINUTES = 7 * 24 * 60
LONGEST_TEXT = 1_000
LONGEST_NOTES = 8_000


def _zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError("is no zone of the IANA database")
    return value


def _near(value: datetime) -> datetime:
    if not 1970 <= value.year <= 9000:  # noqa: PLR2004 - years that a calendar has
        raise ValueError("is not within the years 1970..9000")
    return value


AppointmentId = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(plain_id)]
Version = Annotated[int, Field(ge=1, le=2**63 - 1)]
Text = Annotated[str, Field(max_length=LONGEST_TEXT), AfterValidator(plain_text)]
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

    user_id: Annotated[str, Field(min_length=1, max_length=255), AfterValidator(plain_text)] = (
        Field(description="The CRM's user, whose connection is written")
    )
    name: Text = ""


class AppointmentFields(BaseModel):
    """An appointment, all of it."""

    appointment_id: AppointmentId
    version: Version = Field(description="Rises with every change; an older one changes nothing")
    service: Annotated[
        str, Field(min_length=1, max_length=LONGEST_TEXT), AfterValidator(plain_text)
    ]
    duration: int = Field(ge=1, le=LONGEST_MINUTES, description="Minutes")
    start: Start
    zone: Zone | None = Field(default=None, description="IANA name; without it, the connection's")
    status: Literal["scheduled", "confirmed", "completed", "no_show", "cancelled"] = "scheduled"
    client: ClientFields = ClientFields()
    professional: ProfessionalFields
    notes: Annotated[str, Field(max_length=LONGEST_NOTES), AfterValidator(plain_text)] = ""
    price: Text | None = Field(default=None, description="As it is to be shown")
