"""Our own changes coming back through the history: recognised by the ledger, they are no edits."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from libs.common.db import Connection as Conn
from libs.common.writes import Write, WriteState
from libs.common.writes import store as ledger
from services.mail.domain.connection import Connection
from services.mail.domain.history import Change, Own, Step, without_older
from services.mail.domain.message import Known

LABELS = "mail.labels"
"""Kind of the writes that change labels."""


async def recognise(
    conn: Conn,
    connection: Connection,
    changes: Mapping[str, Change],
    known: Mapping[str, Known],
    *,
    now: datetime,
) -> None:
    """Note in `changes` what of them we have asked for, and end the writes that asked.

    Args:
        conn: inside the transaction that has locked the messages.
        connection: whose mailbox.
        changes: what the history says, by message; altered in place.
        known: what we hold.
        now: the present.
    """
    items = [one for one, change in changes.items() if change.steps and one in known]
    if not items:
        return
    found = await ledger.list_echoable(
        conn, connection.tenant_id, connection.id, kind=LABELS, items=items
    )
    for write in found:
        change = changes[write.item]
        if write.state is WriteState.DONE:
            await _recognise_answered(conn, write, change)
        else:
            await _recognise_proof(conn, write, change, known[write.item], now=now)


async def _recognise_answered(conn: Conn, write: Write, change: Change) -> None:
    """Pass over what is older than the write; the message wears already what it changed."""
    own, mark = own_of(write), int((write.answer or {})["mark"])
    change.steps = without_older(change.steps, own, mark=mark)
    echo = _echo(change.steps, own, after=mark)
    if echo is not None:
        await ledger.acknowledge(conn, write, echo=echo)


async def _recognise_proof(
    conn: Conn, write: Write, change: Change, known: Known, *, now: datetime
) -> None:
    """End a write whose answer is still to come, or was lost, if all of it was done."""
    own = own_of(write)
    echo = _echo(change.steps, own, after=0)
    if echo is None:
        return
    change.echoes = own if change.echoes is None else _both(change.echoes, own)
    if _is_whole(own, change.steps, known):
        answer = {"mark": echo, "echo": echo}
        await ledger.settle(conn, write.tenant_id, write.id, answer, now=now)


def own_of(write: Write) -> Own:
    """Return what a write of labels changes."""
    return Own(frozenset(write.desired["add"]), frozenset(write.desired["remove"]))


def _echo(steps: Sequence[Step], own: Own, *, after: int) -> int | None:
    """Return the first record that says what was asked for; None: there is none."""
    for one in steps:
        if one.record_id > after and (one.added & own.added or one.removed & own.removed):
            return one.record_id
    return None


def _both(one: Own, other: Own) -> Own:
    return Own(one.added | other.added, one.removed | other.removed)


def _is_whole(own: Own, steps: Sequence[Step], known: Known) -> bool:
    """Say whether the steps, and what the message wore before, are all that a write wants.

    A part of it proves nothing: a person may have done just that.
    """
    added = frozenset[str]().union(*(one.added for one in steps))
    removed = frozenset[str]().union(*(one.removed for one in steps))
    return own.added <= added | known.labels and not (own.removed & known.labels) - removed
