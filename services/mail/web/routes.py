"""The route table of mail."""

from libs.common.errors import Conflict, Forbidden, NotFound, Transient
from libs.common.web import Access, Route
from services.mail.web.connections import read_settings, read_status, write_settings
from services.mail.web.messages import change_labels, read_message, read_messages
from services.mail.web.models import (
    ConnectionSettings,
    LabelChange,
    Labels,
    MessageOut,
    MessagePage,
    MessageQuery,
    StatusOut,
)
from services.mail.web.push import PUSH_MAX_BODY, PUSH_TIMEOUT_S, receive_push

MAX_BODY = 65_536
"""Of requests that only name labels or settings."""

ROUTES = (
    Route(
        method="POST",
        path="/webhooks/google/gmail",
        handler=receive_push,
        access=Access.WEBHOOK,
        summary="Take in a Pub/Sub push of Gmail's",
        status=204,
        max_body=PUSH_MAX_BODY,
        timeout_s=PUSH_TIMEOUT_S,
        errors=(Transient,),
        tags=("webhooks",),
    ),
    Route(
        method="GET",
        path="/v1/mail/messages",
        handler=read_messages,
        access=Access.USER_OR_SERVICE,
        summary="List messages, newest first",
        query=MessageQuery,
        returns=MessagePage,
        tags=("messages",),
    ),
    Route(
        method="GET",
        path="/v1/mail/messages/{id}",
        handler=read_message,
        access=Access.USER_OR_SERVICE,
        summary="Read one message with its text",
        returns=MessageOut,
        errors=(NotFound,),
        tags=("messages",),
    ),
    Route(
        method="POST",
        path="/v1/mail/messages/{id}/labels",
        handler=change_labels,
        access=Access.USER_OR_SERVICE,
        summary="Put labels on a message, take others off; doing it twice changes nothing",
        body=LabelChange,
        max_body=MAX_BODY,
        returns=Labels,
        errors=(NotFound, Forbidden, Conflict, Transient),
        tags=("messages",),
    ),
    Route(
        method="GET",
        path="/v1/mail/status",
        handler=read_status,
        access=Access.USER_OR_SERVICE,
        summary="How every mailbox's feed and watch stand",
        returns=StatusOut,
        tags=("connections",),
    ),
    Route(
        method="GET",
        path="/v1/mail/connections/{id}/settings",
        handler=read_settings,
        access=Access.USER_OR_SERVICE,
        summary="What is kept of a connection's mail",
        returns=ConnectionSettings,
        errors=(NotFound,),
        tags=("connections",),
    ),
    Route(
        method="PUT",
        path="/v1/mail/connections/{id}/settings",
        handler=write_settings,
        access=Access.USER_OR_SERVICE,
        summary="Set what is kept of a connection's mail from now on",
        body=ConnectionSettings,
        max_body=MAX_BODY,
        returns=ConnectionSettings,
        errors=(NotFound,),
        tags=("connections",),
    ),
)
