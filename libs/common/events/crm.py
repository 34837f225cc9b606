"""What the CRM tells Causeway of its leads, deals and contacts, and of appointments.

The subject is `<entity_type>/<entity_id>`, the order of the changes of one is by `version`.
"""

from datetime import datetime
from typing import ClassVar, TypeAlias

from libs.common.appointments import AppointmentFields, AppointmentId
from libs.common.crm_contacts import ContactFields
from libs.common.directory.fields import EntityFields, EntityId, EntityType, UserId, Version
from libs.common.errors import InvalidInput
from libs.common.events.base import Event, Origin
from libs.common.events.envelope import Envelope


class _EntityEvent(Event):
    source: ClassVar[str] = "/crm"
    aggregate: ClassVar[str] = "entity"

    origin: Origin = Origin.CRM
    entity_type: EntityType
    entity_id: EntityId


class EntityUpserted(_EntityEvent, EntityFields):
    """An entity is new or has changed: all of it, as it is now."""

    type: ClassVar[str] = "crm.entity.upserted.v1"


class EntityDeleted(_EntityEvent):
    """An entity is gone."""

    type: ClassVar[str] = "crm.entity.deleted.v1"

    version: Version


class _AppointmentEvent(Event):
    source: ClassVar[str] = "/crm"
    aggregate: ClassVar[str] = "appointment"

    origin: Origin = Origin.CRM


class AppointmentScheduled(_AppointmentEvent, AppointmentFields):
    """An appointment was made: all of it."""

    type: ClassVar[str] = "crm.appointment.scheduled.v1"


class AppointmentChanged(_AppointmentEvent, AppointmentFields):
    """An appointment has changed: all of it, as it is now."""

    type: ClassVar[str] = "crm.appointment.changed.v1"


class AppointmentCancelled(_AppointmentEvent):
    """An appointment does not take place."""

    type: ClassVar[str] = "crm.appointment.cancelled.v1"

    appointment_id: AppointmentId
    version: Version


class _ContactEvent(Event):
    source: ClassVar[str] = "/crm"
    aggregate: ClassVar[str] = "contact"

    origin: Origin = Origin.CRM
    contact_id: EntityId
    version: Version


class ContactUpserted(_ContactEvent):
    """A contact of the CRM is new or has changed."""

    type: ClassVar[str] = "crm.contact.upserted.v1"

    owner_user_id: UserId | None = None
    fields: ContactFields
    """Under the CRM's own names; null empties a field, and one that is not named stays."""


class ContactDeleted(_ContactEvent):
    """A contact of the CRM is gone."""

    type: ClassVar[str] = "crm.contact.deleted.v1"


ContactEvent: TypeAlias = ContactUpserted | ContactDeleted

AppointmentEvent: TypeAlias = AppointmentScheduled | AppointmentChanged | AppointmentCancelled

EntityEvent: TypeAlias = EntityUpserted | EntityDeleted

ENTITY_EVENTS: tuple[type[EntityUpserted] | type[EntityDeleted], ...] = (
    EntityUpserted,
    EntityDeleted,
)
APPOINTMENT_EVENTS: tuple[
    type[AppointmentScheduled] | type[AppointmentChanged] | type[AppointmentCancelled], ...
] = (AppointmentScheduled, AppointmentChanged, AppointmentCancelled)
CONTACT_EVENTS: tuple[type[ContactUpserted] | type[ContactDeleted], ...] = (
    ContactUpserted,
    ContactDeleted,
)
EVENTS: tuple[type[Event], ...] = (*ENTITY_EVENTS, *APPOINTMENT_EVENTS, *CONTACT_EVENTS)
BY_TYPE = {event.type: event for event in ENTITY_EVENTS}
APPOINTMENTS_BY_TYPE = {event.type: event for event in APPOINTMENT_EVENTS}
CONTACTS_BY_TYPE = {event.type: event for event in CONTACT_EVENTS}


def read(envelope: Envelope) -> EntityEvent:
    """Return the event in an envelope.

    Raises:
        InvalidInput: it is none of the CRM's, lacks what it needs, or its subject names another
            entity than its data.
    """
    if envelope.type not in BY_TYPE:
        raise InvalidInput.field("type", "is none of the CRM's entity events")
    event = envelope.parse(BY_TYPE[envelope.type])
    if envelope.subject != f"{event.entity_type}/{event.entity_id}":
        raise InvalidInput.field("subject", "must be <entity_type>/<entity_id> of the data")
    return event


def read_appointment(envelope: Envelope) -> AppointmentEvent:
    """Return the event of an appointment in an envelope.

    Raises:
        InvalidInput: it is none, lacks what it needs, or its subject names another appointment.
    """
    if envelope.type not in APPOINTMENTS_BY_TYPE:
        raise InvalidInput.field("type", "is none of the CRM's appointment events")
    event: AppointmentEvent = envelope.parse(APPOINTMENTS_BY_TYPE[envelope.type])
    if envelope.aggregate_id != event.appointment_id:
        raise InvalidInput.field("subject", "must be appointment/<appointment_id> of the data")
    return event


def read_contact(envelope: Envelope) -> ContactEvent:
    """Return the event of a contact in an envelope.

    Raises:
        InvalidInput: it is none, lacks what it needs, or its subject names another contact.
    """
    if envelope.type not in CONTACTS_BY_TYPE:
        raise InvalidInput.field("type", "is none of the CRM's contact events")
    event: ContactEvent = envelope.parse(CONTACTS_BY_TYPE[envelope.type])
    if envelope.aggregate_id != event.contact_id:
        raise InvalidInput.field("subject", "must be contact/<contact_id> of the data")
    return event


def contact_envelope(event: ContactEvent, *, tenant_id: str, time: datetime) -> Envelope:
    """Return the event of a contact as the CRM should send it; the sequence is the version."""
    return Envelope.of(
        event,
        tenant_id=tenant_id,
        aggregate_id=event.contact_id,
        sequence=event.version,
        time=time,
    )


def appointment_envelope(event: AppointmentEvent, *, tenant_id: str, time: datetime) -> Envelope:
    """Return the event of an appointment as the CRM should send it; the sequence is the version."""
    return Envelope.of(
        event,
        tenant_id=tenant_id,
        aggregate_id=event.appointment_id,
        sequence=event.version,
        time=time,
    )


def envelope_of(event: EntityEvent, *, tenant_id: str, time: datetime) -> Envelope:
    """Return the event as the CRM should send it; the sequence is the version."""
    made = Envelope.of(
        event,
        tenant_id=tenant_id,
        aggregate_id=event.entity_id,
        sequence=event.version,
        time=time,
    )
    return made.model_copy(update={"subject": f"{event.entity_type}/{event.entity_id}"})
