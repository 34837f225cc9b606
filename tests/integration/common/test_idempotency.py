import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from multidict import CIMultiDict
from pydantic import BaseModel, ConfigDict

from libs.common import clock, db, idempotency
from libs.common.errors import Conflict
from libs.common.migrate import kernel
from libs.common.web import (
    Access,
    Route,
    build_app,
    caller,
    database_answers,
    migrated,
    read_body,
    read_bytes,
    reply,
)
from tests.databases import NewDatabase
from tests.integration.common.webapp import settings
from tests.support import bearer, caller_token, eventually, service_caller_token

Client = TestClient[web.Request, web.Application]
ADA = bearer(caller_token(user="ada"))
KEY = {"Idempotency-Key": "3f0c7a51-order-7"}


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")

    item: str


class Shop:
    """Handlers whose effect is a row, as a service's are."""

    def __init__(self) -> None:
        """Let orders through at once."""
        self.gate = asyncio.Event()
        self.gate.set()
        self.entered = 0
        self.fails = False

    async def add(self, request: web.Request) -> web.Response:
        order = await read_body(request, Order)
        async with db.transaction(request.app[db.POOL]) as conn:
            self.entered += 1
            raw = await read_bytes(request)
            if (answered := await idempotency.claim(conn, request, raw)) is not None:
                return answered
            await self.gate.wait()
            number = await conn.fetchval(
                "INSERT INTO orders (item, by) VALUES ($1, $2) RETURNING id",
                order.item,
                caller(request).subject,
            )
            if self.fails:
                raise Conflict("Sold out.")
            response = reply(
                {"number": number, "secret": "ticket-hunter2"},
                status=201,
                headers={"Location": f"/v1/orders/{number}"},
            )
            await idempotency.keep(conn, request, response)
            return response


@pytest.fixture
async def url(new_database: NewDatabase) -> str:
    return await new_database(kernel("http"))


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
async def client(
    url: str, shop: Shop, aiohttp_client: Callable[[web.Application], Awaitable[Client]]
) -> Client:
    routes = [
        Route(
            method="POST",
            path=path,
            handler=shop.add,
            access=Access.USER_OR_SERVICE,
            summary="Order",
            body=Order,
            idempotent=True,
        )
        for path in ("/v1/orders", "/v1/other-orders")
    ]
    app = build_app(service="shop", settings=settings(), routes=routes)
    app.cleanup_ctx.append(db.database(url, size=4))
    client = await aiohttp_client(app)
    await app[db.POOL].execute("CREATE TABLE orders (id serial PRIMARY KEY, item text, by text)")
    return client


async def order(client: Client, item: str = "pen", **changes: Any) -> Any:
    facts: dict[str, Any] = {"path": "/v1/orders", "headers": ADA | KEY, **changes}
    return await client.post(facts["path"], json={"item": item}, headers=facts["headers"])


async def count(client: Client) -> int:
    assert client.app is not None
    found: int = await client.app[db.POOL].fetchval("SELECT count(*) FROM orders")
    return found


async def test_a_repeated_request_gets_the_same_answer_and_happens_once(client: Client) -> None:
    first, second = await order(client), await order(client)

    assert (first.status, second.status) == (201, 201)
    assert await first.read() == await second.read()
    assert first.headers["Location"] == second.headers["Location"]
    assert first.content_type == second.content_type
    assert ("Idempotency-Replayed" in first.headers) is False
    assert second.headers["Idempotency-Replayed"] == "true"
    assert await count(client) == 1


async def test_without_a_key_each_request_happens(client: Client) -> None:
    await order(client, headers=ADA)
    await order(client, headers=ADA)

    assert await count(client) == 2


async def test_a_key_used_for_something_else_is_refused(client: Client) -> None:
    await order(client, "pen")

    other = await order(client, "car")
    by_query = await order(client, "pen", path="/v1/orders?gift=1")

    assert (other.status, by_query.status) == (409, 409)
    document = await other.json(content_type=None)
    assert document["type"] == "urn:causeway:problem:idempotency-key-reused"
    assert await count(client) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"headers": bearer(caller_token(user="eve")) | KEY},
        {"headers": bearer(caller_token(tenant="umbrella")) | KEY},
        {"headers": bearer(service_caller_token(sub="ada")) | KEY},
        {"path": "/v1/other-orders"},
        {"headers": ADA | {"Idempotency-Key": "another"}},
    ],
)
async def test_a_key_counts_for_one_caller_and_one_operation(
    client: Client, changes: dict[str, Any]
) -> None:
    await order(client)

    other = await order(client, **changes)

    assert (other.status, await count(client)) == (201, 2)


async def test_a_twin_waits_and_gets_the_first_ones_answer(client: Client, shop: Shop) -> None:
    shop.gate.clear()
    twins = [asyncio.create_task(order(client)) for _ in range(3)]
    await eventually(lambda: shop.entered == 3)
    shop.gate.set()

    bodies = [await (await twin).read() for twin in twins]

    assert len(set(bodies)) == 1
    assert await count(client) == 1


async def test_a_request_that_failed_may_be_tried_again(client: Client, shop: Shop) -> None:
    shop.fails = True
    assert (await order(client)).status == 409
    shop.fails = False

    again = await order(client)

    assert (again.status, await count(client)) == (201, 1)


@pytest.mark.parametrize("key", ["", "a" * 256, "käse", "a\tb"])
async def test_a_key_that_is_none_is_named_as_the_wrong_field(client: Client, key: str) -> None:
    response = await order(client, headers=ADA | {"Idempotency-Key": key})

    assert response.status == 400
    document = await response.json(content_type=None)
    assert document["errors"][0]["field"] == "Idempotency-Key"
    assert await count(client) == 0


async def test_a_key_given_twice_is_refused(client: Client) -> None:
    headers = CIMultiDict([*ADA.items(), *KEY.items(), ("Idempotency-Key", "another")])

    response = await order(client, headers=headers)

    assert response.status == 400


async def test_a_claim_without_an_answer_is_not_answered_with_nothing(
    client: Client, url: str
) -> None:
    await order(client)
    conn = await db.connect(url, application_name="test")
    await conn.execute("UPDATE idempotency_keys SET answer = NULL")
    await conn.close()

    response = await order(client)

    document = await response.json(content_type=None)
    assert document["type"] == "urn:causeway:problem:idempotency-key-in-use"


async def test_the_table_alone_tells_neither_key_nor_answer(client: Client) -> None:
    await order(client)

    assert client.app is not None
    row = await client.app[db.POOL].fetchrow("SELECT * FROM idempotency_keys")

    assert row is not None
    stored = b"".join(value for value in row.values() if isinstance(value, bytes))
    assert b"hunter2" not in stored
    assert KEY["Idempotency-Key"].encode() not in stored


async def test_old_keys_are_forgotten(client: Client) -> None:
    await order(client)
    assert client.app is not None
    async with db.transaction(client.app[db.POOL]) as conn:
        kept = await idempotency.purge(conn, before=clock.now() - timedelta(days=1))
        gone = await idempotency.purge(conn, before=clock.now() + timedelta(seconds=1))

    assert (kept, gone) == (0, 1)
    assert (await order(client)).status == 201
    assert await count(client) == 2


async def test_a_missing_migration_makes_a_service_unready(
    new_database: NewDatabase, aiohttp_client: Callable[[web.Application], Awaitable[Client]]
) -> None:
    answers = []
    for url in (await new_database(), await new_database(kernel("http"))):
        checks = {"database": database_answers, "migrations": migrated(kernel("http"))}
        app = build_app(service="shop", settings=settings(), routes=(), checks=checks)
        app.cleanup_ctx.append(db.database(url))
        response = await (await aiohttp_client(app)).get("/readyz")
        answers.append((response.status, (await response.json())["checks"]))

    assert answers == [
        (503, {"database": "ok", "migrations": "down"}),
        (200, {"database": "ok", "migrations": "ok"}),
    ]
