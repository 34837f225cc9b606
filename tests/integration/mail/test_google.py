"""What Google, and auth before it, may answer."""

import io
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from libs.common.connections.model import Access, State
from libs.common.errors import Conflict
from libs.common.google import discovery
from libs.common.google.accounts import AuthClient
from libs.common.google.answers import EPOCH
from libs.common.google.connected import ConnectedGoogle
from libs.common.google.roots import GoogleRoots
from libs.common.google.transport import GoogleClient
from libs.common.google.wire import AnswerUnreadable, client_session
from services.mail.domain.connection import Connection
from services.mail.domain.message import Policy
from services.mail.google import Gmail, GmailBox
from tests.integration.mail.stand import TOPIC, Stand
from tests.integration.service_stand import ALICE
from tests.support import SERVICE_KEY, eventually

MESSAGE = {
    "id": "m1",
    "threadId": "t1",
    "historyId": "7",
    "internalDate": "1767225600000",
    "snippet": "x",
    "raw": "U3ViamVjdDogeA0KDQp4",
}


@pytest.fixture
async def gmail(stand: Stand) -> AsyncIterator[Gmail]:
    """Gmail as the service speaks to it, without the service."""
    async with client_session() as session:
        auth = AuthClient(session, stand.auth.origin, SERVICE_KEY, caller="mail")
        google = ConnectedGoogle(GoogleClient(session), auth)
        yield Gmail(google, discovery.gmail(GoogleRoots.at(stand.google.origin)))
        await auth.close()


def box(gmail: Gmail, connection_id: UUID) -> GmailBox:
    """Return the mailbox of a connection of which only the id matters."""
    connection = Connection(
        tenant_id="acme",
        id=connection_id,
        account_id=uuid4(),
        user_id="ada",
        email=ALICE,
        access=Access.READ,
        policy=Policy.ALL,
        state=State.ACTIVE,
        updated_at=EPOCH,
    )
    return gmail.box(connection)


async def answering(stand: Stand, body: Any, *, path: str = "/gmail/v1/") -> UUID:
    """Connect, and let Google's next answer be `body`."""
    connection = await stand.auth.connect()
    rule = {"path_prefix": path, "times": 1, "status": 200, "body": body}
    await stand.google.control("PUT", "faults", {"rules": [rule]})
    return UUID(connection["id"])


async def test_a_connection_that_is_gone_does_not_read_as_a_message_that_is(gmail: Gmail) -> None:
    with pytest.raises(Conflict) as exc:
        await box(gmail, uuid4()).fetch_raw("m1", io.BytesIO())
    assert exc.value.slug == "not-connected"


async def test_a_connection_that_is_gone_does_not_read_as_a_dead_cursor(gmail: Gmail) -> None:
    with pytest.raises(Conflict):
        await box(gmail, uuid4()).history(after=1, page_token=None)


WRONG: tuple[dict[str, Any], ...] = (
    {"id": "m 1"},
    {"threadId": ""},
    {"internalDate": "99999999999999999"},
    {"internalDate": None},
    {"historyId": "-1"},
    {"labelIds": ["A "]},
    {"raw": "é"},
    {"raw": None},
)


async def test_an_answer_that_is_none_of_the_apis_is_unreadable(stand: Stand, gmail: Gmail) -> None:
    connection = await stand.auth.connect()
    for wrong in WRONG:
        rule = {"path_prefix": "/gmail/v1/", "times": 1, "status": 200}
        await stand.google.control("PUT", "faults", {"rules": [{**rule, "body": MESSAGE | wrong}]})
        with pytest.raises(AnswerUnreadable):
            await box(gmail, UUID(connection["id"])).fetch_raw("m1", io.BytesIO())


async def test_history_numbers_may_be_numbers_or_texts(stand: Stand, gmail: Gmail) -> None:
    record = {"id": 5, "messagesAdded": [{"message": {"id": "m1", "threadId": "t1"}}]}
    connection_id = await answering(stand, {"history": [record], "historyId": 9})
    page = await box(gmail, connection_id).history(after=1, page_token=None)
    assert (page.history_id, page.records[0].id, page.records[0].added) == (9, 5, ("m1",))


async def test_a_watch_lasts_as_long_as_google_says(stand: Stand, gmail: Gmail) -> None:
    body = {"historyId": "3", "expiration": "1767225600000"}
    watch = await box(gmail, await answering(stand, body)).watch(TOPIC)
    assert watch.expires_at.isoformat() == "2026-01-01T00:00:00+00:00"


async def test_watches_are_renewed_in_time(stand: Stand) -> None:
    often = {"watch_interval": 0.2, "poll_interval": 0.1}
    stand.settings = stand.settings.model_copy(update=often)
    async with stand.serving():
        await stand.connect()

        async def is_renewed() -> bool:
            usage = await stand.google.control("GET", "usage")
            return bool(usage["people"][ALICE]["methods"]["gmail.users.watch"]["calls"] >= 3)

        await eventually(is_renewed)


async def test_an_empty_page_token_is_the_end(stand: Stand, gmail: Gmail) -> None:
    connection_id = await answering(stand, {"historyId": "9", "nextPageToken": ""})
    page = await box(gmail, connection_id).history(after=1, page_token=None)
    assert page.next_page_token is None


async def test_history_that_leads_to_itself_is_unreadable(stand: Stand, gmail: Gmail) -> None:
    connection_id = await answering(stand, {"historyId": "9", "nextPageToken": "again"})
    with pytest.raises(AnswerUnreadable):
        await box(gmail, connection_id).history(after=1, page_token="again")


async def test_a_list_that_leads_to_itself_is_unreadable(stand: Stand, gmail: Gmail) -> None:
    connection_id = await answering(stand, {"nextPageToken": "again"})
    with pytest.raises(AnswerUnreadable):
        await box(gmail, connection_id).list_ids(since=EPOCH, page_token="again")
