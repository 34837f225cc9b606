"""Coming to rest: trouble ends, and both sides must have the same people, with all they said."""

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID

from libs.common import clock
from tests.house.books import (
    Book,
    contacts_told,
    echoed,
    groups_told,
    left_over,
)
from tests.house.truth import orders
from tests.soak.contacts_stage import ContactsStage, emails_of
from tests.support import eventually

SETTLED_S = 0.1
PLENTY = 1_000_000
CALM = {
    "contact_list_delay_s": 0,
    "contact_get_delay_s": 0,
    "contact_etag": "both",
    "contact_batch_failures": "whole",
    "contact_sync_expiry": "invalid_argument",
    "contact_critical_reads_per_minute": PLENTY,
    "contact_critical_writes_per_minute": PLENTY,
    "contact_full_syncs_per_minute": PLENTY,
}
SOON = """
UPDATE signals SET due_at = now(), not_before = '-infinity'
 WHERE NOT running AND due_at > now() AND due_at < now() + interval '2 minutes' RETURNING 1
"""
NO_PAUSES = "DELETE FROM quota_pauses RETURNING 1"
"""What was refused a moment ago is not refused any more."""
WRITES_SOON = """
UPDATE writes SET due_at = now() WHERE state = 'queued' AND due_at > now() RETURNING 1
"""
BUSY = """
SELECT (SELECT count(*) FROM signals WHERE running OR due_at <= $1) AS signals,
       (SELECT count(*) FROM outbox) AS outbox,
       (SELECT count(*) FROM writes WHERE finished_at IS NULL) AS writes
"""
ILL = """
SELECT kind, state, reason FROM feeds
 WHERE connection_id = $1 AND state NOT IN ('active', 'closed')
"""
DEEDS = "SELECT count(*) AS n FROM sync_logs WHERE tenant_id = $1"


async def settle(stage: ContactsStage, *, timeout_s: float) -> None:
    """Let all trouble end, and see that everything is as it should be.

    Raises:
        AssertionError: it is not, and does not become so.
    """
    stage.faults.clear()
    await stage.stand.google.control("DELETE", "faults")
    await stage.stand.google_settings(**CALM)
    if stage.done["quota"]:
        await stage.restart()  # a process remembers for a minute that it was refused
    await eventually(lambda: _is_seen(stage), what="all changes are seen in lists")
    await _look(stage, timeout_s)
    await eventually(lambda: _right(stage), timeout_s=timeout_s, what="right")
    before = await _deeds(stage)
    await _look(stage, timeout_s)
    assert await _deeds(stage) == before, "something went on, though nobody did anything"


async def _look(stage: ContactsStage, timeout_s: float) -> None:
    await stage.look(in_full=True)
    await eventually(lambda: _is_at_rest(stage), timeout_s=timeout_s, what="at rest")


async def _is_seen(stage: ContactsStage) -> bool:
    return bool((await stage.control("GET", "contacts"))["unseen"] == 0)


async def _is_at_rest(stage: ContactsStage) -> bool:
    await stage.stand.fetch(NO_PAUSES)
    await stage.stand.fetch(SOON)
    await stage.stand.fetch(WRITES_SOON)
    (row,) = await stage.stand.fetch(BUSY, clock.now())
    assert not any(row.values()), dict(row)
    return True


async def _right(stage: ContactsStage) -> bool:
    await _is_at_rest(stage)
    book = await stage.book()
    told = [one for one in stage.stand.events("contacts.") if one.tenantid == stage.tenant]
    wrong = [
        *book.differences(),
        *contacts_told(told, book.contacts),
        *groups_told(told, book.groups, book.contacts),
        *orders(told),
        *echoed(told),
        *_lost(stage, book),
        *await left_over(stage.stand.fetch),
        *[f"{one['kind']} is {one['state']} ({one['reason']})" for one in await _ill(stage)],
    ]
    if wrong:
        await stage.look()  # what we wrote changed people's etags, too
        await asyncio.sleep(SETTLED_S)  # looking costs: let it work
    assert wrong == [], wrong
    return True


def _lost(stage: ContactsStage, book: Book) -> list[str]:
    """Every address that somebody gave is where it should be, once; every star is there."""
    there = Counter(email.casefold() for one in book.at_google.values() for email in emails_of(one))
    here = Counter(
        email for one in book.contacts.values() if one["live"] for email in one["emails"]
    )
    waiting = {row["resource"] for row in book.conflicts if row["kind"] == "match"}
    asked = {email.casefold() for name in waiting for email in emails_of(book.at_google[name])}
    found = []
    for circle in stage.circles:
        if circle.let_go or circle.emails & asked:
            continue
        for email in circle.emails:
            most = 2 if circle.doubled else 1
            if not 1 <= there[email] <= most or not 1 <= here[email] <= most:
                found.append(f"{email} is there {there[email]} times, and here {here[email]} times")
    for one in book.at_google.values():
        groups = {
            each["contactGroupMembership"]["contactGroupId"] for each in one.get("memberships", [])
        }
        source = one["metadata"]["sources"][0]["id"]
        if source in stage.starred and "starred" not in groups:
            found.append(f"{one['resourceName']} has lost its star")
    return found


async def _ill(stage: ContactsStage) -> list[Any]:
    return await stage.stand.fetch(ILL, UUID(stage.connection_id))


async def _deeds(stage: ContactsStage) -> tuple[int, int, int]:
    """Return how much was done: lines of the log, events, and changes at Google."""
    (row,) = await stage.stand.fetch(DEEDS, stage.tenant)
    told = [
        one
        for one in stage.stand.events("contacts.")
        if one.tenantid == stage.tenant and not one.type.startswith("contacts.feed.")
    ]
    usage = await stage.stand.google.control("GET", "usage")
    mine = usage["people"].get(stage.person, {"methods": {}})["methods"]
    changes = sum(
        count["calls"]
        for name, count in mine.items()
        if name.startswith("people.") and not name.endswith((".list", ".get", "atchGet"))
    )
    return int(row["n"]), len(told), changes
