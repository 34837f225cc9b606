"""What contacts brings along for one person's data: what is shown, what goes, and of what."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import orjson

from libs.common.db import Connection as Conn
from libs.common.events import contacts as events
from libs.common.privacy import Coverage, Desk, Person, shown
from libs.common.privacy.coverage import KERNEL, of_feeds
from libs.common.privacy.outgoing_events import OutgoingEvents
from libs.common.privacy.parts import ErasedDeadItems, ErasedNames, Takes
from libs.common.privacy.records import CONFLICTS, WRITES, ErasedRecords
from libs.common.scrubbing import Scrubber
from services.contacts.domain.erasing import without_person
from services.contacts.store import privacy as store
from services.contacts.store.connections import ROWS
from services.contacts.store.privacy_export import OF_A_CORRESPONDENT, OF_A_USER
from services.contacts.sync.erasure.erasing import (
    ErasedContacts,
    ErasedGroupNames,
    ErasedNicknames,
    ErasedPeople,
    begin,
)
from services.contacts.sync.erasure.erasing_users import (
    ErasedAddressBooks,
    ErasedGroups,
    ErasedOwned,
)

TOLD_AGAIN = frozenset(one.type for one in (events.ContactCreated, events.ContactUpdated))
"""Of whose aggregate a newer event says what is left."""

COVERAGE = {
    "connections": Coverage(shown="connection", erased="connections"),
    "tenant_defaults": Coverage(
        shown="no: a region and names of fields", erased="no: a region and names of fields"
    ),
    "contacts": Coverage(shown="contact", erased="contacts"),
    "people": Coverage(shown="person of the address book", erased="people"),
    "groups": Coverage(shown="group", erased="groups"),
    "group_members": Coverage(shown="contact", erased="contacts"),
    "labels": Coverage(shown="label", erased="groups"),
    "nicknames": Coverage(shown="contact", erased="nicknames"),
    "conflicts": Coverage(shown="conflict", erased="conflicts"),
    "push_work": Coverage(
        shown="no: how far a connection's contacts were looked at", erased="connections"
    ),
    "sync_logs": Coverage(shown="line of the sync log", erased="connections"),
    "writes": Coverage(shown="change", erased="writes"),
    "item_attempts": Coverage(
        shown="no: how often a name at Google was tried", erased="connections"
    ),
    "snapshot_items": Coverage(
        shown="no: names at Google, while they are compared", erased="connections"
    ),
    **of_feeds("connections"),
    **KERNEL,
}


def desk(takes: Takes, *, now: Callable[[], datetime]) -> Desk:
    """Return the desk of contacts; `takes` ends connections.

    Contacts come after what was made of them: they say which names stand there.
    """
    return Desk(
        extracts=shown.extracts(OF_A_USER, OF_A_CORRESPONDENT, {}, directory=False),
        parts=(
            ErasedAddressBooks(takes, ROWS, now=now),
            ErasedOwned(now=now),
            ErasedGroups(now=now),
            ErasedNames(*store.NAMED_IN, directory=False),
            ErasedRecords(WRITES, store.lock_writes, begin, without_person),
            ErasedRecords(CONFLICTS, store.lock_conflicts, begin, without_person),
            ErasedNicknames(),
            ErasedGroupNames(),
            ErasedContacts(now=now),
            ErasedPeople(now=now),
            ErasedDeadItems(),
            OutgoingEvents(drops_users=False, stale=_stale),
        ),
        coverage=COVERAGE,
    )


async def _stale(conn: Conn, person: Person, waiting: Sequence[Any]) -> set[str]:
    """Return the events on contacts that name the person: what is left of these is told again."""
    del conn
    mentions = Scrubber(person.addresses).mentions
    return {
        one["id"]
        for one in waiting
        if one["type"] in TOLD_AGAIN and mentions(orjson.dumps(one["data"]).decode())
    }
