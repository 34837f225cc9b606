"""Of a person who was erased nothing is left, in any column of any table."""

from typing import Any
from uuid import UUID

import pytest

from libs.common.db import POOL
from tests.integration.mail.stand import Stand
from tests.integration.privacy.holding import (
    ADDRESS,
    ALIAS,
    CARL,
    NAME,
    THIRD,
    WORD,
    ask,
    erased,
    exported,
    fill,
    look_through,
    spellings,
)
from tests.integration.service_stand import ALICE, Json
from tests.support import caller_token, eventually, service_caller_token

pytestmark = pytest.mark.timeout(120)

THEM: Json = {"addresses": [ADDRESS.upper(), ALIAS, THIRD]}


async def test_nothing_is_left_of_a_correspondent_who_was_erased(stand: Stand) -> None:
    await fill(stand)
    async with stand.pool() as conn:
        before = await look_through(conn, only="acme")
        others = await look_through(conn, only="umbrella")
    places = before.places(spellings(stand))
    assert {
        "messages",
        "message_addresses",
        "outgoing",
        "outgoing_attachments",
        "entities",
        "entity_addresses",
    } <= set(places)
    assert places["messages"] >= {ADDRESS, NAME, WORD, "zsofia"}

    shown = await exported(stand, "mail", THEM)
    counted = await erased(stand, "mail", {**THEM, "dry_run": True})
    async with stand.pool() as conn:
        after_counting = await look_through(conn, only="acme")
    assert after_counting == before  # a dry run changes nothing

    done = await erased(stand, "mail", THEM)
    await stand.quiet()
    async with stand.pool() as conn:
        everything = await look_through(conn)
        left = {
            table: [row for row in rows if "(umbrella," not in row]
            for table, rows in everything.rows.items()
        }
        everything.rows = left
        assert everything.places(spellings(stand) - {"zq"}) == {}
        assert await look_through(conn, only="umbrella") == others
    assert done["found"] == counted["found"]
    assert done["found"] == {
        "messages": 4,
        "messages with others": 2,
        "traces of messages": 2,
        "outgoing messages": 3,
        "entities": 2,
        "unpublished events": 1,
    }
    assert done["notes"] == [
        "crm-entity:deal/big",
        "crm-entity:lead/zq",
        "drafts-stay-in-gmail",
    ]
    assert shown[-1]["end"]["message"] >= 8


async def test_what_was_erased_does_not_come_back(stand: Stand) -> None:
    ids = await fill(stand)
    await erased(stand, "mail", THEM)
    body = {"connection_id": ids["ada"], "mode": "repair"}
    job = await stand.call("POST", "/v1/mail/sync", body)
    assert job.status == 202, job

    async def is_over() -> bool:
        rows = await stand.fetch("SELECT state FROM jobs WHERE id = $1", UUID(job.body["id"]))
        return bool(rows[0]["state"] == "done")

    await eventually(is_over)
    rows = await stand.fetch("SELECT google_id FROM messages WHERE erased_at IS NOT NULL")
    for row in rows:
        await _touch(stand, row["google_id"])
    await stand.quiet()
    async with stand.pool() as conn:
        held = await look_through(conn)
    held.rows = {
        table: [row for row in rows if "(umbrella," not in row] for table, rows in held.rows.items()
    }
    assert held.places(spellings(stand)) == {}


async def _touch(stand: Stand, google_id: str) -> None:
    dump = await stand.google.control("GET", f"people/{ALICE}/mailbox")
    if google_id in {one["id"] for one in dump["messages"]}:
        await stand.edit(google_id, "star")


async def test_mail_with_others_stays_without_the_person(stand: Stand) -> None:
    await fill(stand)
    await erased(stand, "mail", THEM)
    by_subject = {one["subject"]: one for one in await stand.messages()}
    assert set(by_subject) == {"Meeting [erased] soon", "Tip"}
    meeting = await stand.get(f"/v1/mail/messages/{by_subject['Meeting [erased] soon']['id']}")
    assert meeting["text"].strip() == "Carl says: write to erased@invalid, that is [erased]."
    assert meeting["html"] is None
    assert [one["address"] for one in meeting["cc"]] == ["erased@invalid"]
    assert meeting["from"]["address"] == CARL
    tip = await stand.get(f"/v1/mail/messages/{by_subject['Tip']['id']}")
    assert tip["text"].strip() == "Ask erased@invalid."
    assert await _activities(stand, "deal/big") == ["Meeting [erased] soon", "Tip"]
    assert await _activities(stand, "lead/zq") == []
    found = await stand.get("/v1/mail/search?q=carl")
    assert len(found["items"]) == 2


async def _activities(stand: Stand, entity: str) -> list[str]:
    kind, _, number = entity.partition("/")
    page = await stand.get(f"/v1/mail/activities?entity_type={kind}&entity_id={number}")
    return sorted(one["title"] for one in page["items"])


async def test_consumers_are_told_what_to_let_go_of(stand: Stand) -> None:
    await fill(stand)
    told = len(stand.events())
    await erased(stand, "mail", THEM)
    await stand.quiet()
    new = stand.events()[told:]
    redacted = [one for one in new if one.type == "mail.message.redacted.v1"]
    assert sorted((one.data["what"], one.data["kept"]) for one in redacted) == [
        ("reduced", "others"),
        ("reduced", "others"),
        *[("removed", "nothing")] * 4,
    ]
    assert {one.data["reason"] for one in redacted} == {"erasure"}
    activities = [one.data["activity"] for one in new if one.type == "mail.activity.logged.v1"]
    gone = [one for one in activities if not one["entities"]]
    assert gone
    assert all((one["title"], one["participants"]) == ("", []) for one in gone)
    assert all(ADDRESS not in str(one.data) and NAME not in str(one.data) for one in new)


async def test_erasing_twice_finds_nothing_more(stand: Stand) -> None:
    await fill(stand)
    await erased(stand, "mail", THEM)
    again = await erased(stand, "mail", THEM)
    assert (again["found"], again["notes"]) == ({}, [])


async def test_nothing_is_left_of_a_user_who_was_erased(stand: Stand) -> None:
    ids = await fill(stand)
    user: Json = {"user_id": "ada"}
    names = {ALICE, ids["ada"]}
    await stand.auth.create()  # and an open link
    async with stand.pool() as conn:
        accounts = {
            str(row["account_id"])
            for row in await conn.fetch(
                "SELECT account_id FROM connections WHERE user_id = 'ada' AND tenant_id = 'acme'"
            )
        }
    assert len(await exported(stand, "auth", user)) > 3
    done = {name: await erased(stand, name, user) for name in ("auth", "mail")}
    await stand.quiet()
    assert done["auth"]["found"] == {"connections": 2, "google accounts": 1}
    async with stand.auth.app[POOL].acquire() as conn:
        held = await look_through(conn)
    held.rows = {t: [r for r in rows if "umbrella" not in r] for t, rows in held.rows.items()}
    assert held.places({ALICE, "(acme,ada", ",ada,", *names, *accounts}) == {}
    async with stand.pool() as conn:
        held = await look_through(conn)
    held.rows = {t: [r for r in rows if "(umbrella," not in r] for t, rows in held.rows.items()}
    left = held.places({"user:ada", ",ada,", ALICE, *names, *accounts})
    # What stays of the mailbox: an id that no late event can bring back to life. And its units,
    # until the night.
    assert left == {"connections": {ids["ada"]}, "quota_usage": accounts}
    grants = (await stand.google.control("GET", f"people/{ALICE}"))["grants"]
    assert not grants


async def test_a_late_event_brings_no_erased_mailbox_back(stand: Stand) -> None:
    await fill(stand)
    await erased(stand, "mail", {"user_id": "ada"})  # auth still knows and lists it
    await stand.app[_connections()].reconcile()
    rows = await stand.fetch("SELECT email, user_id FROM connections WHERE erased_at IS NOT NULL")
    assert [tuple(row) for row in rows] == [("", "")]
    assert (
        await stand.fetch(
            "SELECT 1 FROM messages m JOIN connections c USING (connection_id)"
            " WHERE c.erased_at IS NOT NULL"
        )
        == []
    )


def _connections() -> Any:
    from services.mail.app import CONNECTIONS  # noqa: PLC0415 - of one test

    return CONNECTIONS


async def test_only_services_may_ask_and_only_about_their_tenant(stand: Stand) -> None:
    for name in ("auth", "mail"):
        for path in ("exports", "erasures"):
            answer = await ask(stand, name, path, THEM, caller_token())
            assert (answer.status, answer.problem) == (403, "wrong-caller")
        mine = await ask(stand, name, "erasures", {**THEM, "dry_run": True})
        of = stand.auth if name == "auth" else stand
        foreign = service_caller_token(tenant="umbrella")
        seen = await of.call("GET", mine.headers["Location"], token=foreign)
        assert seen.status == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "body"), ({"addresses": ["nobody"]}, "addresses[0]"), ({"user_id": ""}, "user_id")],
)
async def test_a_person_must_be_named(stand: Stand, body: Json, field: str) -> None:
    answer = await ask(stand, "mail", "erasures", body)
    assert (answer.status, answer.fields) == (400, [field])
