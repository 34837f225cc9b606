"""The ways through the product that are broken off at every message.

A path sets the stage once. Then, for every point, `prepare` does what is not watched and returns
what is: something happens that the process under watch works on, until `Done` says it is done.
"""

import itertools
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from libs.common.events import crm
from libs.common.events.crm import EntityUpserted
from libs.common.events.envelope import Envelope
from tests import messaging
from tests.house.house import House
from tests.house.truth import differences, first_seen
from tests.support import eventually

ALICE, CAROL = "alice@example.com", "carol@example.com"
CHUNK_AND_MORE = 27
Done = Callable[[], Awaitable[bool]]
Begin = Callable[[], Awaitable[Done]]


@dataclass
class Path:
    """One way through, and the process that is killed on it."""

    name: str
    program: str
    stage: Callable[[House], Awaitable[None]]
    prepare: Callable[[House], Awaitable[Begin]]
    right: Callable[[House], Awaitable[list[str]]] = differences
    """Says what is wrong when nothing is left to do."""
    calendars: bool = False
    """It is played in a house of calendars."""
    contacts: bool = False
    """It is played in a house of address books."""
    environment: dict[str, str] = field(default_factory=dict)
    """Settings that differ."""


@dataclass
class Counted:
    """Waits for events of messages that were made."""

    house: House
    expected: dict[str, list[str]] = field(default_factory=dict)

    async def done(self) -> bool:
        """Say whether every message was told of as expected, without what came twice."""
        told: dict[str, list[str]] = {}
        for one in first_seen(self.house.events("mail.message.")):
            told.setdefault(one.data["google_message_id"], []).append(one.type.split(".")[2])
        return all(told.get(name) == kinds for name, kinds in self.expected.items())


async def one_mailbox(house: House) -> None:
    """Connect Alice, with two messages that are known."""
    await house.start()
    await house.connect(ALICE)
    await house.deliver(ALICE, subject="first", count=2)
    await eventually(lambda: len(house.events("mail.message.")) == 2)
    await house.quiet()


async def arrived(house: House, **message: Any) -> str:
    """Let one message arrive and be taken in; return its id at Google."""
    made = await house.deliver(ALICE, **message)
    await eventually(Counted(house, {made["id"]: ["received"]}).done, timeout_s=60)
    return str(made["id"])


async def arrival(house: House) -> Begin:
    """One message arrives."""

    async def begin() -> Done:
        made = await house.deliver(ALICE, subject="hello")
        return Counted(house, {made["id"]: ["received"]}).done

    return begin


async def changes(house: House, *, forgotten: bool = False) -> Begin:
    """One message arrives, one is starred, one goes for good, and then Google calls.

    Args:
        house: where.
        forgotten: Gmail forgets its history before it calls.
    """
    starred, gone = [await arrived(house, subject=name) for name in ("star", "gone")]
    await house.google.control("PUT", "pushes", {"paused": True})
    await house.quiet()

    async def begin() -> Done:
        new = await house.deliver(ALICE, subject="new")
        await house.edit(ALICE, starred, "star")
        await house.edit(ALICE, gone, "delete")
        if forgotten:
            await house.google.control("POST", f"people/{ALICE}/history", {"action": "expire"})
        await house.google.control("PUT", "pushes", {})
        wanted = {
            new["id"]: ["received"],
            starred: ["received", "updated"],
            gone: ["received", "deleted"],
        }
        return Counted(house, wanted).done

    return begin


async def gap(house: House) -> Begin:
    """As `changes`, and Gmail forgets its history meanwhile."""
    return await changes(house, forgotten=True)


NUMBERS = itertools.count(1)


async def first_sight(house: House) -> Begin:
    """Somebody with a past connects."""
    house.mailboxes.clear()  # those before were found right
    person = f"person{next(NUMBERS)}@example.com"
    await house.google.add_person(person, name="Person")
    yesterday = datetime.now(UTC) - timedelta(days=1)
    moment = int(yesterday.timestamp() * 1000)
    await house.deliver(person, subject="old", count=CHUNK_AND_MORE, internal_date_ms=moment)

    async def begin() -> Done:
        connection_id = await house.connect(person, user=person, settled=False)

        async def done() -> bool:
            if not await house.in_step(connection_id):
                return False
            told = first_seen(house.events("mail.message."))
            mine = [one for one in told if one.data["connection_id"] == connection_id]
            return len(mine) == CHUNK_AND_MORE

        return done

    return begin


async def stale_token(house: House) -> Begin:
    """A message arrives when the access token is not good any more."""
    await house.google.control("POST", f"people/{ALICE}/grants", {"action": "expire_access"})
    return await arrival(house)


async def entity(house: House) -> Begin:
    """The CRM tells of a lead whose mail is here already."""
    name = f"lead{next(NUMBERS)}"
    await arrived(house, **{"from": f"{name}@example.org"})
    await house.quiet()

    async def begin() -> Done:
        told = told_of(name)
        await messaging.send(house.amqp_url, told.to_json(), key=told.type)

        async def done() -> bool:
            logged = first_seen(house.events("mail.activity.logged"))
            named = [each["id"] for one in logged for each in one.data["activity"]["entities"]]
            assert named.count(name) < 2, "an activity was logged twice"
            return name in named

        return done

    return begin


async def two_mailboxes(house: House) -> None:
    """Connect two colleagues, of whom a customer of the CRM writes to both."""
    await one_mailbox(house)
    await house.connect(CAROL, user="carol")
    told = told_of("customer")
    await messaging.send(house.amqp_url, told.to_json(), key=told.type)
    await eventually(lambda: house.mail_db.fetchval("SELECT count(*) > 0 FROM entities"))
    await house.quiet()


async def copies(house: House) -> Begin:
    """A customer writes one mail to two colleagues."""
    raw = (
        f"From: customer@example.org\r\nTo: {ALICE}, {CAROL}\r\n"
        f"Message-ID: <{next(NUMBERS)}@example.org>\r\n"
        "Date: Thu, 1 Jan 2026 12:00:00 +0000\r\nSubject: both\r\n\r\nHello\r\n"
    )

    async def begin() -> Done:
        made = {(await house.google.deliver(one, raw=raw))["id"] for one in (ALICE, CAROL)}

        async def done() -> bool:
            return any(
                {each["google_message_id"] for each in one.data["activity"]["copies"]} == made
                for one in house.events("mail.activity.logged.")
            )

        return done

    return begin


def told_of(name: str) -> Envelope:
    event = EntityUpserted(
        entity_type="lead",
        entity_id=name,
        version=1,
        emails=(f"{name}@example.org",),
    )
    return crm.envelope_of(event, tenant_id="acme", time=datetime.now(UTC))


async def less(house: House) -> Begin:
    """Somebody lets nothing be kept of a mailbox's mail any more."""
    return await settings(house, before="all", after="none")


async def more(house: House) -> Begin:
    """Somebody lets everything be kept again."""
    return await settings(house, before="none", after="all")


async def settings(house: House, *, before: str, after: str) -> Begin:
    """Somebody changes the policy, once all is as the one before has it."""
    await set_policy(house, before)
    await eventually((await policy_holds(house, before)), timeout_s=60)
    await house.quiet()

    async def begin() -> Done:
        await set_policy(house, after)
        return await policy_holds(house, after)

    return begin


async def set_policy(house: House, policy: str) -> None:
    (connection_id,) = house.mailboxes
    path = f"/v1/mail/connections/{connection_id}/settings"
    status, said = await house.call_mail("PUT", path, {"policy": policy})
    assert status == 200, said


async def policy_holds(house: House, policy: str) -> Done:
    """Return what says whether all mail is kept as the policy wants, and nothing is left to do."""

    async def done() -> bool:
        if await house.mail_db.fetchval("SELECT count(*) FROM keep_work"):
            return False
        rows = await house.mail_db.fetch("SELECT traced FROM messages WHERE deleted_at IS NULL")
        return all(row["traced"] == (policy == "none") for row in rows)

    return done


async def connection(house: House) -> Begin:
    """Somebody connects a mailbox, which auth tells of."""
    house.mailboxes.clear()

    async def begin() -> Done:
        name = f"new{next(NUMBERS)}"
        made = await house.connect(f"{name}@example.com", user=name, settled=False)

        async def done() -> bool:
            return await house.in_step(made)

        return done

    return begin


async def consent(house: House) -> Begin:
    """Somebody connects, and tries again when that breaks off."""
    house.mailboxes.clear()

    async def begin() -> Done:
        name, made = f"new{next(NUMBERS)}", list[str]()

        async def attempt() -> None:
            with suppress(aiohttp.ClientError, AssertionError):
                made.append(await house.connect(f"{name}@example.com", user=name, settled=False))

        await attempt()

        async def done() -> bool:
            if not made:
                await attempt()
            return bool(made) and await house.in_step(made[0])

        return done

    return begin


async def farewell(house: House) -> Begin:
    """Somebody disconnects, and tries again when that breaks off."""
    name = f"new{next(NUMBERS)}"
    email = f"{name}@example.com"
    made = await house.connect(email, user=name)
    await house.quiet()

    async def begin() -> Done:
        ended = list[bool]()

        async def attempt() -> None:
            with suppress(aiohttp.ClientError, AssertionError):
                await house.disconnect(made, user=name)
                ended.append(True)

        await attempt()

        async def done() -> bool:
            if not ended:
                await attempt()
            person = await house.google.control("GET", f"people/{email}")
            return bool(ended) and not person["grants"] and await house.has_let_go(made)

        return done

    return begin


PATHS = (
    Path("push", "web", one_mailbox, arrival),
    Path("history", "worker", one_mailbox, changes),
    Path("backfill", "worker", House.start, first_sight),
    Path("repair", "worker", one_mailbox, gap),
    Path("copies", "worker", two_mailboxes, copies),
    Path("refresh", "auth", one_mailbox, stale_token),
    Path("publish", "relay", one_mailbox, arrival),
    Path("consume an entity", "consumer", one_mailbox, entity),
    Path("keep less", "worker", one_mailbox, less),
    Path("keep more", "worker", one_mailbox, more),
    Path("consume a connection", "consumer", House.start, connection),
    Path("connect", "auth", House.start, consent),
    Path("disconnect", "auth", House.start, farewell),
    Path("revoke", "auth-worker", House.start, farewell),
)
