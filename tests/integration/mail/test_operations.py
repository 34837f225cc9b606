"""What needs a person: holds, dead items, and jobs to watch."""

import asyncio
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiohttp.test_utils import TestClient, TestServer

from libs.common import clock
from libs.common.connections.model import Access, Purge, State
from libs.common.db import POOL, transaction
from libs.common.feeds import Feed, NewFeed
from libs.common.feeds.dead_items import add_dead_item
from libs.common.feeds.holds import open_hold
from libs.common.feeds.store import open_feed
from libs.common.jobs import JobState, add_job, finish_jobs
from services.mail.app import create_app
from services.mail.domain.connection import Connection
from services.mail.domain.message import Policy
from services.mail.store.connections import purge_connection, put_connection
from services.mail.sync.housekeeping import chores
from tests import matrix
from tests.chores import swept
from tests.integration.auth.stand import Answer
from tests.integration.mail.stand import Stand
from tests.support import bearer, caller_token, service_caller_token

EVE = caller_token(user="eve")
SERVICE = service_caller_token()
FOREIGN_SERVICE = service_caller_token(tenant="umbrella")


async def mailbox(mail: Stand, *, user: str = "ada", tenant: str = "acme") -> Feed:
    """Let a user have a mailbox; nobody reads it. Return its feed."""
    made = Connection(
        tenant_id=tenant,
        id=uuid4(),
        account_id=uuid4(),
        user_id=user,
        email=f"{user}@example.com",
        access=Access.READ,
        policy=Policy.ALL,
        state=State.ACTIVE,
        reauthorize_url=None,
        event_sequence=1,
        purge=Purge.NONE,
        updated_at=clock.now(),
    )
    async with transaction(mail.app[POOL]) as conn:
        await put_connection(conn, made)
    return await feed_of(mail, tenant, made.id, "mail.live", made.email)


async def feed_of(mail: Stand, tenant: str, connection_id: UUID, kind: str, address: str) -> Feed:
    new = NewFeed(
        tenant_id=tenant,
        connection_id=connection_id,
        account_id=uuid4(),
        kind=kind,
        resource="mailbox",
        address=address,
    )
    async with transaction(mail.app[POOL]) as conn:
        return await open_feed(conn, new, now=clock.now())


async def hold(mail: Stand, feed: Feed, subject: str = "") -> str:
    async with transaction(mail.app[POOL]) as conn:
        made = await open_hold(
            conn,
            feed,
            kind="deletions",
            subject=subject,
            affected=60,
            total=100,
            now=clock.now(),
        )
    return str(made.id)


async def die(mail: Stand, feed: Feed, item: str) -> str:
    async with transaction(mail.app[POOL]) as conn:
        dead_id = await add_dead_item(
            conn, kind="gmail.message", item=item, cause="odd", now=clock.now(), feed=feed
        )
    return str(dead_id)


async def job(mail: Stand, feed: Feed) -> str:
    async with transaction(mail.app[POOL]) as conn:
        made = await add_job(conn, feed, kind="resync", now=clock.now(), facts={"days": 30})
    return str(made.id)


async def generation(mail: Stand, feed: Feed) -> int:
    (row,) = await mail.fetch("SELECT generation FROM signals WHERE feed_id = $1", feed.id)
    return int(row["generation"])


async def post(mail: Stand, path: str, *, key: str) -> Answer:
    headers = bearer(caller_token()) | {"Idempotency-Key": key}
    async with mail.session.post(f"{mail.origin}{path}", headers=headers) as response:
        return Answer(response.status, await response.json(), response.headers)


async def paged(mail: Stand, path: str) -> list[dict[str, Any]]:
    """Return a whole list, read one by one."""
    items, cursor = list[dict[str, Any]](), ""
    while True:
        page = await mail.get(f"{path}limit=1{cursor}")
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        cursor = f"&cursor={page['next_cursor']}"


async def test_holds_are_listed_newest_first_by_state(web_only: Stand) -> None:
    feed = await mailbox(web_only)
    ids = [await hold(web_only, feed, subject=name) for name in "abc"]
    await web_only.call("POST", f"/v1/mail/holds/{ids[1]}/reject")
    assert [one["id"] for one in await paged(web_only, "/v1/mail/holds?")] == ids[::-1]
    opened = await paged(web_only, "/v1/mail/holds?state=open&")
    assert [one["id"] for one in opened] == [ids[2], ids[0]]
    assert (opened[0]["affected"], opened[0]["total"], opened[0]["subject"]) == (60, 100, "c")


@pytest.mark.parametrize(("verb", "state"), [("approve", "approved"), ("reject", "rejected")])
async def test_a_decision_is_recorded_and_lets_the_feed_go_on(
    web_only: Stand, verb: str, state: str
) -> None:
    feed = await mailbox(web_only)
    path = f"/v1/mail/holds/{await hold(web_only, feed)}"
    answer = await web_only.call("POST", f"{path}/{verb}")
    assert answer.status == 200
    assert (answer.body["state"], answer.body["decided_by"]) == (state, "user:ada")
    assert datetime.fromisoformat(answer.body["decided_at"]) <= clock.now()
    assert await generation(web_only, feed) == 1
    again = await web_only.call("POST", f"{path}/{verb}", token=SERVICE)
    assert again.body == answer.body
    other = {"approve": "reject", "reject": "approve"}[verb]
    refused = await web_only.call("POST", f"{path}/{other}")
    assert (refused.status, refused.problem) == (409, "hold-decided")


async def test_a_service_that_decides_is_named(web_only: Stand) -> None:
    path = f"/v1/mail/holds/{await hold(web_only, await mailbox(web_only))}/approve"
    answer = await web_only.call("POST", path, token=SERVICE)
    assert answer.body["decided_by"] == "service:service"


async def test_a_repeated_decision_is_made_once(web_only: Stand) -> None:
    feed = await mailbox(web_only)
    path = f"/v1/mail/holds/{await hold(web_only, feed)}/approve"
    first, second = [await post(web_only, path, key="1") for _ in range(2)]
    assert first.body == second.body
    assert second.headers["Idempotency-Replayed"] == "true"
    assert await generation(web_only, feed) == 1


async def test_dead_items_are_listed_of_one_connection_or_all(web_only: Stand) -> None:
    first, second = await mailbox(web_only), await mailbox(web_only)
    ids = [await die(web_only, feed, "a") for feed in (first, second)]
    assert [one["id"] for one in await paged(web_only, "/v1/mail/dead-items?")] == ids[::-1]
    path = f"/v1/mail/dead-items?connection_id={first.connection_id}"
    (item,) = (await web_only.get(path))["items"]
    assert (item["id"], item["item"], item["cause"]) == (ids[0], "a", "odd")
    assert (item["attempts"], item["replay_at"]) == (1, None)


async def test_a_replay_wakes_the_feed_and_those_that_work_for_it(web_only: Stand) -> None:
    feed, other = await mailbox(web_only), await mailbox(web_only)
    address = f"work:{feed.connection_id}"
    work = await feed_of(web_only, "acme", feed.connection_id, "mail.work", address)
    dead_id = await die(web_only, feed, "a")
    path = f"/v1/mail/dead-items/{dead_id}/replay"
    first, second = [await post(web_only, path, key="1") for _ in range(2)]
    assert (first.status, first.body["id"]) == (202, dead_id)
    assert first.body["replay_at"] is not None
    assert second.body == first.body
    assert [await generation(web_only, one) for one in (feed, work, other)] == [1, 1, 0]


async def test_a_job_is_shown_and_can_be_waited_for(web_only: Stand) -> None:
    feed = await mailbox(web_only)
    path = f"/v1/mail/jobs/{await job(web_only, feed)}"
    shown = await web_only.get(path)
    assert (shown["state"], shown["total"], shown["facts"]) == ("queued", None, {"days": 30})
    waiting = asyncio.create_task(web_only.get(f"{path}?wait=15"))
    async with transaction(web_only.app[POOL]) as conn:
        await finish_jobs(conn, feed, state=JobState.DONE, now=clock.now(), facts={"added": 1})
    done = await waiting
    assert (done["state"], done["facts"]) == ("done", {"days": 30, "added": 1})


async def test_waiting_for_a_job_ends_with_its_time(web_only: Stand) -> None:
    path = f"/v1/mail/jobs/{await job(web_only, await mailbox(web_only))}"
    assert (await web_only.get(f"{path}?wait=1"))["state"] == "queued"


def _given(moment: datetime) -> datetime:
    return moment


async def test_what_is_old_is_forgotten_and_what_is_open_is_not(web_only: Stand) -> None:
    feed = await mailbox(web_only)
    ended = await job(web_only, feed)
    async with transaction(web_only.app[POOL]) as conn:
        await finish_jobs(conn, feed, state=JobState.DONE, now=clock.now())
    open_one = await job(web_only, feed)
    await post(web_only, f"/v1/mail/holds/{await hold(web_only, feed)}/approve", key="1")
    for days, left in ((0, (2, 1)), (8, (2, 0)), (31, (1, 0))):
        later = clock.now() + timedelta(days=days)
        mine = chores(web_only.settings, now=partial(_given, later))
        await swept(web_only.app[POOL], mine)
        (row,) = await web_only.fetch(
            "SELECT (SELECT count(*) FROM jobs) AS jobs,"
            " (SELECT count(*) FROM idempotency_keys) AS keys"
        )
        assert (row["jobs"], row["keys"]) == left
    assert (await web_only.call("GET", f"/v1/mail/jobs/{ended}")).status == 404
    assert (await web_only.get(f"/v1/mail/jobs/{open_one}"))["state"] == "queued"


async def test_a_connection_takes_what_waits_for_people_with_it(web_only: Stand) -> None:
    feed = await mailbox(web_only)
    await hold(web_only, feed)
    await die(web_only, feed, "a")
    await job(web_only, feed)
    await web_only.fetch("UPDATE connections SET purge = 'wanted'")
    async with transaction(web_only.app[POOL]) as conn:
        await purge_connection(conn, feed.tenant_id, feed.connection_id)
    for table in ("holds", "dead_items", "jobs", "feeds"):
        assert await web_only.fetch(f"SELECT 1 FROM {table}") == []  # noqa: S608 - a constant


async def test_what_is_somebody_elses_is_not_there(web_only: Stand) -> None:
    feed = await mailbox(web_only)
    held, dead = await hold(web_only, feed), await die(web_only, feed, "a")
    paths = [
        ("POST", f"/v1/mail/holds/{held}/approve"),
        ("POST", f"/v1/mail/holds/{held}/reject"),
        ("POST", f"/v1/mail/dead-items/{dead}/replay"),
        ("GET", f"/v1/mail/jobs/{await job(web_only, feed)}"),
    ]
    for token in (EVE, FOREIGN_SERVICE, caller_token(tenant="umbrella")):
        for method, path in paths:
            answer = await web_only.call(method, path, token=token)
            assert (answer.status, answer.problem) == (404, "not-found"), path
        for path in ("holds", "dead-items", f"dead-items?connection_id={feed.connection_id}"):
            assert (await web_only.get(f"/v1/mail/{path}", token=token))["items"] == []
    assert await generation(web_only, feed) == 0
    assert len((await web_only.get("/v1/mail/holds", token=SERVICE))["items"]) == 1
    assert len((await web_only.get("/v1/mail/dead-items", token=SERVICE))["items"]) == 1


@pytest.mark.parametrize(
    "query",
    [
        "holds?state=maybe",
        "holds?cursor=xyz",
        "holds?connection_id=1",
        "dead-items?limit=0",
        "dead-items?cursor=%00",
        "jobs/01900000-0000-7000-8000-000000000000?wait=31",
    ],
)
async def test_a_wrong_query_names_its_field(web_only: Stand, query: str) -> None:
    answer = await web_only.call("GET", f"/v1/mail/{query}")
    assert answer.status == 400
    assert answer.fields == [query.partition("?")[2].partition("=")[0]]


@pytest.mark.parametrize("make", [hold, lambda mail, feed: die(mail, feed, "a"), job])
async def test_every_route_keeps_its_rule_for_what_is_there(web_only: Stand, make: Any) -> None:
    made = await make(web_only, await mailbox(web_only))
    app = create_app(web_only.settings, roles=frozenset({"web"}))
    async with TestClient(TestServer(app)) as client:
        assert await matrix.check(client, service="mail", owned={"id": made}) > 100
