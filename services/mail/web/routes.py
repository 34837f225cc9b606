"""The route table of mail: every module's own, one after the other."""

from libs.common import operations
from services.mail.web import (
    attachments,
    connections,
    drafts,
    entities,
    label_changes,
    labels,
    messages,
    privacy,
    push,
    search,
    sending,
    settings,
    sync,
    threads,
)

ROUTES = (
    *push.ROUTES,
    *messages.ROUTES,
    *sending.ROUTES,
    *drafts.ROUTES,
    *label_changes.ROUTES,
    *attachments.ROUTES,
    *search.ROUTES,
    *threads.ROUTES,
    *labels.ROUTES,
    *entities.ROUTES,
    *connections.ROUTES,
    *settings.ROUTES,
    *sync.ROUTES,
    *operations.routes("mail"),
    *privacy.ROUTES,
)
