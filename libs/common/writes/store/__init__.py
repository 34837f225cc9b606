"""SQL of the write ledger: who carries what, what became of it, and what Google tells of it."""

from libs.common.writes.store.claims import (
    claim,
    next_due,
    next_kind,
    take_over,
)
from libs.common.writes.store.echoes import (
    acknowledge,
    list_echoable,
    list_unsettled,
)
from libs.common.writes.store.endings import (
    cancel_all,
    doubt_all,
)
from libs.common.writes.store.ledger import (
    Ending,
    cancel,
    find,
    finish,
    finish_all,
    forget,
    hasten,
    list_crowded,
    list_group,
    list_unknown,
    list_waiting,
    note,
    postpone,
    purge,
    put_off,
    queue,
    settle,
)

__all__ = [
    "Ending",
    "acknowledge",
    "cancel",
    "cancel_all",
    "claim",
    "doubt_all",
    "find",
    "finish",
    "finish_all",
    "forget",
    "hasten",
    "list_crowded",
    "list_echoable",
    "list_group",
    "list_unknown",
    "list_unsettled",
    "list_waiting",
    "next_due",
    "next_kind",
    "note",
    "postpone",
    "purge",
    "put_off",
    "queue",
    "settle",
    "take_over",
]
