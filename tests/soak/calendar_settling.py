"""Coming to rest: trouble ends, the CRM follows what it was told, and both sides must agree."""

import asyncio
from datetime import datetime
from uuid import UUID

from tests.integration.calendar.truth import at_rest, differences, told_of
from tests.soak.calendar_rules import appointment_of, keep
from tests.soak.calendar_stage import CalendarStage
from tests.support import eventually

SETTLED_S = 0.1
SOON = """
UPDATE signals SET due_at = now(), not_before = '-infinity'
 WHERE NOT running AND due_at > now() AND due_at < now() + interval '2 minutes'
"""
WRITES_SOON = "UPDATE writes SET due_at = now() WHERE state = 'queued' AND due_at > now()"
POLLS = """
UPDATE signals s
   SET generation = generation + 1,
       due_at = CASE WHEN running THEN due_at ELSE now() END
  FROM feeds f
 WHERE f.tenant_id = s.tenant_id AND f.id = s.feed_id AND f.kind = 'calendar.events'
   AND f.state = 'active' AND f.connection_id = $1
"""
COUNTS = """
SELECT count(*) AS writes, count(*) FILTER (WHERE state = 'unknown') AS unknown,
       count(*) FILTER (WHERE state = 'done' AND desired->>'notify' = 'all'
                          AND desired->>'op' <> 'respond') AS loud
  FROM writes WHERE connection_id = $1
"""
OPEN = "SELECT appointment_id FROM conflicts WHERE tenant_id = $1 AND state = 'open'"
ILL = "SELECT kind, state, reason FROM feeds WHERE connection_id = $1 AND state = 'blocked'"
CALM = {"paused": False, "drop": 0, "duplicate": 0, "reorder": 0, "delay_s": 0}
MOST_TURNS = 12
"""Of the CRM that follows and is told again."""


async def settle(stage: CalendarStage, *, timeout_s: float) -> None:
    """Let all trouble end, and see that everything is as it should be.

    Raises:
        AssertionError: it is not, and does not become so.
    """
    stage.faults.clear()
    await stage.stand.google.control("DELETE", "faults")
    await stage.stand.notifications(**CALM)
    await _fetch(stage, "DELETE FROM quota_pauses RETURNING 1")
    await _fetch(stage, f"{POLLS} RETURNING 1", UUID(stage.connection_id))
    for _ in range(MOST_TURNS):
        await eventually(lambda: _is_at_rest(stage), timeout_s=timeout_s)
        if not await _follow(stage):
            break
    else:
        raise AssertionError("the CRM and Google go round in circles")
    await eventually(lambda: _right(stage), timeout_s=timeout_s, what="right")


async def _fetch(stage: CalendarStage, sql: str, *args: object) -> list[object]:
    return await stage.stand.fetch(sql, *args)


async def _is_at_rest(stage: CalendarStage) -> bool:
    await _fetch(stage, f"{SOON} RETURNING 1")
    await _fetch(stage, f"{WRITES_SOON} RETURNING 1")
    return await at_rest(stage.stand)


async def _follow(stage: CalendarStage) -> bool:
    """Let the CRM do what it was told of appointments; False: there was nothing new."""
    is_new = False
    for name, known in stage.appointments.items():
        told = [
            one
            for one in told_of(stage.stand, "calendar.appointment.changed", stage.tenant)
            if one.data["appointment_id"] == name
        ]
        told.sort(key=lambda one: int(one.sequence))
        for one in told[known.heard :]:
            known.heard += 1
            changes = one.data["changes"]
            after = {**known.body, **{n: changes[n] for n in ("start", "duration") if n in changes}}
            if (after, one.data["cancelled"] or known.cancelled) == (known.body, known.cancelled):
                continue
            is_new = True
            known.cancelled = known.cancelled or one.data["cancelled"]
            known.body = {**after, "version": known.body["version"] + 1}
            await keep(stage, name)
    return is_new


async def _right(stage: CalendarStage) -> bool:
    await _is_at_rest(stage)
    wrong = await differences(stage.stand, {stage.person: stage.connection_id}, tenant=stage.tenant)
    wrong += await _misplaced(stage) + await _counted(stage)
    if wrong:
        await asyncio.sleep(SETTLED_S)  # looking costs: let it work
    assert wrong == [], wrong
    return True


async def _misplaced(stage: CalendarStage) -> list[str]:
    """Every appointment that takes place has one event, and no other has any."""
    waiting = {row["appointment_id"] for row in await stage.stand.fetch(OPEN, stage.tenant)}
    found = []
    events = await stage.at_google()
    for name, known in stage.appointments.items():
        mine = [one for one in events if appointment_of(one) == name]
        if len(mine) != (not known.cancelled):
            found.append(f"{name} has {len(mine)} events; is it cancelled: {known.cancelled}")
        elif mine and name not in waiting:
            start = mine[0]["start"].get("dateTime")
            if start is not None and _instant(start) != _instant(known.body["start"]):
                found.append(f"{name} is at {start}, and not at {known.body['start']}")
    return found


async def _counted(stage: CalendarStage) -> list[str]:
    """Nothing was written unasked, and mailed as often as was asked for."""
    (row,) = await stage.stand.fetch(COUNTS, UUID(stage.connection_id))
    found = []
    if row["writes"] > stage.asked:
        found.append(f"{row['writes']} writes, and at most {stage.asked} were asked for")
    if row["unknown"]:
        found.append(f"of {row['unknown']} writes nobody knows what became of them")
    mails = [
        one
        for one in await stage.stand.invitations()
        if one["calendarId"] == stage.person and one["kind"] != "response"
    ]
    if len(mails) > row["loud"]:
        found.append(f"{len(mails)} mails, and {row['loud']} were asked for: {mails}")
    ill = await stage.stand.fetch(ILL, UUID(stage.connection_id))
    return found + [f"{one['kind']} is {one['state']} ({one['reason']})" for one in ill]


def _instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
