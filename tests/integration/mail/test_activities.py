"""The activities of an entity, as its people and the CRM see them."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from libs.common.db import POOL
from libs.common.directory import EntityRef
from services.mail.domain.visibility import Visibility
from services.mail.web.entities import LINKER
from tests.integration.mail.bench import Bench, message
from tests.integration.mail.stand import Stand
from tests.support import caller_token, service_caller_token

OF_BOB = "/v1/mail/activities?entity_type=lead&entity_id=bob"
CRM = service_caller_token()
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def bench_of(stand: Stand) -> Bench:
    return Bench(stand.app[POOL], stand.app[LINKER])


async def seen(stand: Stand, token: str) -> set[UUID]:
    return {UUID(one["id"]) for one in (await stand.get(OF_BOB, token=token))["items"]}


async def test_activities_come_in_pages_newest_first(web_only: Stand) -> None:
    bench = bench_of(web_only)
    await bench.tell(1, "bob@x.test")
    connection = await bench.connect()
    ids = [
        await bench.arrive(
            connection, message(f"g{hour}", internal_date=NOON + timedelta(hours=hour // 2))
        )
        for hour in range(5)
    ]
    found, cursor = list[UUID](), ""
    while True:
        page = await web_only.get(f"{OF_BOB}&limit=2{cursor}")
        found += [UUID(one["id"]) for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == ids[::-1]


async def test_an_activity_says_who_took_part_and_whom_it_concerns(web_only: Stand) -> None:
    bench = bench_of(web_only)
    await bench.tell(1, "bob@x.test")
    await bench.tell(1, "bob@x.test", ref=EntityRef("deal", "9"))
    connection = await bench.connect()
    message_id = await bench.arrive(connection, message(internal_date=NOON))
    (item,) = (await web_only.get(OF_BOB))["items"]
    assert item == {
        "id": str(message_id),
        "type": "email",
        "title": "Hi",
        "snippet": "Hello",
        "direction": "inbound",
        "entities": [{"type": "deal", "id": "9"}, {"type": "lead", "id": "bob"}],
        "participants": [
            {"address": "bob@x.test", "name": None, "role": "from"},
            {"address": "alice@example.com", "name": None, "role": "to"},
        ],
        "occurred_at": "2026-01-01T12:00:00Z",
        "start": None,
        "end": None,
        "created_by": "ada",
        "source": "gmail",
        "connection_id": str(connection.id),
        "thread_id": "t1",
        "visibility": "team",
        "withheld": False,
        "copies": [
            {
                "message_id": str(message_id),
                "connection_id": str(connection.id),
                "user_id": "ada",
                "google_message_id": "g1",
                "thread_id": "t1",
                "direction": "inbound",
                "visibility": "team",
                "withheld": False,
            }
        ],
    }


async def test_users_see_their_own_mailboxes_and_the_crm_all_of_its_tenant(
    web_only: Stand,
) -> None:
    bench = bench_of(web_only)
    await bench.tell(1, "bob@x.test")
    await bench.tell(1, "bob@x.test", tenant_id="umbrella")
    private = {"visibility": Visibility.PRIVATE}
    hers = await bench.arrive(await bench.connect(**private), message())
    eve = await bench.connect("eve@example.com", user_id="eve", **private)
    eves = await bench.arrive(eve, message())
    other = await bench.connect("zoe@example.net", tenant_id="umbrella")
    theirs = await bench.arrive(other, message())

    assert await seen(web_only, caller_token()) == {hers}
    assert await seen(web_only, caller_token(user="eve")) == {eves}
    assert await seen(web_only, CRM) == {hers, eves}
    assert await seen(web_only, service_caller_token(tenant="umbrella")) == {theirs}


async def test_what_is_deleted_is_no_activity(web_only: Stand) -> None:
    bench = bench_of(web_only)
    await bench.tell(1, "bob@x.test")
    await bench.arrive(await bench.connect(), message())
    await web_only.fetch("UPDATE messages SET deleted_at = now()")
    assert await seen(web_only, CRM) == set()


@pytest.mark.parametrize("token", [service_caller_token(tenant="umbrella"), caller_token()])
async def test_an_entity_that_is_not_there_for_the_caller_is_not_found(
    web_only: Stand, token: str
) -> None:
    await bench_of(web_only).tell(1, "bob@x.test", tenant_id="other")
    assert (await web_only.call("GET", OF_BOB, token=token)).status == 404


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("entity_type=lead", "entity_id"),
        ("entity_id=bob", "entity_type"),
        ("entity_type=Lead&entity_id=bob", "entity_type"),
        ("entity_type=lead&entity_id=a/b", "entity_id"),
        ("entity_type=lead&entity_id=", "entity_id"),
        ("entity_type=lead&entity_id=bob&cursor=xyz", "cursor"),
        ("entity_type=lead&entity_id=bob&limit=0", "limit"),
        ("entity_type=lead&entity_id=bob&color=red", "color"),
    ],
)
async def test_a_bad_question_is_refused_by_the_name_of_its_field(
    web_only: Stand, query: str, field: str
) -> None:
    answer = await web_only.call("GET", f"/v1/mail/activities?{query}")
    assert answer.status == 400
    assert answer.body["errors"][0]["field"] == field
