"""A user who is erased takes nobody else's account, mailbox or mail along."""

import pytest

from libs.common.db import POOL
from tests.integration.mail.stand import Stand
from tests.integration.privacy.holding import erased, exported
from tests.integration.service_stand import ALICE
from tests.support import caller_token, eventually, service_caller_token

pytestmark = pytest.mark.timeout(120)


async def test_an_account_that_another_tenant_connected_stays_theirs(stand: Stand) -> None:
    await stand.connect()
    umbrella = caller_token(tenant="umbrella", user="otto")
    theirs = await stand.connect(token=umbrella)
    done = await erased(stand, "auth", {"user_id": "ada"})
    assert done["found"] == {"connections": 1}
    assert done["notes"] == ["account-kept: another connection uses it"]
    assert (await stand.auth.token(theirs)).status == 200
    assert (await stand.auth.show(theirs, token=umbrella))["state"] == "active"
    await erased(stand, "mail", {"user_id": "ada"})
    await stand.deliver(subject="still read")
    await eventually(lambda: _subjects(stand, umbrella))


async def _subjects(stand: Stand, token: str) -> bool:
    return [one["subject"] for one in await stand.messages(token=token)] == ["still read"]


async def test_a_user_of_the_same_name_in_another_tenant_is_another(stand: Stand) -> None:
    connection_id = await stand.connect()
    foreign = service_caller_token(tenant="umbrella")
    for service in ("auth", "mail"):
        assert (await exported(stand, service, {"user_id": "ada"}, foreign))[-1] == {"end": {}}
        done = await erased(stand, service, {"user_id": "ada"}, foreign)
        assert done["found"] == {}
    assert await stand.in_step(connection_id)


async def test_whose_mailbox_an_address_is_gets_said(stand: Stand) -> None:
    await stand.connect()
    done = await erased(stand, "auth", {"addresses": [ALICE.upper()], "dry_run": True})
    assert done["notes"] == ["also-a-user:ada"]


async def test_counting_a_user_changes_nothing(stand: Stand) -> None:
    connection_id = await stand.connect()
    await stand.deliver(subject="one")
    await eventually(stand.messages)
    wish = {"user_id": "ada", "dry_run": True}
    assert (await erased(stand, "auth", wish))["found"] == {"connections": 1}
    counted = await erased(stand, "mail", wish)
    assert counted["found"] == {"mailboxes": 1, "messages of theirs": 1}
    assert await stand.in_step(connection_id)
    async with stand.auth.app[POOL].acquire() as conn:
        assert await conn.fetchval("SELECT refresh_token IS NOT NULL FROM accounts")
