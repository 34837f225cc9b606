"""Full text: what is found, by whom, and how the database looks for it."""

import contextlib
from collections.abc import AsyncIterator
from urllib.parse import quote

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common import db
from libs.common.errors import InvalidInput
from services.mail.app import migrations
from services.mail.domain.message import Attachment, Person
from services.mail.domain.search import compile_query
from services.mail.store.search import (
    MATCH_MESSAGES,
    Searched,
    index_message,
    search_messages,
)
from tests.databases import NewDatabase
from tests.integration.mail.stand import Stand
from tests.integration.mail.stored import Mailbox
from tests.support import caller_token, service_caller_token

FILE = Attachment(part="2", filename="a.pdf", content_type="application/pdf", size=3, inline=False)

MULTIPLY = """
INSERT INTO messages (tenant_id, id, connection_id, google_id, thread_id, internal_date, traced,
                      direction, labels, label_history_id, stored_at, search)
SELECT tenant_id, gen_random_uuid(), connection_id, n, n, internal_date, false, direction, labels,
       label_history_id, stored_at, quote_literal(n)::tsvector
  FROM messages, generate_series(1, 5000) AS numbers (n)
"""


@pytest.fixture
async def conn(new_database: NewDatabase) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection to the service's database alone."""
    made = await db.connect(await new_database(*migrations()), application_name="tests")
    yield made
    await made.close()


async def found(conn: db.Connection, query: str) -> list[str]:
    wanted = Searched(tenant_id="acme", user_id="ada", query=compile_query(query), limit=50)
    return [one.content.subject for one in await search_messages(conn, wanted)]


async def filled(conn: db.Connection) -> None:
    box = await Mailbox(conn).connect()
    await box.add("Reunião", "amanhã às dez", sender="carla@example.pt")
    await box.add("Contract", "either/or: see http://example.net/terms", to=(Person("ann@a.com"),))
    await box.add("Invoice", "the contract is signed", attachments=(FILE,), labels=("INBOX", "L1"))
    await box.add("Lunch", "red green blue", entity=("deal", "7"))


@pytest.mark.parametrize(
    ("query", "subjects"),
    [
        ("reuniao", ["Reunião"]),
        ("REUNIÃO", ["Reunião"]),
        ("amanha dez", ["Reunião"]),
        ("contract", ["Invoice", "Contract"]),
        ("subject:contract", ["Contract"]),
        ("contract -signed", ["Contract"]),
        ("either", ["Contract"]),
        ("terms", ["Contract"]),
        ('"green blue"', ["Lunch"]),
        ('"blue green"', []),
        ("lunch OR signed", ["Lunch", "Invoice"]),
        ("(lunch OR signed) contract", ["Invoice"]),
        ("from:carla", ["Reunião"]),
        ("from:carla@example.pt", ["Reunião"]),
        ("from:example.pt", ["Reunião"]),
        ("from:ann", []),
        ("to:ann", ["Contract"]),
        ("-from:example", []),
        ("has:attachment", ["Invoice"]),
        ("contract -has:attachment", ["Contract"]),
        ("label:L1", ["Invoice"]),
        ("contract -label:L1", ["Contract"]),
        ("entity:deal/7", ["Lunch"]),
        ("red entity:deal/7", ["Lunch"]),
        ("red entity:deal/8", []),
        ("after:2026-01-01T15:00:00Z", ["Lunch", "Invoice"]),
        ("contract before:2026-01-01T15:00:00Z", ["Contract"]),
        ("before:2026-01-01", []),
    ],
)
async def test_a_query_finds_what_it_says(
    conn: db.Connection, query: str, subjects: list[str]
) -> None:
    await filled(conn)
    assert await found(conn, query) == subjects


async def test_nothing_that_is_typed_breaks_the_database(conn: db.Connection) -> None:
    await filled(conn)
    hostile = (
        "'",
        "\\",
        "a'b\\c:d&e|f!g<->h",
        "it's:*",
        "from:o'neil\\@x.org",
        "😀 x",
        "\ufdfa" * 100,
        "x" * 500,
        "漢字 かな",
        "a\u0301\u0301",
        "label:'\\;--",
        "entity:'/'",
        "_ _",
        "-a -b",
        "-(a OR -b)",
    )
    for query in hostile:
        with contextlib.suppress(InvalidInput):
            await found(conn, query)


def drawn(queries: st.SearchStrategy[str]) -> list[str]:
    """Return what hypothesis would try."""
    found: list[str] = []

    @settings(max_examples=500, database=None)
    @given(queries)
    def collect(query: str) -> None:
        found.append(query)

    collect()
    return found


async def test_any_text_is_a_query_of_postgres_or_refused(conn: db.Connection) -> None:
    words = st.sampled_from(
        [
            "a",
            "it's",
            "OR",
            "-",
            "(",
            ")",
            '"b c"',
            "from:",
            "to:x@y.z",
            "has:attachment",
            "\\'",
            "é",
        ]
    )
    texts = drawn(st.text(max_size=100) | st.lists(words, max_size=30).map(" ".join))
    accepted: list[str] = []
    for query in texts:
        try:
            accepted.append(compile_query(query).text or "'x'")
        except InvalidInput:
            continue
    assert 0 < len(accepted) < len(texts)
    read = await conn.fetch("SELECT query::tsquery FROM unnest($1::text[]) AS query", accepted)
    assert len(read) == len(accepted)


async def test_the_largest_mail_is_indexed(conn: db.Connection) -> None:
    box = await Mailbox(conn).connect()
    rare = " ".join(chr(0x20000 + number) for number in range(40_000))
    unlike = " ".join(f"{number:x}@{number:x}.org" for number in range(20_000))
    people = tuple(Person(f"{'p' * 60}{number}@example.org") for number in range(1_000))
    for text in (rare, unlike, "x" * 200_000, "a " * 100_000):
        await box.add("large", text, to=people)
    assert await found(conn, "large") == ["large"] * 4
    await box.add("rest", f"{'y' * 100_001} beyond")
    assert await found(conn, "beyond") == []


async def test_a_message_can_be_indexed_anew(conn: db.Connection) -> None:
    box = await Mailbox(conn).connect()
    message_id = await box.add("old")
    await index_message(
        conn, "acme", message_id, subject="new", sender=None, recipients=[], text=""
    )
    assert await found(conn, "new") == ["old"]
    assert await found(conn, "old") == []


async def test_a_search_reads_the_index(conn: db.Connection) -> None:
    box = await Mailbox(conn).connect()
    await box.add("x")
    await conn.execute(MULTIPLY)
    await conn.execute("ANALYZE")
    await conn.execute("SET plan_cache_mode = force_generic_plan")
    await conn.execute(f"PREPARE search AS {MATCH_MESSAGES}")
    nothing = ", ".join(["NULL"] * 5)
    rows = await conn.fetch(
        f"EXPLAIN EXECUTE search ('acme', {nothing}, '{{}}', '{{}}', '{{}}', '{{}}',"
        " NULL, NULL, 50, '''x''')"
    )
    plan = "\n".join(row[0] for row in rows)
    assert "Bitmap Index Scan on messages_search" in plan
    assert "Index Cond: ((tenant_id = $1) AND (search @@" in plan


async def test_a_search_comes_in_pages_newest_first(web_only: Stand) -> None:
    async with web_only.pool() as conn:
        box = await Mailbox(conn).connect()
        for number in range(5):
            await box.add(str(number), "word")
    seen, cursor = list[str](), ""
    while True:
        page = await web_only.get(f"/v1/mail/search?q=word&limit=2{cursor}")
        seen += [one["subject"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == ["4", "3", "2", "1", "0"]


@pytest.mark.parametrize("query", ["word", "after:2026-01-01"])
async def test_people_find_only_their_own_mail(web_only: Stand, query: str) -> None:
    async with web_only.pool() as conn:
        own = await Mailbox(conn).connect()
        await own.add("own", "word")
        await (await Mailbox(conn, user_id="eve").connect()).add("eve's", "word")
        await (await Mailbox(conn, tenant_id="umbrella").connect()).add("foreign", "word")

    async def subjects(token: str, more: str = "") -> list[str]:
        page = await web_only.get(f"/v1/mail/search?q={query}{more}", token=token)
        return sorted(one["subject"] for one in page["items"])

    assert await subjects(caller_token()) == ["own"]
    assert await subjects(service_caller_token(tenant="acme")) == ["eve's", "own"]
    assert await subjects(service_caller_token(tenant="umbrella")) == ["foreign"]
    only = f"&connection_id={own.id}"
    assert await subjects(service_caller_token(tenant="acme"), only) == ["own"]
    assert await subjects(caller_token(user="eve"), only) == []


async def test_a_wrong_search_names_the_place(web_only: Stand) -> None:
    for query, position in (("", 1), ("one (two", 9), ('"', 1), ("x" * 501, 501)):
        answer = await web_only.call("GET", f"/v1/mail/search?q={quote(query)}")
        assert (answer.status, answer.fields) == (400, ["q"])
        assert answer.body["errors"][0]["detail"].endswith(f"at position {position}")
    assert (await web_only.call("GET", "/v1/mail/search")).fields == ["q"]
