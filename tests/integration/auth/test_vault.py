"""Tokens at rest, and everything else that must not be readable where it lies."""

import base64
import os

from tests.emulated import Emulated
from tests.integration.auth.stand import (
    ALICE,
    SEALING_KEYS,
    Stand,
    running,
    settings_for,
)

TWO_KEYS = "two:" + base64.b64encode(b"2" * 32).decode() + "," + SEALING_KEYS


async def test_no_table_holds_a_token_in_clear(auth: Stand) -> None:
    connection = await auth.connect()
    token = (await auth.token(connection["id"])).body["access_token"]
    names = await auth.fetch(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    )

    for row in names:
        query = await auth.fetch(
            "SELECT format('SELECT coalesce(string_agg(t::text, ''''), '''') FROM %I AS t',"
            " $1::text) AS sql",
            row["table_name"],
        )
        [content] = await auth.fetch(query[0]["sql"])
        assert token not in content[0], row["table_name"]
        assert token.encode().hex() not in content[0], row["table_name"]


async def test_tokens_are_resealed_with_the_newest_key_when_used(
    auth: Stand, emulator: Emulated
) -> None:
    connection = await auth.connect()
    url = auth.settings.database_url.get_secret_value()
    async with running(settings_for(url, emulator.origin, sealing_keys=TWO_KEYS)) as rotated:
        assert (await rotated.token(connection["id"])).status == 200  # still the old seal
        assert (await rotated.token(connection["id"], rejected=True)).status == 200
        [row] = await rotated.fetch("SELECT refresh_key_id, access_key_id FROM accounts")

    assert tuple(row) == ("two", "two")


async def test_a_token_copied_to_another_row_does_not_open(auth: Stand, emulator: Emulated) -> None:
    await emulator.add_person("bob@example.com")
    alices = await auth.connect(person=ALICE)
    bobs = await auth.connect(person="bob@example.com")
    await auth.fetch(
        "UPDATE accounts AS a SET refresh_token = b.refresh_token, access_token = b.access_token"
        " FROM accounts AS b WHERE a.email = $1 AND b.email <> $1 RETURNING a.id",
        ALICE,
    )

    stolen = await auth.token(alices["id"])
    refreshed = await auth.token(alices["id"], rejected=True)

    assert (stolen.status, refreshed.status) == (500, 500)
    assert (await auth.token(bobs["id"])).status == 200


async def test_a_key_that_is_gone_is_our_problem_and_nobodys_state(
    auth: Stand, emulator: Emulated
) -> None:
    connection = await auth.connect()
    url = auth.settings.database_url.get_secret_value()
    other = "other:" + base64.b64encode(os.urandom(32)).decode()
    async with running(settings_for(url, emulator.origin, sealing_keys=other)) as keyless:
        assert (await keyless.token(connection["id"], rejected=True)).status == 500
        assert (await keyless.show(connection["id"]))["state"] == "active"


async def test_an_account_that_cannot_be_unsealed_keeps_no_place_in_line(
    auth: Stand, emulator: Emulated
) -> None:
    await auth.connect()
    await auth.fetch("UPDATE accounts SET access_expires_at = now() RETURNING id")
    url = auth.settings.database_url.get_secret_value()
    other = "other:" + base64.b64encode(os.urandom(32)).decode()
    async with running(settings_for(url, emulator.origin, sealing_keys=other)) as keyless:
        await keyless.work()
        [row] = await keyless.fetch("SELECT retry_at > now() AS put_off, state FROM accounts")

    assert tuple(row) == (True, "active")
