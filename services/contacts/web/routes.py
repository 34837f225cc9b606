"""The route table of the contacts service: every module's own, one after the other."""

from services.contacts.web import contacts, groups, nicknames, settings

ROUTES = (
    *contacts.ROUTES,
    *groups.ROUTES,
    *nicknames.ROUTES,
    *settings.ROUTES,
)
