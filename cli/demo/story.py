"""The main job, step by step; each is seen to happen or the story ends."""

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cli.demo import mailbag
from cli.demo.account import Account, Filled
from cli.demo.browser import consent
from cli.demo.clients import Clients
from cli.demo.crm import Crm
from cli.demo.errors import StoryError
from cli.demo.google import Change, Person
from cli.demo.letters import ADVERT, ANSWER, ENQUIRY, NEWS, OFFER, PERSON_NAME, Letter
from cli.demo.listener import Arrival, Listener, of_kind
from cli.demo.mailbag import samples
from cli.demo.meetings import Meetings
from cli.demo.takein import fill, take_in
from cli.demo.view import View

STEP_TIMEOUT_S = 30.0
PACE_S = 1.2  # Google notifies of a mailbox once a second: faster, and the wait is all one sees
SAMPLES = "the project's sample mailbox"
AUTHORIZED = "auth.connection.authorized.v1"
RECEIVED = "mail.message.received.v1"
SENT = "mail.message.sent.v1"
UPDATED = "mail.message.updated.v1"
DELETED = "mail.message.deleted.v1"


@dataclass
class Moments:
    """When the changes of the story were made at Google (Unix seconds)."""

    authorized: float | None = None
    messages: dict[tuple[str, str], float] = field(default_factory=dict)

    def of(self, arrival: Arrival) -> float | None:
        """Return when the change behind an event was made, if the story made it."""
        event = arrival.envelope
        if event.type == AUTHORIZED:
            return self.authorized
        if (message := arrival.google_message_id) is None:
            return event.time.timestamp()
        return self.messages.get((event.type, message))


@dataclass
class Cast:
    """Who takes part."""

    crm: Crm
    person: Person
    listener: Listener
    view: View
    moments: Moments
    return_url: str
    user_id: str
    """Of the CRM, who connects."""
    mail: Path | None = None  # the mail of before; None: the sample mailbox


class Story:
    """Plays the main job once."""

    def __init__(self, cast: Cast) -> None:
        self._cast = cast

    async def play(self) -> None:
        """Play every step.

        Raises:
            StoryError: a step was not seen within STEP_TIMEOUT_S seconds, or mail is missing.
        """
        filled = await self._fill()
        connection_id = await self._connect()
        account = await self._take_in(connection_id, filled)
        seconds = time.time() - (self._cast.moments.authorized or time.time())
        enquiry = await self._receive(ENQUIRY)
        await self._receive(NEWS)
        advert = await self._receive(ADVERT)
        person, view = self._cast.person, self._cast.view
        view.step(f"{PERSON_NAME} answers: {OFFER.subject!r}")
        await self._expect(SENT, person.send(OFFER))
        await self._answer(enquiry)
        view.step(f"{PERSON_NAME} reads {ENQUIRY.subject!r}")
        await self._expect(UPDATED, person.read(enquiry))
        view.step(f"{PERSON_NAME} deletes {ADVERT.subject!r}")
        await self._expect(DELETED, person.delete(advert))
        await view.drain()
        cast = self._cast
        await Meetings(cast.crm, person, cast.listener, view, cast.user_id).play()
        if cast.crm.contacts_url is not None:
            await Clients(cast.crm, person, view, connection_id).play()
        self._sum_up(account, seconds)

    async def _fill(self) -> Filled:
        cast, now = self._cast, datetime.now(UTC)
        await cast.person.move_in(PERSON_NAME)
        cast.view.step(f"{PERSON_NAME}'s mailbox at Google is filled from {cast.mail or SAMPLES}")
        items = samples(now) if cast.mail is None else mailbag.read(cast.mail)
        with cast.view.bar("put into Google") as bar:
            return await fill(cast.person, items, bar=bar, now=now)

    async def _take_in(self, connection_id: str, filled: Filled) -> Account:
        view = self._cast.view
        view.step("the mail of before is taken in")
        with view.muted(), view.bar("taken in") as bar:
            account = await take_in(self._cast.crm, connection_id, filled, bar=bar)
            await view.drain()
        view.done(f"{len(account.stored)} messages of before are in the CRM")
        return account

    def _sum_up(self, account: Account, seconds: float) -> None:
        view = self._cast.view
        view.step("what became of the mail of before:")
        for line in account.lines(seconds=seconds):
            view.say(line)
        if not account.balances:
            raise StoryError("not every message is accounted for")

    async def _connect(self) -> str:
        cast = self._cast
        cast.view.step(f"{PERSON_NAME} connects her mailbox: Google asks for her consent")
        url = await cast.crm.start_connection(
            return_url=cast.return_url, login_hint=cast.person.email
        )
        told = await consent(url, return_url=cast.return_url, person=cast.person.email)
        if told.get("status") != "pending" or "connection_id" not in told:
            raise StoryError(f"the consent came back with {told.get('error', 'no connection')}")
        cast.view.done("she agreed; the browser is back at the CRM, which confirms that it is she")
        cast.moments.authorized = time.time()
        connection = await cast.crm.confirm(told["connection_id"], told.get("confirmation"))
        await self._seen(AUTHORIZED, None)
        if not await cast.crm.await_watch(connection["id"], timeout_s=STEP_TIMEOUT_S):
            raise StoryError("the mailbox was not watched in time")
        await cast.view.drain()
        cast.view.done("her mailbox is watched: Google pushes from now on")
        return str(connection["id"])

    async def _receive(self, letter: Letter) -> Change:
        self._cast.view.step(f"mail arrives at Google: {letter.subject!r}")
        return await self._expect(RECEIVED, self._cast.person.receive(letter))

    async def _answer(self, enquiry: Change) -> None:
        """Answer out of the CRM: in the same thread at Google, and logged once."""
        cast = self._cast
        cast.view.step(f"{PERSON_NAME} answers once more, out of the CRM")
        received = await self._seen(RECEIVED, enquiry.google_message_id)
        thread_id = received.envelope.data["thread_id"]
        sent = await cast.crm.answer(received.envelope.data["message_id"], ANSWER)
        if sent["state"] != "sent" or sent["thread_id"] != thread_id:
            raise StoryError(f"the answer is {sent['state']}, or in another thread")
        await self._seen(SENT, sent["google_message_id"])
        await cast.view.drain()
        told = [one for one in cast.listener.arrivals if one.envelope.data.get("send_id")]
        copies = [one for one in await cast.person.in_thread(thread_id) if "SENT" in one]
        if len(told) != 1 or len(copies) != 1:
            raise StoryError(f"the answer was told {len(told)} times, and sent {len(copies)} times")
        cast.view.done("the answer stands in the same thread at Google, and was logged once")

    async def _expect(self, kind: str, change: Awaitable[Change]) -> Change:
        await asyncio.sleep(PACE_S)
        made = await change
        self._cast.moments.messages[kind, made.google_message_id] = made.at
        await self._seen(kind, made.google_message_id)
        await self._cast.view.drain()
        return made

    async def _seen(self, kind: str, message: str | None) -> Arrival:
        match = of_kind(kind, message=message)
        arrival = await self._cast.listener.wait(match, timeout_s=STEP_TIMEOUT_S)
        if arrival is None:
            raise StoryError(f"no {kind} came within {STEP_TIMEOUT_S:.0f} s")
        return arrival
