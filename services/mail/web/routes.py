"""The route table of mail: every module's own, one after the other."""

from services.mail.web import (
    attachments,
    connections,
    entities,
    labels,
    messages,
    operations,
    push,
    search,
    settings,
    sync,
    threads,
)

ROUTES = (
    *push.ROUTES,
    *messages.ROUTES,
    *attachments.ROUTES,
    *search.ROUTES,
    *threads.ROUTES,
    *labels.ROUTES,
    *entities.ROUTES,
    *connections.ROUTES,
    *settings.ROUTES,
    *sync.ROUTES,
    *operations.ROUTES,
)
