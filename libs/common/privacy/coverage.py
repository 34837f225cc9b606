"""What becomes of the tables that the kernel brings into every service's database."""

from collections.abc import Mapping
from typing import Final

from libs.common.privacy.model import Coverage
from libs.common.privacy.outgoing_events import OutgoingEvents

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
