"""What becomes of the tables that the kernel brings into every service's database."""

from collections.abc import Mapping
from typing import Final

from libs.common.privacy.model import Coverage
from libs.common.privacy.outgoing_events import OutgoingEvents

PASSING: Final = "no: the same; gone after two days"
TECHNICAL: Final = "no: nothing in it is about a person"

KERNEL: Final[Mapping[str, Coverage]] = {
    "outbox": Coverage(shown="no: of what is shown, for milliseconds", erased=OutgoingEvents.name),
    "outbox_dead": Coverage(shown="no: of what is shown", erased=OutgoingEvents.name),
    "inbox": Coverage(shown=TECHNICAL, erased=TECHNICAL),
    "idempotency_keys": Coverage(
        shown="no: sealed under keys that only callers have",
        erased="no: the same; and it is forgotten after CAUSEWAY_IDEMPOTENCY_RETENTION",
    ),
    "privacy_requests": Coverage(
        shown="no: who asks knows what they asked",
        erased="no: whose it is goes with its last step; counts and notes stay",
    ),
    "schema_migrations": Coverage(shown=TECHNICAL, erased=TECHNICAL),
}


def of_feeds(connections: str) -> dict[str, Coverage]:
    """Return what becomes of the tables that feeds bring along.

    Args:
        connections: the part of an erasure that ends what a service connects.
    """
    return {
        "feeds": Coverage(shown="feed", erased=connections),
        "signals": Coverage(shown="feed", erased=connections),
        "jobs": Coverage(shown="job", erased=connections),
        "holds": Coverage(shown="hold", erased="names"),
        "dead_items": Coverage(shown="dead item", erased="dead_items"),
        "quota_usage": Coverage(shown="no: units by account id and hour", erased=PASSING),
        "quota_pauses": Coverage(shown="no: by account id", erased=PASSING),
    }
