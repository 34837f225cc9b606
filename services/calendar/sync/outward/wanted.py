"""Appointments as they come in, as the domain's values."""

from datetime import UTC

from libs.common.appointments import AppointmentFields
from services.calendar.domain.appointment import Appointment, Client, Professional


def appointment_of(given: AppointmentFields) -> Appointment:
    """Return what a call or an event says of an appointment."""
    return Appointment(
        appointment_id=given.appointment_id,
        version=given.version,
        service=given.service,
        duration=given.duration,
        start=given.start.astimezone(UTC),
        zone=given.zone,
        status=given.status,
        client=Client(**given.client.model_dump()),
        professional=Professional(**given.professional.model_dump()),
        notes=given.notes,
        price=given.price,
    )
