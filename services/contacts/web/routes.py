"""The route table of the contacts service: every module's own, one after the other.

Paths that are words come before `/v1/contacts/{id}`, which would take them for ids.
"""

from libs.common import operations
from services.contacts.web import (
    conflicts,
    contacts,
    files,
    google,
    groups,
    nicknames,
    settings,
    status,
    sync,
)

ROUTES = (
    *conflicts.ROUTES,
    *status.ROUTES,
    *sync.ROUTES,
    *google.ROUTES,
    *settings.ROUTES,
    *files.ROUTES,
    *operations.routes("contacts"),
    *groups.ROUTES,
    *contacts.ROUTES,
    *nicknames.ROUTES,
)
