"""What colleagues see of a mailbox, route by route, for each visibility."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from libs.common.db import POOL
from services.mail.domain.message import Attachment, Person
from services.mail.domain.visibility import Sight, Visibility, sight
from services.mail.web.entities import LINKER
from tests.integration.mail.bench import Bench
from tests.integration.mail.stand import Stand
from tests.integration.mail.stored import Mailbox
from tests.support import caller_token, service_caller_token

COLLEAGUE, OWNER = caller_token(user="eve"), caller_token()
CRM, FOREIGN = service_caller_token(), caller_token(user="eve", tenant="umbrella")
FILE = Attachment(part="2", filename="secret", content_type="a/b", size=3, inline=False)
OF_BOB = "entity_type=lead&entity_id=bob"
TEAM, METADATA, PRIVATE = Visibility.TEAM, Visibility.METADATA, Visibility.PRIVATE
ALL, PEOPLE, NOTHING = "all", "people", "nothing"

each_visibility = pytest.mark.parametrize(
    ("visibility", "shown"), [(TEAM, ALL), (METADATA, PEOPLE), (PRIVATE, NOTHING)]
)


@dataclass
class Desk:
    """Ada's mailbox, of which one message concerns Bob and another, in its thread, nobody."""

    stand: Stand
    connection_id: UUID
    linked: UUID
    other: UUID

    async def be(self, visibility: Visibility) -> None:
        """Let Ada change what colleagues see."""
        path = f"/v1/mail/connections/{self.connection_id}/settings"
        wanted = {"policy": "all", "visibility": visibility.value}
        assert (await self.stand.call("PUT", path, wanted)).status == 200

    async def items(self, path: str, token: str = COLLEAGUE) -> list[Any]:
        """Return what a list shows."""
        return list((await self.stand.get(path, token=token))["items"])

    async def status(self, path: str, token: str = COLLEAGUE, method: str = "GET") -> int:
        """Return how a path is answered."""
        return (await self.stand.call(method, path, token=token)).status


@pytest.fixture
async def desk(web_only: Stand) -> Desk:
    await Bench(web_only.app[POOL], web_only.app[LINKER]).tell(1, "bob@example.org")
    async with web_only.pool() as conn:
        box = await Mailbox(conn).connect()
        people: dict[str, Any] = {"to": (Person("ada@example.com"),)}
        linked = await box.add(
            "secret",
            "secret words",
            thread="t",
            labels=("INBOX", "UNREAD", "Label_secret"),
            entity=("lead", "bob"),
            html="<p>secret</p>",
            new_text="secret",
            attachments=(FILE,),
            **people,
        )
        other = await box.add("unlinked", "secret words", thread="t", **people)
    return Desk(web_only, box.id, linked, other)


def said(shown: str, item: dict[str, Any], **full: Any) -> None:
    """Hold that an item is shown in full, or without a word of its content."""
    assert item["withheld"] is (shown == PEOPLE)
    if shown == ALL:
        assert {name: item[name] for name in full} == full
    else:
        assert "secret" not in str(item)


@each_visibility
@pytest.mark.parametrize("query", ["", f"?{OF_BOB}", "?thread_id=t"])
async def test_a_list_of_messages(
    desk: Desk, visibility: Visibility, shown: str, query: str
) -> None:
    await desk.be(visibility)
    items = await desk.items(f"/v1/mail/messages{query}")
    assert [one["id"] for one in items] == ([] if shown == NOTHING else [str(desk.linked)])
    for one in items:
        said(shown, one, subject="secret", snippet="secret words", has_attachments=True)
        assert one["from"]["address"] == "bob@example.org"
        assert one["visibility"] == visibility


@each_visibility
async def test_a_list_by_a_label(desk: Desk, visibility: Visibility, shown: str) -> None:
    await desk.be(visibility)
    for query in ("label=UNREAD", f"label=UNREAD&{OF_BOB}"):
        items = await desk.items(f"/v1/mail/messages?{query}")
        assert len(items) == (1 if shown == ALL else 0)


@each_visibility
async def test_a_message(desk: Desk, visibility: Visibility, shown: str) -> None:
    await desk.be(visibility)
    answer = await desk.stand.call("GET", f"/v1/mail/messages/{desk.linked}", token=COLLEAGUE)
    assert answer.status == (404 if shown == NOTHING else 200)
    if shown != NOTHING:
        said(shown, answer.body, text="secret words", html="<p>secret</p>", new_text="secret")
        assert answer.body["entities"] == [{"type": "lead", "id": "bob"}]
        assert [one["address"] for one in answer.body["to"]] == ["ada@example.com"]


@each_visibility
async def test_attachments(desk: Desk, visibility: Visibility, shown: str) -> None:
    await desk.be(visibility)
    path = f"/v1/mail/messages/{desk.linked}/attachments"
    if shown == NOTHING:
        assert await desk.status(path) == 404
    else:
        names = [one["filename"] for one in await desk.items(path)]
        assert names == (["secret"] if shown == ALL else [])
    assert await desk.status(f"{path}/2", method="HEAD") == (200 if shown == ALL else 404)


@each_visibility
async def test_a_list_of_threads(desk: Desk, visibility: Visibility, shown: str) -> None:
    await desk.be(visibility)
    items = await desk.items("/v1/mail/threads")
    assert len(items) == (0 if shown == NOTHING else 1)
    for one in items:
        said(shown, one, subject="secret", snippet="secret words", unread=1, has_attachments=True)
        assert (one["messages"], one["participants"][0]["address"]) == (1, "bob@example.org")


@each_visibility
async def test_a_thread(desk: Desk, visibility: Visibility, shown: str) -> None:
    await desk.be(visibility)
    path = f"/v1/mail/threads/t?connection_id={desk.connection_id}"
    if shown == NOTHING:
        assert await desk.status(path) == 404
        return
    (one,) = await desk.items(path)
    assert one["id"] == str(desk.linked)
    said(shown, one, text="secret words")


@each_visibility
@pytest.mark.parametrize(
    "query",
    [
        "secret",
        "from:bob",
        "subject:secret",
        "has:attachment",
        "-has:attachment",
        "label:UNREAD",
        "-label:UNREAD",
        "after:2020-01-01",
        "entity:lead/bob",
        "secret entity:lead/bob",
    ],
)
async def test_a_search(desk: Desk, visibility: Visibility, shown: str, query: str) -> None:
    await desk.be(visibility)
    found = await desk.items(f"/v1/mail/search?q={query}")
    hit = shown == ALL and not query.startswith("-")
    assert [one["id"] for one in found] == ([str(desk.linked)] if hit else [])


@each_visibility
async def test_activities(desk: Desk, visibility: Visibility, shown: str) -> None:
    await desk.be(visibility)
    items = await desk.items(f"/v1/mail/activities?{OF_BOB}")
    assert len(items) == (0 if shown == NOTHING else 1)
    for one in items:
        said(shown, one, title="secret", snippet="secret words")
        assert one["entities"] == [{"type": "lead", "id": "bob"}]
        assert [each["address"] for each in one["participants"]] == [
            "bob@example.org",
            "ada@example.com",
        ]


@pytest.mark.parametrize("visibility", Visibility)
@pytest.mark.parametrize("token", [OWNER, CRM])
async def test_the_owner_and_services_see_everything(
    desk: Desk, visibility: Visibility, token: str
) -> None:
    await desk.be(visibility)
    both = {str(desk.linked), str(desk.other)}
    thread = f"/v1/mail/threads/t?connection_id={desk.connection_id}"
    for path in ("/v1/mail/messages", "/v1/mail/search?q=secret", thread):
        items = await desk.items(path, token)
        assert {one["id"] for one in items} == both
        assert {(one["visibility"], one["withheld"]) for one in items} == {(visibility, False)}
    (activity,) = await desk.items(f"/v1/mail/activities?{OF_BOB}", token)
    assert (activity["title"], activity["visibility"]) == ("secret", visibility)


async def test_mail_that_concerns_nobody_stays_its_owners(desk: Desk) -> None:
    path = f"/v1/mail/messages/{desk.other}"
    for more in ("", "/attachments"):
        assert await desk.status(path + more) == 404
        assert await desk.status(path + more, OWNER) == 200
    assert await desk.items("/v1/mail/search?q=unlinked") == []


async def test_mail_that_concerns_nobody_any_more_is_its_owners_again(desk: Desk) -> None:
    await desk.stand.fetch("UPDATE messages SET activity_id = NULL")
    assert await desk.items("/v1/mail/messages") == []


async def test_another_tenant_sees_nothing(desk: Desk) -> None:
    assert await desk.status(f"/v1/mail/messages/{desk.linked}", FOREIGN) == 404
    for path in ("/v1/mail/messages", "/v1/mail/threads", "/v1/mail/search?q=secret"):
        assert await desk.items(path, FOREIGN) == []


async def test_only_the_owner_changes_labels(desk: Desk) -> None:
    path = f"/v1/mail/messages/{desk.linked}/labels"
    answer = await desk.stand.call("POST", path, {"add": ["STARRED"]}, token=COLLEAGUE)
    assert (answer.status, answer.problem) == (403, "not-your-mailbox")
    await desk.be(PRIVATE)
    answer = await desk.stand.call("POST", path, {"add": ["STARRED"]}, token=COLLEAGUE)
    assert answer.status == 404


async def test_nobody_changes_many_of_a_colleagues(desk: Desk) -> None:
    change = {"message_ids": [str(desk.linked)], "add": ["STARRED"]}
    answer = await desk.stand.call("POST", "/v1/mail/messages/labels", change, token=COLLEAGUE)
    assert (answer.status, answer.fields) == (400, ["message_ids[0]"])


async def test_a_mailbox_itself_stays_its_owners(desk: Desk) -> None:
    for path in (
        f"/v1/mail/connections/{desk.connection_id}/settings",
        f"/v1/mail/labels?connection_id={desk.connection_id}",
    ):
        assert await desk.status(path) == 404
        assert await desk.status(path, OWNER) == 200
    wanted = {"policy": "all", "visibility": "team"}
    path = f"/v1/mail/connections/{desk.connection_id}/settings"
    assert (await desk.stand.call("PUT", path, wanted, token=COLLEAGUE)).status == 404


async def test_settings_say_the_visibility_and_keep_it_when_it_is_left_out(desk: Desk) -> None:
    path = f"/v1/mail/connections/{desk.connection_id}/settings"
    assert (await desk.stand.get(path))["visibility"] == "team"
    await desk.be(METADATA)
    answer = await desk.stand.call("PUT", path, {"policy": "all"})
    assert answer.body["visibility"] == "metadata"
    assert (await desk.stand.get(path))["visibility"] == "metadata"
    wrong = await desk.stand.call("PUT", path, {"policy": "all", "visibility": "public"})
    assert (wrong.status, wrong.fields) == (400, ["visibility"])


async def test_the_copy_a_caller_sees_most_of_is_the_one_that_is_shown(desk: Desk) -> None:
    async with desk.stand.pool() as conn:
        box = await Mailbox(conn, user_id="kim").connect()
        copy = await box.add("open", "open words", entity=("lead", "bob"))
        same = "SELECT activity_id FROM messages WHERE id = $1"
        named = await conn.fetchval(same, desk.linked)
        await conn.execute("UPDATE messages SET activity_id = $2 WHERE id = $1", copy, named)
        await conn.execute("UPDATE message_links SET occurred_at = '2026-01-01T13:00:00Z'")
    for visibility, copies in ((METADATA, 2), (PRIVATE, 1)):
        await desk.be(visibility)
        (one,) = await desk.items(f"/v1/mail/activities?{OF_BOB}")
        assert (one["title"], one["withheld"], len(one["copies"])) == ("open", False, copies)
        assert one["connection_id"] == str(box.id)
        assert "secret" not in str(one)
    assert one["created_by"] == "kim"
    (hers,) = await desk.items(f"/v1/mail/activities?{OF_BOB}", OWNER)
    assert len(hers["copies"]) == 2


async def test_an_activity_that_spans_pages_is_listed_once(desk: Desk) -> None:
    async with desk.stand.pool() as conn:
        for user_id in ("kim", "lee", "max"):
            box = await Mailbox(conn, user_id=user_id).connect()
            for _ in range(3):
                await box.add("more", entity=("lead", "bob"))
        # The three of each hour are one.
        await conn.execute(
            "UPDATE messages m SET activity_id = (SELECT min(n.id::text)::uuid FROM messages n"
            " WHERE n.subject = 'more' AND n.internal_date = m.internal_date)"
            " WHERE m.subject = 'more'"
        )
    found, cursor = list[str](), ""
    while True:
        page = await desk.stand.get(
            f"/v1/mail/activities?{OF_BOB}&limit=1{cursor}", token=COLLEAGUE
        )
        found += [one["id"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len(found) == len(set(found)) == 4


@pytest.mark.parametrize("visibility", Visibility)
async def test_the_rule_of_the_database_is_that_of_the_domain(
    desk: Desk, visibility: Visibility
) -> None:
    await desk.be(visibility)
    for user_id in ("ada", "eve", None):
        rows = await desk.stand.fetch("SELECT * FROM shown_mailboxes('acme', $1)", user_id)
        seen = sight(visibility, owner="ada", user_id=user_id)
        assert [Sight(row["own"], row["in_full"]) for row in rows] == (
            [] if seen is None else [seen]
        )
        assert all(row["visibility"] == visibility for row in rows)
    assert await desk.stand.fetch("SELECT * FROM shown_mailboxes('umbrella', NULL)") == []
    await desk.stand.fetch("UPDATE connections SET purge = 'wanted'")
    assert await desk.stand.fetch("SELECT * FROM shown_mailboxes('acme', NULL)") == []
