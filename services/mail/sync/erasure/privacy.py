"""What mail brings along for one person's data: what is shown, what goes, and of which tables."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.privacy import Coverage, Desk, Person
from libs.common.privacy.coverage import KERNEL, TECHNICAL, of_feeds
from libs.common.privacy.outgoing_events import OutgoingEvents
from libs.common.privacy.parts import (
    ErasedConnections,
    ErasedDeadItems,
    ErasedFromDirectory,
    ErasedNames,
    Takes,
)
from services.mail.store.connections import ROWS
from services.mail.store.privacy_messages import list_erased, list_numbers
from services.mail.store.privacy_rest import NAMED_IN
from services.mail.sync.erasure.erasing_messages import ErasedMessages
from services.mail.sync.erasure.erasing_rest import (
    ErasedOutgoing,
    ErasedSuggestions,
    ErasedWrites,
    inside_push,
)
from services.mail.sync.erasure.erasing_users import Mailboxes
from services.mail.sync.erasure.exporting import extracts

ARRIVALS = frozenset({"mail.message.received.v1", "mail.message.sent.v1"})
ACTIVITY = "mail.activity.logged.v1"

WITH_MESSAGE = "message"
COVERAGE = {
    "connections": Coverage(shown="mailbox", erased="mailboxes"),
    "watches": Coverage(shown="watch", erased="mailboxes"),
    "labels": Coverage(shown="label", erased="mailboxes"),
    "messages": Coverage(shown=WITH_MESSAGE, erased="messages"),
    "message_addresses": Coverage(
        shown="no: keyed hashes of the addresses that a message shows", erased="messages"
    ),
    "message_links": Coverage(shown=WITH_MESSAGE, erased="messages"),
    "activities": Coverage(
        shown="no: a number and a date, under an id made of what the message shows",
        erased="no: the same; without the message nobody can tell whose it was",
    ),
    "activity_numbers": Coverage(shown=TECHNICAL, erased=TECHNICAL),
    "retellings": Coverage(
        shown="no: how far a mailbox's activities were told again", erased="mailboxes"
    ),
    "link_work": Coverage(
        shown="no: which entity's mail is looked for; gone once it was", erased="mailboxes"
    ),
    "keep_work": Coverage(
        shown="no: how far changed settings were applied; gone once they are", erased="mailboxes"
    ),
    "paused_tenants": Coverage(shown="pause of all mailboxes", erased="names"),
    "contact_suggestions": Coverage(shown="suggestion", erased="suggestions"),
    "outgoing": Coverage(shown="outgoing message", erased="outgoing"),
    "outgoing_attachments": Coverage(shown="outgoing message", erased="outgoing"),
    "outgoing_chunks": Coverage(shown="outgoing attachment", erased="outgoing"),
    "writes": Coverage(shown="change", erased="writes"),
    "item_attempts": Coverage(shown="no: how often an id at Google was tried", erased="mailboxes"),
    "snapshot_items": Coverage(
        shown="no: ids at Google, while they are compared", erased="mailboxes"
    ),
    "entities": Coverage(shown="entity", erased="directory"),
    "entity_addresses": Coverage(shown="entity", erased="directory"),
    **of_feeds("mailboxes"),
    **KERNEL,
}


def desk(takes: Takes, *, hash_key: bytes, now: Callable[[], datetime]) -> Desk:
    """Return mail's desk.

    Args:
        takes: ends connections.
        hash_key: of the hashes of addresses.
    """
    return Desk(
        extracts=extracts(hash_key),
        parts=(
            ErasedConnections(takes, ROWS, Mailboxes(), now=now),
            ErasedNames(*NAMED_IN),
            ErasedOutgoing(now=now),
            ErasedMessages(hash_key=hash_key, now=now),
            ErasedWrites(),
            ErasedDeadItems(hidden=inside_push),
            ErasedSuggestions(hash_key=hash_key),
            ErasedFromDirectory(),
            OutgoingEvents(drops_users=True, stale=_stale),
        ),
        coverage=COVERAGE,
    )


async def _stale(conn: Conn, person: Person, events: Sequence[Any]) -> set[str]:
    """Return the events that tell of messages as they were before somebody was erased.

    Of an activity the newest event stays: it says what is left.
    """
    told = {one["id"]: _messages_of(one) for one in events}
    ids = [message_id for some in told.values() for message_id in some]
    erased = await list_erased(conn, person.tenant_id, ids) if ids else set()
    concerned = [one for one in events if not erased.isdisjoint(told[one["id"]])]
    activities = [_aggregate(one) for one in concerned if one["type"] == ACTIVITY]
    newest = await list_numbers(conn, person.tenant_id, activities) if activities else {}
    return {
        one["id"]
        for one in concerned
        if one["type"] in ARRIVALS or int(one["sequence"]) < newest.get(_aggregate(one), 0)
    }


def _aggregate(event: Any) -> UUID:
    return UUID(event["subject"].rpartition("/")[2])


def _messages_of(event: Any) -> frozenset[UUID]:
    """Return the messages of which an event tells what they say."""
    if event["type"] in ARRIVALS:
        return frozenset({_aggregate(event)})
    if event["type"] != ACTIVITY:
        return frozenset()
    return frozenset(UUID(one["message_id"]) for one in event["data"]["activity"]["copies"])
