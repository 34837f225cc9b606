import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from libs.common import clock
from libs.common.db import Pool, transaction
from libs.common.errors import NotFound
from libs.common.feeds import Feed
from libs.common.jobs import (
    Job,
    JobState,
    add_job,
    advance_job,
    finish_jobs,
    get_job,
    list_open_jobs,
    purge_jobs,
    wait_for_job,
)
from tests.integration.common.feeds.conftest import opened


async def added(pool: Pool, feed: Feed) -> Job:
    async with transaction(pool) as conn:
        return await add_job(conn, feed, kind="backfill", now=clock.now(), facts={"days": 30})


async def finish(pool: Pool, feed: Feed, **changes: object) -> None:
    values: dict[str, object] = {"state": JobState.DONE, "now": clock.now()} | changes
    async with transaction(pool) as conn:
        await finish_jobs(conn, feed, **values)  # type: ignore[arg-type] # fields of any type


async def now(pool: Pool, job: Job) -> Job:
    async with pool.acquire() as conn:
        return await get_job(conn, job.tenant_id, job.id)


async def test_a_job_goes_from_queued_over_running_to_done(pool: Pool) -> None:
    feed = await opened(pool)
    job = await added(pool, feed)
    assert (job.state, job.total, job.facts) == (JobState.QUEUED, None, {"days": 30})
    async with transaction(pool) as conn:
        await advance_job(conn, feed, done=1, total=4)
    running = await now(pool, job)
    assert (running.state, running.done, running.total) == (JobState.RUNNING, 1, 4)
    await finish(pool, feed, facts={"added": 4})
    done = await now(pool, job)
    assert (done.state, done.facts) == (JobState.DONE, {"days": 30, "added": 4})
    assert done.finished_at is not None


async def test_what_ended_is_not_moved_any_more(pool: Pool) -> None:
    feed = await opened(pool)
    job = await added(pool, feed)
    await finish(pool, feed, state=JobState.FAILED, reason="revoked")
    ended = await now(pool, job)
    later = await added(pool, feed)
    async with transaction(pool) as conn:
        await advance_job(conn, feed, done=2, total=2, state=JobState.HELD)
    assert await now(pool, job) == ended
    assert (await now(pool, later)).state is JobState.HELD
    assert ended.reason == "revoked"


async def test_waiting_ends_with_the_job(pool: Pool) -> None:
    feed = await opened(pool)
    job = await added(pool, feed)
    waiting = asyncio.create_task(wait_for_job(pool, "acme", job.id, timeout_s=60))
    await finish(pool, feed)
    assert (await waiting).state is JobState.DONE


async def test_waiting_ends_with_its_time(pool: Pool) -> None:
    job = await added(pool, await opened(pool))
    waited = await wait_for_job(pool, "acme", job.id, timeout_s=0.1)
    assert waited.state is JobState.QUEUED


async def test_a_job_of_another_tenant_is_not_there(pool: Pool) -> None:
    job = await added(pool, await opened(pool))
    for tenant_id, job_id in (("umbrella", job.id), ("acme", uuid4())):
        with pytest.raises(NotFound):
            await wait_for_job(pool, tenant_id, job_id, timeout_s=0)


async def test_old_jobs_are_forgotten_and_open_ones_never(pool: Pool) -> None:
    feed = await opened(pool)
    ended = await added(pool, feed)
    await finish(pool, feed)
    open_one = await added(pool, feed)
    async with transaction(pool) as conn:
        assert await purge_jobs(conn, before=clock.now() - timedelta(hours=1)) == 0
        assert await purge_jobs(conn, before=clock.now() + timedelta(hours=1)) == 1
    with pytest.raises(NotFound):
        await now(pool, ended)
    assert await now(pool, open_one) == open_one


async def test_jobs_of_another_kind_are_left_alone(pool: Pool) -> None:
    feed = await opened(pool)
    job = await added(pool, feed)
    async with transaction(pool) as conn:
        other = await add_job(conn, feed, kind="count", now=clock.now())
        await advance_job(conn, feed, done=1, total=2, kind="count")
        assert [one.id for one in await list_open_jobs(conn, feed, kind="count")] == [other.id]
    await finish(pool, feed, kind="count")
    assert (await now(pool, other)).state is JobState.DONE
    assert (await now(pool, job)).state is JobState.QUEUED
