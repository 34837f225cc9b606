import random
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from libs.common import db
from libs.common.migrate import kernel
from libs.common.quota import Budgets, Lane, model, store
from libs.common.quota.model import Refusal
from tests.databases import NewDatabase

BUDGETS = Budgets(
    account_per_minute=100, project_per_minute=150, project_per_day=2_000, backfill_per_day=260
)


async def test_the_database_grants_what_the_rules_grant(new_database: NewDatabase) -> None:
    pool = await db.open_pool(await new_database(kernel("quota")), size=1)
    drawn, accounts = random.Random(7), [uuid4(), uuid4()]  # noqa: S311 - a table of cases
    now, outcomes = datetime(2026, 3, 2, 12, tzinfo=UTC), set[type]()
    for _ in range(300):
        now += timedelta(seconds=drawn.uniform(0, 20))
        account, lane = drawn.choice(accounts), drawn.choice([*Lane])
        least, most = drawn.randint(1, 60), drawn.randint(0, 60)
        wanted = model.limits(BUDGETS, account, lane, now)

        async with db.acquired(pool) as conn:
            used = await store.read_used(conn, wanted)
            taken = await store.take(
                conn, model.account_scope(account), wanted, least=least, most=most, now=now
            )

        settled = model.settle(wanted, used, least=least, most=most)
        assert taken == (None if isinstance(settled, Refusal) else settled)
        outcomes.add(type(settled))
    assert outcomes == {int, Refusal}
    await db.close_pool(pool)
