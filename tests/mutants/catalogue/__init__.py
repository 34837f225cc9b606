"""The catalogue: every mutant there is, by what it sabotages."""

from tests.mutants.catalogue import (
    auth,
    calendar,
    contacts,
    doors,
    events,
    feeds,
    mail,
    privacy,
    secrecy,
    tenants,
    writes,
)

MUTANTS = (
    *feeds.MUTANTS,
    *doors.MUTANTS,
    *events.MUTANTS,
    *auth.MUTANTS,
    *mail.MUTANTS,
    *calendar.MUTANTS,
    *contacts.MUTANTS,
    *writes.MUTANTS,
    *tenants.MUTANTS,
    *secrecy.MUTANTS,
    *privacy.MUTANTS,
)
