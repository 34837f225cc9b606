"""The API: lists, labels, policy, and who may ask."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from aiohttp.test_utils import TestClient, TestServer

from services.mail.app import create_app
from services.mail.domain.visibility import Visibility
from tests import matrix
from tests.integration.mail.stand import Stand
from tests.integration.mail.stored import Mailbox
from tests.integration.service_stand import ALICE
from tests.support import caller_token, eventually, service_caller_token


async def test_a_list_comes_in_pages_newest_first(mail: Stand) -> None:
    await mail.connect()
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    for number in range(5):
        moment = noon + timedelta(hours=number)
        await mail.deliver(subject=str(number), internal_date_ms=int(moment.timestamp() * 1000))
    await eventually(lambda: len(mail.types()) == 5)
    seen, cursor = list[str](), ""
    while True:
        page = await mail.get(f"/v1/mail/messages?limit=2{cursor}")
        seen += [one["subject"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == ["4", "3", "2", "1", "0"]
    since = "?since=2026-01-01T13:00:00Z&until=2026-01-01T15:00:00Z"
    assert [one["subject"] for one in await mail.messages(since)] == ["2", "1"]


async def test_lists_are_filtered_by_label_thread_and_connection(mail: Stand) -> None:
    connection_id = await mail.connect()
    first = await mail.deliver(subject="first")
    await mail.deliver(subject="second", labels=["INBOX", "STARRED"])
    await eventually(lambda: len(mail.types()) == 2)
    assert [one["subject"] for one in await mail.messages("?label=STARRED")] == ["second"]
    thread = f"?thread_id={first['threadId']}"
    assert [one["subject"] for one in await mail.messages(thread)] == ["first"]
    assert len(await mail.messages(f"?connection_id={connection_id}")) == 2


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=x",
        "cursor=xyz",
        "cursor=%00",
        "connection_id=1",
        "since=yesterday",
        "since=2026-01-01T00:00:00",
        "since=0.5",
        "until=1767225600",
        "since=0001-01-01T00:00:00%2B14:00",
        "until=9999-12-31T23:59:59-14:00",
        "label=%00",
        "label=a%20b",
        "nonsense=1",
        "limit=1&limit=2",
    ],
)
async def test_a_wrong_query_names_its_field(web_only: Stand, query: str) -> None:
    answer = await web_only.call("GET", f"/v1/mail/messages?{query}")
    assert answer.status == 400
    assert answer.fields == [query.partition("=")[0]]


async def test_people_read_only_their_own_mail(web_only: Stand) -> None:
    async with web_only.pool() as conn:
        own = await (await Mailbox(conn).connect(visibility=Visibility.PRIVATE)).add(
            "own", entity=("lead", "7")
        )
        eves = await Mailbox(conn, user_id="eve").connect(visibility=Visibility.PRIVATE)
        await eves.add("eve's", entity=("lead", "7"))
        foreign = await Mailbox(conn, tenant_id="umbrella").connect()
        await foreign.add("foreign", entity=("lead", "7"))
    path = f"/v1/mail/messages/{own}"
    for token, subjects in (
        (caller_token(), ["own"]),
        (service_caller_token(), ["eve's", "own"]),
        (caller_token(user="eve"), ["eve's"]),
        (caller_token(tenant="umbrella"), ["foreign"]),
        (service_caller_token(tenant="umbrella"), ["foreign"]),
    ):
        for query in ("", "?entity_type=lead&entity_id=7"):
            seen = [one["subject"] for one in await web_only.messages(query, token=token)]
            assert sorted(seen) == subjects
        status = (await web_only.call("GET", path, token=token)).status
        assert status == (200 if "own" in subjects else 404)


async def test_a_read_connection_refuses_writes(mail: Stand) -> None:
    await mail.connect(access="read")
    await mail.deliver()
    await mail.told("received")
    (message,) = await mail.messages()
    path = f"/v1/mail/messages/{message['id']}/labels"
    answer = await mail.call("POST", path, {"add": ["STARRED"]})
    assert (answer.status, answer.problem) == (403, "read-only-connection")


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        ("reauthorization_required", "reauthorization-required"),
        ("disconnected", "not-connected"),
        ("disabled", "connection-disabled"),
    ],
)
async def test_a_dead_connection_refuses_writes(mail: Stand, state: str, problem: str) -> None:
    await mail.connect()
    await mail.deliver()
    await mail.told("received")
    (message,) = await mail.messages()
    await mail.fetch(
        "UPDATE connections SET state = $1, reauthorize_url = 'https://auth.test/again'", state
    )
    path = f"/v1/mail/messages/{message['id']}/labels"
    answer = await mail.call("POST", path, {"add": ["STARRED"]})
    assert (answer.status, answer.problem) == (409, problem)
    if problem == "reauthorization-required":
        assert answer.body["connect_url"] == "https://auth.test/again"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"add": []},
        {"add": ["A"], "remove": ["A"]},
        {"add": "A"},
        {"add": ["a b"]},
        {"add": ["A"] * 101},
        {"action": "dance"},
        {"action": "read", "add": ["A"]},
        {"add": ["A"], "more": 1},
        {"add": ["A\u0000"]},
    ],
)
async def test_wrong_label_changes_are_refused_before_anything_is_looked_up(
    web_only: Stand, body: dict[str, Any]
) -> None:
    answer = await web_only.call("POST", f"/v1/mail/messages/{uuid4()}/labels", body)
    assert answer.status == 400


async def test_a_label_google_does_not_know_is_the_callers_mistake(mail: Stand) -> None:
    await mail.connect()
    await mail.deliver()
    await mail.told("received")
    (message,) = await mail.messages()
    path = f"/v1/mail/messages/{message['id']}/labels"
    for body in ({"add": ["Label_404"]}, {"add": ["SENT"]}):
        answer = await mail.call("POST", path, body)
        assert (answer.status, answer.fields) == (400, ["add"])
    assert await mail.fetch("SELECT 1 FROM writes") == []


async def test_of_strangers_mail_only_a_trace_is_kept_and_nothing_told(stand: Stand) -> None:
    stand.settings = stand.settings.model_copy(update={"policy": "known"})
    async with stand.serving():
        await stand.connect()
        sent = await stand.deliver(subject="secret subject", text="secret text", to=ALICE)

        async def is_traced() -> bool:
            return bool(await stand.fetch("SELECT 1 FROM messages"))

        await eventually(is_traced)
        (row,) = await stand.fetch("SELECT * FROM messages")
        assert row["google_id"] == sent["id"]
        assert len(await stand.fetch("SELECT hash FROM message_addresses")) == 2
        kept = {name: value for name, value in dict(row).items() if value not in (None, [], "")}
        assert set(kept) - {"sent_by_crm"} == {
            "tenant_id",
            "id",
            "connection_id",
            "google_id",
            "thread_id",
            "internal_date",
            "traced",
            "kept",
            "label_history_id",
            "sequence",
            "stored_at",
        }
        await stand.edit(sent["id"], "star")
        await stand.edit(sent["id"], "delete")

        async def is_removed() -> bool:
            return not await stand.fetch("SELECT 1 FROM messages")

        await eventually(is_removed)
        await stand.quiet()
        assert stand.types() == []
        assert await stand.messages() == []


async def test_every_route_keeps_its_rule(mail: Stand) -> None:
    await mail.connect()
    await mail.deliver()
    await mail.told("received")
    (message,) = await mail.messages()
    async with TestClient(
        TestServer(create_app(mail.settings, roles=frozenset({"web"})))
    ) as client:
        tried = await matrix.check(client, service="mail", owned={"id": message["id"]})
    assert tried > 100


async def test_other_methods_and_paths_are_problems_too(web_only: Stand) -> None:
    assert (await web_only.call("DELETE", "/v1/mail/messages")).status == 405
    answer = await web_only.call("GET", "/v1/mail/messages/not-an-id", token=caller_token())
    assert (answer.status, answer.problem) == (404, "not-found")
