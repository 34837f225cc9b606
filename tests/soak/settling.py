"""Coming to rest: trouble ends, time passes where somebody waits for it, and all must be right.

Time is let pass only for those who have something planned soon: a retry, a lease that ran out.
A mailbox whose signal was lost waits for tomorrow's poll, and is found out. Its poll is due here
only if Google lost pushes, or could not send any.
"""

import asyncio
import contextlib
import time
from uuid import UUID

from tests.house.truth import differences
from tests.soak import mail_rules
from tests.soak.crm_rules import give_back, set_paused
from tests.soak.outgoing_truth import learn, unfulfilled
from tests.soak.processes import ensure, redeliver
from tests.soak.stage import Stage
from tests.soak.steps import Step
from tests.soak.trouble_rules import PLENTY, set_quota
from tests.soak.truth import misplaced
from tests.support import eventually

SETTLED_S = 0.05
SOON = """
UPDATE signals SET due_at = now(), not_before = '-infinity'
 WHERE NOT running AND due_at > now() AND due_at < now() + interval '15 minutes'
"""
WRITES_SOON = """
UPDATE writes SET due_at = now()
 WHERE state = 'queued' AND due_at > now() AND due_at < now() + interval '15 minutes'
"""
LOOKS_SOON = """
UPDATE writes SET deadline = now()
 WHERE state = 'sending' AND progress ? 'looks' AND deadline > now()
"""
POLLS = """
UPDATE signals s
   SET generation = generation + 1,
       due_at = CASE WHEN running OR due_at = 'infinity' THEN due_at ELSE now() END
  FROM feeds f
 WHERE f.tenant_id = s.tenant_id AND f.id = s.feed_id AND f.kind = 'mail.live'
   AND f.connection_id = ANY($1::uuid[])
"""
AUTH_SOON = """
UPDATE accounts SET retry_at = least(retry_at, now()), revoke_at = least(revoke_at, now())
"""
DEAD_ITEMS = "SELECT id, tenant_id FROM dead_items WHERE replay_at IS NULL"


async def settle(stage: Stage, _step: Step | None = None) -> None:
    """Let all trouble end, and see that everything is as it should be.

    Raises:
        AssertionError: it is not, and does not become so.
    """
    await _calm(stage)
    await _all_there(stage)
    for person in stage.people:
        await give_back(stage, person)
        if person.forgotten:  # no push says that; the next change does
            await mail_rules.deliver(stage, person, Step("arrive"))
    for mailbox in stage.mailboxes:
        if mailbox.connection_id in stage.paused:
            await set_paused(stage, mailbox, paused=False)
    lost = await _lost(stage)
    if lost:
        ids = [UUID(one.connection_id) for one in stage.mailboxes]
        await stage.house.mail_db.execute(POLLS, ids)
    if stage.killed:
        await stage.house.leases_pass()
    what = f"right ({lost} pushes lost)"
    await eventually(lambda: _right(stage), timeout_s=stage.patience_s, what=what)


async def watch(stage: Stage, _step: Step) -> None:
    """Let the product work until it has told of something, or has nothing to do."""
    told = len(stage.house.published)

    async def is_over() -> bool:
        return len(stage.house.published) > told or not any((await stage.house.busy()).values())

    with contextlib.suppress(AssertionError):  # it may be slow, or wait for something
        await eventually(is_over, timeout_s=1)


async def _calm(stage: Stage) -> None:
    stage.faults.clear()
    await stage.house.google.control("DELETE", "faults")
    await stage.house.google.control("PUT", "pushes", {})
    if stage.quota_is_short:
        await set_quota(stage, PLENTY)
        # A minute passes; a worker keeps in mind how long it was told to wait.
        if "worker" not in stage.dead:
            await stage.house.programs["worker"].stop()
            stage.dead.add("worker")
        await stage.house.mail_db.execute("DELETE FROM quota_pauses")
        stage.quota_is_short = False


async def _all_there(stage: Stage) -> None:
    if stage.dead:
        await ensure(stage, *sorted(stage.dead))
        await redeliver(stage)


async def _lost(stage: Stage) -> int:
    """Return how many pushes were lost at Google's side since this was asked last."""
    pushes = await stage.house.google.control("GET", "pushes")
    lost = [
        one
        for one in pushes["deliveries"]
        if one["outcome"] == "dropped" and one["at_ms"] >= stage.since_ms
    ]
    stage.since_ms = int(time.time() * 1000)
    return len(lost)


async def _right(stage: Stage) -> bool:
    for sql in (SOON, WRITES_SOON, LOOKS_SOON):
        await stage.house.mail_db.execute(sql)
    await stage.house.auth_db.execute(AUTH_SOON)
    await _ask_again(stage)
    busy = await stage.house.busy()
    assert not any(busy.values()), busy
    await learn(stage)
    wrong = await differences(stage.house) + await misplaced(stage) + await unfulfilled(stage)
    if wrong:
        await asyncio.sleep(SETTLED_S)  # looking costs: let it work
    assert not wrong, wrong
    return True


async def _ask_again(stage: Stage) -> None:
    """Have what was put aside (killed thrice, answered with garbage) tried again."""
    for row in await stage.house.mail_db.fetch(DEAD_ITEMS):
        path = f"/v1/mail/dead-items/{row['id']}/replay"
        for user in {one.user for one in stage.mailboxes if one.tenant == row["tenant_id"]}:
            await stage.house.call_mail("POST", path, tenant=row["tenant_id"], user=user)


RULES = {"settle": settle, "watch": watch}
