"""What is held about a person is in the export, whatever it is."""

import orjson
import pytest

from libs.common.db import POOL
from tests.integration.mail.stand import Stand
from tests.integration.privacy.holding import (
    ADDRESS,
    ALIAS,
    NAME,
    THIRD,
    WORD,
    exported,
    fill,
    look_through,
    spellings,
)
from tests.integration.service_stand import ALICE, Json
from tests.support import service_caller_token

pytestmark = pytest.mark.timeout(120)

THEM: Json = {"addresses": [ADDRESS, ALIAS, THIRD]}
SHOWN_AS = {
    "messages": "message",
    "message_addresses": "message",
    "outgoing": "outgoing message",
    "outgoing_attachments": "outgoing message",
    "outgoing_chunks": None,
    "entities": "entity",
    "entity_addresses": "entity",
    "writes": "change",
}
"""What an export calls the rows of a table; None: only whose mailbox it is gets that."""


def kinds(lines: list[Json]) -> dict[str, str]:
    """Return all that was shown, as text in small letters by kind."""
    found: dict[str, str] = {}
    for one in lines:
        if "record" in one:
            text = orjson.dumps(one["data"]).decode().lower()
            found[one["record"]] = found.get(one["record"], "") + text
    return found


async def test_whatever_the_database_holds_of_a_correspondent_is_shown(stand: Stand) -> None:
    await fill(stand)
    async with stand.pool() as conn:
        places = (await look_through(conn, only="acme")).places({ADDRESS, ALIAS, NAME, WORD})
    lines = await exported(stand, "mail", THEM)
    shown = kinds(lines)
    for table, needles in places.items():
        kind = SHOWN_AS[table]
        if kind is not None:
            assert {one for one in needles if one.lower() not in shown[kind]} == set(), table
    assert THIRD not in shown["message"]  # a trace knows only the hash; it is shown as a trace
    traces = [one for one in lines if one.get("data", {}).get("traced")]
    assert len(traces) == 1
    assert lines[-1]["end"]["message"] == sum(one.get("record") == "message" for one in lines)


async def test_an_export_holds_nothing_of_another_tenant(stand: Stand) -> None:
    await fill(stand)
    lines = await exported(stand, "mail", THEM, service_caller_token(tenant="umbrella"))
    text = orjson.dumps(lines).decode()
    assert ALICE not in text
    assert "otto@umbrella.example" in text
    nobody = await exported(stand, "mail", THEM, service_caller_token(tenant="nobody"))
    assert nobody[-1] == {"end": {}}


async def test_a_user_is_shown_their_mailbox_but_no_token(stand: Stand) -> None:
    ids = await fill(stand)
    mail = await exported(stand, "mail", {"user_id": "ada"})
    assert {
        "mailbox",
        "watch",
        "feed",
        "label",
        "message",
        "outgoing message",
        "outgoing attachment",
        "change",
        "hold",
    } <= set(kinds(mail))
    assert ids["bea"] not in orjson.dumps(mail).decode()
    auth = await exported(stand, "auth", {"user_id": "ada"})
    assert {"connection", "google account"} <= set(kinds(auth))
    async with stand.auth.app[POOL].acquire() as conn:
        rows = await conn.fetch("SELECT refresh_token, access_token FROM accounts")
    text = orjson.dumps(auth).decode()
    for row in rows:
        assert all(one.hex() not in text for one in row if one is not None)
    assert ALICE in text
    assert spellings(stand)  # nobody looks for nothing
