"""Appointments of the CRM, and the events that mirror them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from services.calendar.domain import templates
from services.calendar.domain.event import Reminder, Reminders
from services.calendar.domain.fields import Fields, changed, reminders_field
from services.calendar.domain.templates import Style
from services.calendar.domain.times import Days, Span, instants, stored, when_of

MOST_REMINDERS = 5
CANCELLED = "cancelled"
LABELS = {
    "scheduled": "Agendado",
    "confirmed": "Confirmado",
    "completed": "Concluído",
    "no_show": "Não compareceu",
    CANCELLED: "Cancelado",
}
TEXTS = ("summary", "description", "location")


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who comes."""

    name: str = ""
    phone: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Professional:
    """Whose calendar it goes into."""

    user_id: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appointment:
    """An appointment as the CRM has it."""

    appointment_id: str
    version: int
    """Rises with every change in the CRM."""
    service: str
    duration: int
    """Minutes."""
    start: datetime
    """Aware."""
    zone: str | None = None
    """An IANA name; None: the connection's."""
    status: str = "scheduled"
    client: Client = field(default_factory=Client)
    professional: Professional
    notes: str = ""
    price: str | None = None
    """As it is to be shown."""

    @property
    def is_cancelled(self) -> bool:
        """Say whether it has to go from the calendar."""
        return self.status == CANCELLED

    def stored(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self) | {"start": self.start.astimezone(UTC).isoformat()}


def appointment_of(column: Mapping[str, Any]) -> Appointment:
    """Return an appointment as `stored` left it."""
    return Appointment(
        **{
            **column,
            "start": datetime.fromisoformat(column["start"]),
            "client": Client(**column["client"]),
            "professional": Professional(**column["professional"]),
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AppointmentChange:
    """What somebody's edit in Google means for the CRM; None where nothing has changed."""

    start: datetime | None = None
    duration: int | None = None
    """Minutes."""
    cancelled: bool = False
    all_day: bool = False
    """It was made one of whole days; `start` and `duration` span them."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Of summary, description and location those that were rewritten."""


def values_of(appointment: Appointment, style: Style) -> dict[str, str]:
    """Return the variables that its templates may use; what must not be shown is empty."""
    client = appointment.client if style.include_client_info else Client()
    values = {
        "service": appointment.service,
        "client": client.name,
        "duration": str(appointment.duration),
        "phone": client.phone,
        "email": client.email,
        "professional": appointment.professional.name,
        "status": LABELS.get(appointment.status, appointment.status),
        "price": appointment.price or "",
    }
    shown = {name: templates.one_line(value) for name, value in values.items()}
    notes = appointment.notes.strip() if style.include_notes else ""
    return {**style.variables, **shown, "notes": notes}


def desired_fields(appointment: Appointment, style: Style) -> Fields:
    """Return the fields of the event that mirrors an appointment; the others are the person's."""
    values = values_of(appointment, style)
    end = appointment.start + timedelta(minutes=appointment.duration)
    reminders = [Reminder("popup", one) for one in style.reminder_minutes[:MOST_REMINDERS]]
    return {
        "summary": templates.title(style.title, values, prefix=style.prefix),
        "description": templates.body(style.body, values),
        "time": stored(Span(appointment.start, end, appointment.zone or style.zone)),
        "reminders": reminders_field(Reminders(use_default=False, overrides=tuple(reminders))),
    }


def appointment_changes(
    base: Mapping[str, Any],
    new: Mapping[str, Any] | None,
    appointment: Appointment,
    *,
    zone: str,
) -> AppointmentChange | None:
    """Return what the CRM has to hear of a person's edit in Google; None: nothing.

    Args:
        base: the fields that both sides last agreed on.
        new: the fields as Google has them; None: the event is cancelled or gone.
        appointment: as the CRM has it.
        zone: the connection's, for days; an IANA name.
    """
    if new is None:
        return None if appointment.is_cancelled else AppointmentChange(cancelled=True)
    edited = changed({name: base.get(name) for name in new}, new)
    texts = {name: new[name] for name in TEXTS if name in edited and name in base}
    start, duration, all_day = None, None, False
    if "time" in edited:
        start, duration, all_day = _time(base.get("time"), new["time"], appointment, zone)
    if start is None and duration is None and not texts:
        return None
    return AppointmentChange(start=start, duration=duration, all_day=all_day, texts=texts)


def _time(
    base: Mapping[str, Any] | None,
    new: Mapping[str, Any] | None,
    appointment: Appointment,
    zone: str,
) -> tuple[datetime | None, int | None, bool]:
    """Return start and duration where they differ from what both sides last agreed on."""
    if not new:
        return None, None, False
    before = appointment.start, appointment.start + timedelta(minutes=appointment.duration)
    when = when_of(new)
    if base:
        before = instants(when_of(base), zone=appointment.zone or zone)
    start, end = instants(when, zone=appointment.zone or zone)
    minutes = _minutes(start, end)
    return (
        None if start == before[0] else start,
        None if minutes == _minutes(*before) else minutes,
        isinstance(when, Days),
    )


def _minutes(start: datetime, end: datetime) -> int:
    return round((end - start) / timedelta(minutes=1))
