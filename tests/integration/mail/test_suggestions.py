"""Correspondents the CRM does not know are suggested, each once."""

import asyncio
from typing import Any

from libs.common import clock, db
from libs.common.events.base import Origin
from libs.common.ids import new_id
from services.mail.app import migrations
from services.mail.domain.keeping import Rules
from services.mail.domain.message import Policy
from services.mail.domain.preferences import Preferences, Suggest
from services.mail.sync.meaning.linking import Arrival
from services.mail.sync.meaning.suggesting import suggest
from tests.databases import NewDatabase
from tests.integration.mail.bench import Bench, message
from tests.integration.mail.stand import Stand
from tests.integration.mail.test_settings import BOB, EVE, put, tell
from tests.support import caller_token, eventually

KIND = "mail.contact.suggested"


def suggested(mail: Stand) -> list[tuple[str, str]]:
    found = mail.events(KIND)
    return sorted((one.data["address"], one.data["direction"]) for one in found)


async def suggests(mail: Stand, *expected: tuple[str, str]) -> None:
    await eventually(lambda: suggested(mail) == sorted(expected), what=str(expected))


async def test_nobody_is_suggested_unless_that_is_wanted(mail: Stand) -> None:
    await mail.connect()
    await mail.deliver(subject="hi", **{"from": EVE})
    await mail.told("received")
    assert mail.events(KIND) == []


async def test_whom_the_person_writes_to_is_suggested_once(mail: Stand) -> None:
    connection_id = await mail.connect()
    await put(mail, connection_id, suggest_contacts="sent")
    await tell(mail, BOB)
    await mail.deliver(subject="in", **{"from": EVE})
    for _ in range(2):
        await mail.deliver(subject="out", sent=True, to=f"Eve E. <{EVE}>, {BOB}")
    await eventually(lambda: len(mail.types()) == 3)
    await suggests(mail, (EVE, "outbound"))
    (event,) = mail.events(KIND)
    assert event.data["name"] == "Eve E."
    assert event.data["connection_id"] == connection_id
    assert event.data["user_id"] == "ada"
    assert event.data["origin"] == "live"
    shown = {one["id"] for one in await mail.messages()}
    assert event.data["message_id"] in shown


async def test_who_writes_is_suggested_if_that_is_wanted_and_the_mail_need_not_be_kept(
    mail: Stand,
) -> None:
    connection_id = await mail.connect()
    await put(mail, connection_id, policy="known", suggest_contacts="sent-and-received")
    await mail.deliver(subject="in", **{"from": EVE})
    await suggests(mail, (EVE, "inbound"))
    (event,) = mail.events(KIND)
    assert event.data["message_id"] is None


async def test_nobody_is_suggested_of_mail_of_machines_and_of_mail_shut_out(mail: Stand) -> None:
    connection_id = await mail.connect()
    await put(
        mail, connection_id, suggest_contacts="sent-and-received", blocklist=["blocked.example"]
    )
    headers = {"List-Id": "<friends.example.org>"}
    await mail.deliver(subject="list", headers=headers, **{"from": "one@list.example"})
    await mail.deliver(subject="robot", **{"from": "no-reply@shop.example"})
    await mail.deliver(subject="blocked", cc="x@blocked.example", **{"from": "two@list.example"})
    await mail.deliver(subject="spam", labels=["SPAM"], **{"from": "three@spam.example"})
    await mail.deliver(subject="colleague", **{"from": "carol@example.com"})
    await mail.deliver(subject="last", **{"from": EVE})
    await suggests(mail, (EVE, "inbound"))


async def test_under_none_nobody_is_suggested(mail: Stand) -> None:
    connection_id = await mail.connect()
    await put(mail, connection_id, policy="none", suggest_contacts="sent-and-received")
    await mail.deliver(subject="in", **{"from": EVE})
    await eventually(lambda: mail.fetch("SELECT 1 FROM messages"))
    await mail.quiet()
    assert mail.events(KIND) == []


async def test_each_tenant_has_its_own_suggestions(mail: Stand) -> None:
    other = caller_token(user="olga", tenant="umbrella")
    await put(mail, await mail.connect(), suggest_contacts="sent-and-received")
    theirs = await mail.connect(token=other)
    path = f"/v1/mail/connections/{theirs}/settings"
    wanted = {"policy": "all", "suggest_contacts": "sent-and-received"}
    assert (await mail.call("PUT", path, wanted, token=other)).status == 200
    await mail.deliver(subject="in", **{"from": EVE})
    await suggests(mail, (EVE, "inbound"), (EVE, "inbound"))
    assert {one.tenantid for one in mail.events(KIND)} == {"acme", "umbrella"}


async def test_mailboxes_that_meet_somebody_at_once_suggest_them_once(
    new_database: NewDatabase,
) -> None:
    pool = await db.open_pool(await new_database(*migrations()))
    bench = Bench(pool)
    wanted = Preferences(suggest_contacts=Suggest.SENT_AND_RECEIVED)
    rules = Rules(policy=Policy.ALL, preferences=wanted)

    async def one(number: int) -> list[Any]:
        people = [f"p{(number + each) % 10}@x.test" for each in range(10)]
        arrivals = [Arrival(new_id(), message(sender=each), (), None) for each in people]
        connection = await bench.connect(f"user{number}@example.com")
        async with db.transaction(pool) as conn:
            return await suggest(
                conn,
                connection,
                rules,
                arrivals,
                origin=Origin.LIVE,
                linker=bench.linker,
                now=clock.now(),
            )

    told = await asyncio.gather(*(one(number) for number in range(6)))
    addresses = sorted(event.data["address"] for some in told for event in some)
    assert addresses == [f"p{number}@x.test" for number in range(10)]
    await db.close_pool(pool)
