"""Erasing where others are at work: what goes out, copies of one mail, settings of mailboxes."""

from datetime import timedelta

import pytest

from libs.common import clock
from services.mail.domain.links import hashes_of
from tests.integration.mail.letters import letter, post
from tests.integration.mail.stand import Stand
from tests.integration.privacy.holding import ADDRESS, ALIAS, BEA, SERVICE, ask, erased
from tests.integration.service_stand import ALICE
from tests.support import caller_token, eventually

pytestmark = pytest.mark.timeout(120)

UNDER_WAY = """
UPDATE writes SET state = 'sending', epoch = 1, deadline = now() + interval '1 hour'
"""
WAITING = "UPDATE writes SET state = 'queued', epoch = NULL, deadline = NULL"


async def test_what_is_under_way_at_google_is_waited_for(stand: Stand) -> None:
    connection_id = await stand.connect(access="write")
    later = (clock.now() + timedelta(days=2)).isoformat()
    body = letter(connection_id=connection_id, to=[{"address": ADDRESS}], send_at=later)
    assert (await post(stand, body)).status == 202
    await stand.quiet()
    await stand.fetch(UNDER_WAY)
    answer = await ask(stand, "mail", "erasures", {"addresses": [ADDRESS]})

    async def part() -> str:
        found = await stand.get(answer.headers["Location"], token=SERVICE)
        assert found["state"] == "running"
        return str(found["part"])

    async def waits() -> bool:
        return await part() == "outgoing"

    await eventually(waits)
    assert len(await stand.fetch("SELECT 1 FROM outgoing")) == 1
    await stand.fetch(WAITING)

    async def is_over() -> bool:
        found = await stand.get(answer.headers["Location"], token=SERVICE)
        return bool(found["state"] == "done" and found["found"] == {"outgoing messages": 1})

    await eventually(is_over)
    for table in ("outgoing", "writes"):
        assert await stand.fetch(f"SELECT 1 FROM {table}") == []  # noqa: S608


async def test_all_copies_of_a_mail_go_and_its_activity_ends(stand: Stand) -> None:
    await stand.google.add_person(BEA, name="Bea")
    await stand.connect()
    await stand.connect(person=BEA, token=caller_token(user="bea"))
    lead = {"version": 1, "emails": [ADDRESS]}
    path = "/v1/mail/entities/lead/zq"
    assert (await stand.call("PUT", path, lead, token=SERVICE)).status == 200
    raw = (
        f"From: {ADDRESS}\r\nTo: {ALICE}, {BEA}\r\nSubject: Hello both\r\n"
        "Message-ID: <one@canary.example>\r\nDate: Mon, 2 Mar 2026 10:00:00 +0000\r\n\r\nHi\r\n"
    )
    for box in (ALICE, BEA):
        await stand.google.deliver(box, raw=raw)

    async def both() -> bool:
        return len(await stand.messages(token=SERVICE)) == 2

    await eventually(both)
    await stand.quiet()
    done = await erased(stand, "mail", {"addresses": [ADDRESS]})
    await stand.quiet()
    assert done["found"]["messages"] == 2
    assert await stand.messages(token=SERVICE) == []
    last = stand.events("mail.activity.logged")[-1].data["activity"]
    assert (last["entities"], last["copies"], last["title"]) == ([], [], "")


async def test_a_suggestion_goes_and_a_blocklist_stays_and_says_so(stand: Stand) -> None:
    connection_id = await stand.connect()
    path = f"/v1/mail/connections/{connection_id}/settings"
    wish = {"policy": "all", "blocklist": [ALIAS]}
    answer = await stand.call("PUT", path, wish)
    assert answer.status == 200, answer
    (hashed,) = hashes_of([ADDRESS], stand.settings.hash_key_bytes)
    await stand.fetch(
        "INSERT INTO contact_suggestions (tenant_id, hash, suggested_at)"
        " VALUES ('acme', $1, now()), ('umbrella', $1, now())",
        hashed,
    )
    done = await erased(stand, "mail", {"addresses": [ADDRESS, ALIAS]})
    assert done["found"] == {"suggestions": 1}
    assert done["notes"] == ["blocklist-keeps-them-out"]
    rows = await stand.fetch("SELECT tenant_id FROM contact_suggestions")
    assert [row["tenant_id"] for row in rows] == ["umbrella"]
    settings = await stand.get(path)
    assert settings["blocklist"] == [ALIAS]
