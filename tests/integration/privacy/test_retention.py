"""What grows old goes, whosever it is."""

from datetime import timedelta
from uuid import UUID

import pytest

from libs.common import clock
from libs.common.db import POOL
from libs.common.housekeeping import Chore
from services.mail.sync.housekeeping import chores
from services.mail.sync.inward.aging import Aging
from services.mail.sync.inward.keeper import Keeper
from tests.chores import swept
from tests.integration.mail.stand import Stand
from tests.integration.privacy.holding import erased
from tests.support import eventually

pytestmark = pytest.mark.timeout(120)


async def night(stand: Stand, *, retention_days: int | None = None) -> None:
    """Let housekeeping run once, where mail may become so old."""
    aging = Aging(Keeper(now=clock.now, retention_days=retention_days), now=clock.now)
    mine = (*chores(stand.settings, now=clock.now), Chore("old_mail", aging.sweep))
    await swept(stand.app[POOL], mine)


async def test_old_mail_is_let_go_of_and_consumers_hear_of_it(stand: Stand) -> None:
    lead = {"version": 1, "emails": ["bob@example.org"]}
    answer = await stand.call("PUT", "/v1/mail/entities/lead/bob", lead)
    assert answer.status in (200, 403), answer
    days = int((clock.now() - timedelta(days=20)).timestamp() * 1000)
    await stand.deliver(subject="old", internal_date_ms=days)
    connection_id = await stand.connect()
    await stand.deliver(subject="new")
    await eventually(lambda: _count(stand, 2))
    await stand.quiet()

    await night(stand, retention_days=10)
    await night(stand, retention_days=10)
    await stand.quiet()
    assert [one["subject"] for one in await stand.messages()] == ["new"]
    (event,) = stand.events("mail.message.redacted")
    assert (event.data["what"], event.data["reason"]) == ("removed", "retention")
    rows = await stand.fetch(
        "SELECT 1 FROM message_addresses a JOIN messages m ON m.id = a.message_id WHERE m.traced"
    )
    assert rows == []
    body = {"connection_id": connection_id, "mode": "repair"}
    job = await stand.call("POST", "/v1/mail/sync", body)

    async def is_over() -> bool:
        rows = await stand.fetch("SELECT state FROM jobs WHERE id = $1", UUID(job.body["id"]))
        return bool(rows[0]["state"] == "done")

    await eventually(is_over)
    assert [one["subject"] for one in await stand.messages()] == ["new"]


async def _count(stand: Stand, wanted: int) -> bool:
    return len(await stand.messages()) == wanted


async def test_mail_stays_as_long_as_it_likes_by_default(stand: Stand) -> None:
    days = int((clock.now() - timedelta(days=25)).timestamp() * 1000)
    await stand.deliver(subject="old", internal_date_ms=days)
    await stand.connect()
    await eventually(lambda: _count(stand, 1))
    await night(stand)
    assert await _count(stand, 1)


async def test_what_is_left_of_a_purged_mailbox_goes_once_no_event_can_be_late(
    stand: Stand,
) -> None:
    await stand.connect()
    await erased(stand, "mail", {"user_id": "ada"})
    await night(stand)
    assert len(await stand.fetch("SELECT 1 FROM connections")) == 1
    await stand.fetch("UPDATE connections SET updated_at = now() - interval '91 days'")
    await night(stand)
    assert await stand.fetch("SELECT 1 FROM connections") == []


async def test_notifications_nobody_could_read_go_after_a_while(stand: Stand) -> None:
    await stand.forge(data={"emailAddress": "nobody", "historyId": 1})
    await night(stand)
    assert len(await stand.fetch("SELECT 1 FROM dead_items")) == 1
    await stand.fetch("UPDATE dead_items SET created_at = now() - interval '91 days'")
    await night(stand)
    assert await stand.fetch("SELECT 1 FROM dead_items") == []


async def test_of_decided_holds_the_last_one_on_a_subject_stays(stand: Stand) -> None:
    connection_id = await stand.connect()
    for number in range(3):
        await stand.fetch(
            "INSERT INTO holds (tenant_id, id, connection_id, feed_id, kind, affected, total,"
            " state, created_at, decided_at, decided_by)"
            " SELECT tenant_id, lpad($2, 32, '0')::uuid, connection_id, id, 'x', 1, 1, 'approved',"
            " now(), now() - interval '91 days', 'user:ada'"
            " FROM feeds WHERE connection_id = $1 AND kind = 'mail.work'",
            UUID(connection_id),
            str(number),
        )
    await night(stand)
    rows = await stand.fetch("SELECT id FROM holds")
    assert [row["id"].int for row in rows] == [2]
