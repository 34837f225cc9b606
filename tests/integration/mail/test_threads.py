"""Threads, labels, and what a message shows besides its text."""

from datetime import datetime
from uuid import uuid4

from services.mail.domain.label import Label
from services.mail.domain.message import Attachment, CalendarPart, Person, Report
from services.mail.domain.visibility import Visibility
from services.mail.store.labels import replace_labels
from tests.integration.mail.stand import Stand
from tests.integration.mail.stored import NOON, Mailbox
from tests.support import caller_token, service_caller_token

FILE = Attachment(part="2", filename="a.txt", content_type="text/plain", size=3, inline=False)


async def test_threads_are_listed_by_their_newest_message(web_only: Stand) -> None:
    async with web_only.pool() as conn:
        box = await Mailbox(conn).connect()
        ann, bob = Person("ann@example.com", "Ann"), Person("BOB@example.org", "Bob")
        await box.add("first", "1", thread="t1", to=(ann,), attachments=(FILE,))
        await box.add("other", "2", thread="t2", labels=("INBOX", "UNREAD"))
        await box.add("Re: first", "3", thread="t1", cc=(bob,), labels=("INBOX", "UNREAD"))
    items = (await web_only.get("/v1/mail/threads"))["items"]
    assert [one["thread_id"] for one in items] == ["t1", "t2"]
    assert items[0] == {
        "thread_id": "t1",
        "connection_id": str(box.id),
        "subject": "first",
        "participants": [
            {"address": "BOB@example.org", "name": "Bob"},
            {"address": "ann@example.com", "name": "Ann"},
        ],
        "messages": 2,
        "unread": 1,
        "has_attachments": True,
        "snippet": "3",
        "last_message_at": "2026-01-01T15:00:00Z",
        "user_id": "ada",
        "visibility": "team",
        "withheld": False,
    }


async def test_threads_come_in_pages(web_only: Stand) -> None:
    async with web_only.pool() as conn:
        box = await Mailbox(conn).connect()
        for number in range(10):
            await box.add(str(number), thread=f"t{number % 5}")
    seen, cursor = list[str](), ""
    while True:
        page = await web_only.get(f"/v1/mail/threads?connection_id={box.id}&limit=2{cursor}")
        seen += [one["thread_id"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == ["t4", "t3", "t2", "t1", "t0"]


async def test_no_more_than_twenty_participants_are_named(web_only: Stand) -> None:
    async with web_only.pool() as conn:
        box = await Mailbox(conn).connect()
        people = tuple(Person(f"p{number:02}@example.org") for number in range(30))
        await box.add("x", thread="t", to=people)
    (thread,) = (await web_only.get("/v1/mail/threads"))["items"]
    addresses = [one["address"] for one in thread["participants"]]
    assert addresses == ["bob@example.org", *(one.address for one in people[:19])]


async def test_a_thread_is_read_from_its_beginning(web_only: Stand) -> None:
    async with web_only.pool() as conn:
        box = await Mailbox(conn).connect()
        for number in range(3):
            await box.add(str(number), f"text {number}", thread="t")
        await box.add("other")
    path = f"/v1/mail/threads/t?connection_id={box.id}&limit=2"
    first = await web_only.get(path)
    assert [one["text"] for one in first["items"]] == ["text 0", "text 1"]
    second = await web_only.get(f"{path}&cursor={first['next_cursor']}")
    assert [one["text"] for one in second["items"]] == ["text 2"]
    assert second["next_cursor"] is None


async def test_a_thread_needs_its_connection_and_its_owner(web_only: Stand) -> None:
    async with web_only.pool() as conn:
        box = await Mailbox(conn).connect()
        await box.add(thread="t")
    path = f"/v1/mail/threads/t?connection_id={box.id}"
    missing = await web_only.call("GET", "/v1/mail/threads/t")
    assert (missing.status, missing.fields) == (400, ["connection_id"])
    assert (await web_only.call("GET", path)).status == 200
    service = service_caller_token(tenant="acme")
    assert (await web_only.call("GET", path, token=service)).status == 200
    for token in (caller_token(user="eve"), caller_token(tenant="umbrella")):
        assert (await web_only.call("GET", path, token=token)).status == 404
        assert await web_only.get("/v1/mail/threads", token=token) == {
            "items": [],
            "next_cursor": None,
        }
    for unknown in (
        f"u?connection_id={box.id}",
        f"t?connection_id={uuid4()}",
        f"%00?connection_id={box.id}",
    ):
        assert (await web_only.call("GET", f"/v1/mail/threads/{unknown}")).status == 404


async def test_labels_are_listed_with_their_names(web_only: Stand) -> None:
    async with web_only.pool() as conn:
        box = await Mailbox(conn).connect()
        before = [
            Label(google_id="L1", name="Old", type="user"),
            Label(google_id="L2", name="Gone", type="user"),
        ]
        await replace_labels(conn, "acme", box.id, before)
        after = [
            Label(google_id="L1", name="New", type="user"),
            Label(google_id="INBOX", name="INBOX", type="system"),
        ]
        await replace_labels(conn, "acme", box.id, after)
    path = f"/v1/mail/labels?connection_id={box.id}"
    assert (await web_only.get(path))["items"] == [
        {"id": "INBOX", "name": "INBOX", "type": "system"},
        {"id": "L1", "name": "New", "type": "user"},
    ]
    for token in (caller_token(user="eve"), caller_token(tenant="umbrella")):
        assert (await web_only.call("GET", path, token=token)).status == 404
    assert (await web_only.call("GET", "/v1/mail/labels")).fields == ["connection_id"]


async def test_a_message_shows_all_that_was_read_of_it(web_only: Stand) -> None:
    async with web_only.pool() as conn:
        box = await Mailbox(conn).connect()
        message_id = await box.add(
            entity=("deal", "7"),
            html="<p>x</p>",
            new_text="x",
            date=NOON,
            calendar=(CalendarPart(method="REQUEST", uids=("u1",)),),
            report=Report(kind="delivery-status", action="failed"),
        )
    shown = await web_only.get(f"/v1/mail/messages/{message_id}")
    assert (shown["html"], shown["new_text"]) == ("<p>x</p>", "x")
    assert datetime.fromisoformat(shown["sent_at"]) == NOON
    assert shown["calendar"] == [{"method": "REQUEST", "uids": ["u1"]}]
    assert shown["report"] == {
        "kind": "delivery-status",
        "action": "failed",
        "status": None,
        "recipient": None,
    }
    assert shown["entities"] == [{"type": "deal", "id": "7"}]


async def test_messages_are_filtered_by_entity(web_only: Stand) -> None:
    async with web_only.pool() as conn:
        box = await Mailbox(conn).connect()
        for number in range(3):
            await box.add(str(number), entity=("deal", "7"))
        await box.add("other", entity=("deal", "8"))
        eves = await Mailbox(conn, user_id="eve").connect(visibility=Visibility.PRIVATE)
        await eves.add("eve's", entity=("deal", "7"))
    query = "?entity_type=deal&entity_id=7"
    assert [one["subject"] for one in await web_only.messages(query)] == ["2", "1", "0"]
    page = await web_only.get(f"/v1/mail/messages{query}&limit=2")
    more = await web_only.messages(f"{query}&limit=2&cursor={page['next_cursor']}")
    assert [one["subject"] for one in more] == ["0"]
    for half, missing in (("entity_type=deal", "entity_id"), ("entity_id=7", "entity_type")):
        answer = await web_only.call("GET", f"/v1/mail/messages?{half}")
        assert (answer.status, answer.fields) == (400, [missing])
