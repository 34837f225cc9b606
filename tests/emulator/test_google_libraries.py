"""Google's own Python libraries, unmodified apart from the address."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import httplib2
import pytest
import requests
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request
from google.oauth2 import id_token
from google.oauth2.credentials import Credentials
from google_auth_oauthlib.flow import Flow
from googleapiclient.discovery import build, build_from_document
from googleapiclient.errors import HttpError
from googleapiclient.http import BatchHttpRequest, MediaInMemoryUpload

from emulator.config import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET
from tests.emulator.google import (
    ALICE,
    CALENDAR,
    CONTACTS,
    EMAIL,
    FULL,
    HOUR,
    MODIFY,
    REDIRECT,
    TOPIC,
    Channel,
    Google,
    Receiver,
    decide,
    raw,
)
from tests.support import eventually

T = TypeVar("T")
SCOPES = ["openid", EMAIL, MODIFY]


async def in_thread(work: Callable[[], T]) -> T:
    """Run blocking library code beside the emulator's loop."""
    return await asyncio.wait_for(asyncio.to_thread(work), 20)


@pytest.fixture
async def gmail(google: Google) -> AsyncIterator[Any]:
    """A googleapiclient service, built from the emulator's own discovery document."""
    tokens = await google.control("POST", f"people/{ALICE}/tokens", {"scopes": [FULL]})
    document = (await google.request("GET", "/discovery/v1/apis/gmail/v1/rest")).json
    credentials = Credentials(token=tokens["access_token"])  # type: ignore[no-untyped-call]
    service = build_from_document(document, credentials=credentials)
    yield service
    service.close()


@pytest.fixture
async def calendar(google: Google) -> AsyncIterator[Any]:
    """The same for Calendar."""
    tokens = await google.control("POST", f"people/{ALICE}/tokens", {"scopes": [CALENDAR]})
    document = (await google.request("GET", "/discovery/v1/apis/calendar/v3/rest")).json
    credentials = Credentials(token=tokens["access_token"])  # type: ignore[no-untyped-call]
    service = build_from_document(document, credentials=credentials)
    yield service
    service.close()


@pytest.fixture
async def people(google: Google) -> AsyncIterator[Any]:
    """The same for People."""
    tokens = await google.control("POST", f"people/{ALICE}/tokens", {"scopes": [CONTACTS]})
    document = (await google.request("GET", "/discovery/v1/apis/people/v1/rest")).json
    credentials = Credentials(token=tokens["access_token"])  # type: ignore[no-untyped-call]
    service = build_from_document(document, credentials=credentials)
    yield service
    service.close()


async def consented(google: Google, monkeypatch: pytest.MonkeyPatch) -> tuple[Flow, str]:
    """A flow whose person has said yes, and the code they came back with."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")  # loopback speaks plain http
    config = {
        "web": {
            "client_id": DEFAULT_CLIENT_ID,
            "client_secret": DEFAULT_CLIENT_SECRET,
            "auth_uri": f"{google.origin}/o/oauth2/v2/auth",
            "token_uri": f"{google.origin}/token",
        }
    }
    flow = Flow.from_client_config(config, scopes=SCOPES, redirect_uri=REDIRECT)
    url, _ = flow.authorization_url(access_type="offline")
    page = await google.request("GET", url.removeprefix(google.origin))
    back = await decide(google, page.text, scope=[MODIFY])
    return flow, back["code"]


async def test_the_flow_of_google_auth_oauthlib_ends_with_credentials(
    google: Google, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow, code = await consented(google, monkeypatch)

    await in_thread(lambda: flow.fetch_token(code=code))

    with flow.oauth2session as session:
        assert set(session.token["scope"]) == set(SCOPES)
        assert flow.credentials.refresh_token


async def test_google_auth_verifies_the_id_token_against_our_certs(
    google: Google, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow, code = await consented(google, monkeypatch)
    token = await in_thread(lambda: flow.fetch_token(code=code))
    flow.oauth2session.close()

    def verify() -> Any:
        with requests.Session() as session:
            return id_token.verify_token(
                token["id_token"],
                Request(session),
                audience=DEFAULT_CLIENT_ID,
                certs_url=f"{google.origin}/oauth2/v1/certs",
            )

    claims = await in_thread(verify)

    assert claims["email"] == ALICE
    assert claims["iss"] == "https://accounts.google.com"
    person = await google.control("GET", f"people/{ALICE}")
    assert claims["sub"] == person["sub"]


async def test_google_auth_refreshes_and_learns_of_a_revocation(google: Google) -> None:
    tokens = await google.control("POST", f"people/{ALICE}/tokens", {"scopes": SCOPES})
    credentials = Credentials(  # type: ignore[no-untyped-call]
        token=None,
        refresh_token=tokens["refresh_token"],
        token_uri=f"{google.origin}/token",
        client_id=DEFAULT_CLIENT_ID,
        client_secret=DEFAULT_CLIENT_SECRET,
    )

    def refresh() -> None:
        with requests.Session() as session:
            credentials.refresh(Request(session))  # type: ignore[no-untyped-call]

    await in_thread(refresh)
    assert credentials.valid
    await google.control("POST", f"people/{ALICE}/grants", {"action": "revoke"})
    with pytest.raises(RefreshError, match="invalid_grant"):
        await in_thread(refresh)


async def test_google_auth_verifies_a_push(google: Google, receiver: Receiver) -> None:
    mail = await google.mailbox()
    await google.set_up_push(receiver.url)
    await mail.post("watch", {"topicName": TOPIC})
    await eventually(lambda: receiver.tokens)

    def verify() -> Any:
        with requests.Session() as session:
            return id_token.verify_token(
                str(receiver.tokens[0]),
                Request(session),
                audience="the-audience",
                certs_url=f"{google.origin}/oauth2/v1/certs",
            )

    assert (await in_thread(verify))["email_verified"] is True


async def test_the_client_is_built_from_our_discovery_service(google: Google) -> None:
    url = f"{google.origin}/discovery/v1/apis/{{api}}/{{apiVersion}}/rest"

    def built() -> str:
        http = httplib2.Http(timeout=10)
        service = build("gmail", "v1", http=http, discoveryServiceUrl=url, static_discovery=False)
        http.close()
        return str(service._baseUrl)  # noqa: SLF001 - the only place where the root shows

    assert await in_thread(built) == f"{google.origin}/"


async def test_the_client_sends_reads_and_lists(gmail: Any) -> None:
    def work() -> Any:
        messages = gmail.users().messages()
        sent = messages.send(userId="me", body={"raw": raw("Offer")}).execute()
        shown = messages.get(userId="me", id=sent["id"]).execute()
        return shown, messages.list(userId="me", q="subject:offer").execute()

    shown, listed = await in_thread(work)

    assert shown["labelIds"] == ["SENT"]
    assert listed["messages"][0]["id"] == shown["id"]


async def test_the_client_walks_pages(google: Google, gmail: Any) -> None:
    await google.arrive(count=5)

    def work() -> list[str]:
        messages, found = gmail.users().messages(), []
        request = messages.list(userId="me", maxResults=2)
        while request is not None:
            page = request.execute()
            found += [message["id"] for message in page["messages"]]
            request = messages.list_next(request, page)
        return found

    assert len(set(await in_thread(work))) == 5


@pytest.mark.parametrize("resumable", [False, True])
async def test_the_client_uploads_a_file(gmail: Any, resumable: bool) -> None:  # noqa: FBT001 - a table's column
    content = base64.urlsafe_b64decode(raw("Upload"))
    media = MediaInMemoryUpload(content, mimetype="message/rfc822", resumable=resumable)

    def work() -> Any:
        messages = gmail.users().messages()
        made = messages.insert(userId="me", body={"labelIds": ["INBOX"]}, media_body=media)
        return messages.get(userId="me", id=made.execute()["id"], format="raw").execute()

    shown = await in_thread(work)

    assert base64.urlsafe_b64decode(shown["raw"]) == content
    assert shown["labelIds"] == ["INBOX"]


async def test_the_client_batches(google: Google, gmail: Any) -> None:
    ids = (await google.arrive(count=3))["ids"]
    answers: dict[str, Any] = {}

    def keep(request_id: str, response: Any, error: HttpError | None) -> None:
        answers[request_id] = error or response["id"]

    def work() -> None:
        batch: BatchHttpRequest = gmail.new_batch_http_request(callback=keep)
        for message_id in [*ids, "1234567890abcdef"]:
            request = gmail.users().messages().get(userId="me", id=message_id)
            batch.add(request, request_id=message_id)
        batch.execute()

    await in_thread(work)

    missing = answers.pop("1234567890abcdef")
    assert answers == {message_id: message_id for message_id in ids}
    assert missing.status_code == 404


async def test_the_client_sends_long_queries_as_a_form(google: Google, gmail: Any) -> None:
    await google.arrive(subject="needle")
    query = "subject:needle " + " ".join(f"-word{n}" for n in range(400))

    found = await in_thread(lambda: gmail.users().messages().list(userId="me", q=query).execute())

    assert found["resultSizeEstimate"] == 1


async def test_the_client_reads_our_errors(gmail: Any) -> None:
    history = gmail.users().history()

    with pytest.raises(HttpError) as caught:
        await in_thread(lambda: history.list(userId="me", startHistoryId="1").execute())

    assert caught.value.status_code == 404
    assert "Requested entity was not found." in str(caught.value)


async def test_the_client_keeps_a_calendar_in_step(calendar: Any) -> None:
    def pages(**query: Any) -> tuple[list[Any], str]:
        events, found = calendar.events(), []
        request = events.list(calendarId="primary", maxResults=2, **query)
        while request is not None:
            page = request.execute()
            found += page["items"]
            request = events.list_next(request, page)
        return found, page["nextSyncToken"]

    def work() -> Any:
        events = calendar.events()
        made = [events.insert(calendarId="primary", body=HOUR).execute() for _ in range(3)]
        everything, token = pages()
        events.patch(calendarId="primary", eventId=made[0]["id"], body={"summary": "N"}).execute()
        events.delete(calendarId="primary", eventId=made[1]["id"]).execute()
        changes, _ = pages(syncToken=token)
        return len(everything), [(event["id"], event["status"]) for event in changes], made

    count, changes, made = await in_thread(work)

    assert count == 3
    assert changes == [(made[0]["id"], "confirmed"), (made[1]["id"], "cancelled")]


async def test_the_client_gives_etags_and_reads_calendars_errors(calendar: Any) -> None:
    def work() -> Any:
        events = calendar.events()
        made = events.insert(calendarId="primary", body=HOUR).execute()
        request = events.patch(calendarId="primary", eventId=made["id"], body={"summary": "N"})
        request.headers["If-Match"] = '"1"'
        request.execute()

    with pytest.raises(HttpError) as caught:
        await in_thread(work)

    assert caught.value.status_code == 412
    assert caught.value.error_details[0]["reason"] == "conditionNotMet"


async def test_the_client_batches_calendar_calls(calendar: Any) -> None:
    answers: dict[str, Any] = {}

    def keep(request_id: str, response: Any, error: HttpError | None) -> None:
        answers[request_id] = error or response["summary"]

    def work() -> None:
        batch: BatchHttpRequest = calendar.new_batch_http_request(callback=keep)
        for name in ("one", "two"):
            body = {**HOUR, "summary": name}
            batch.add(calendar.events().insert(calendarId="primary", body=body), request_id=name)
        batch.execute()

    await in_thread(work)

    assert answers == {"one": "one", "two": "two"}


async def test_the_client_watches_and_stops(
    google: Google, calendar: Any, channel: Channel
) -> None:
    body = {"id": "one", "type": "web_hook", "address": channel.url}

    def work() -> Any:
        made = calendar.events().watch(calendarId="primary", body=body).execute()
        stop = {"id": made["id"], "resourceId": made["resourceId"]}
        return made, calendar.channels().stop(body=stop).execute()

    made, stopped = await in_thread(work)

    await eventually(lambda: channel.states == ["sync"])
    assert made["kind"] == "api#channel"
    assert stopped == ""
    assert (await google.control("GET", "notifications"))["channels"] == []


async def test_the_client_keeps_contacts_in_step(people: Any) -> None:
    def pages(**query: Any) -> tuple[list[Any], str]:
        connections, found = people.people().connections(), []
        wanted = {"resourceName": "people/me", "personFields": "names,metadata", "pageSize": 2}
        request = connections.list(**wanted, requestSyncToken=True, **query)
        while request is not None:
            page = request.execute()
            found += page.get("connections", [])
            request = connections.list_next(request, page)
        return found, page["nextSyncToken"]

    def work() -> Any:
        api = people.people()
        body = {"names": [{"givenName": "Ann"}]}
        made = [api.createContact(body=body).execute() for _ in range(3)]
        everything, token = pages()
        changed = {**made[0], "nicknames": [{"value": "Annie"}]}
        name = made[0]["resourceName"]
        api.updateContact(resourceName=name, updatePersonFields="nicknames", body=changed).execute()
        api.deleteContact(resourceName=made[1]["resourceName"]).execute()
        changes, _ = pages(syncToken=token)
        return len(everything), changes, made

    count, changes, made = await in_thread(work)

    assert count == 3
    assert [one["resourceName"] for one in changes] == [one["resourceName"] for one in made[:2]]
    assert [one["metadata"].get("deleted", False) for one in changes] == [False, True]


async def test_the_client_reads_the_refusal_of_a_stale_etag(people: Any) -> None:
    def work() -> Any:
        api = people.people()
        made = api.createContact(body={"names": [{"givenName": "Ann"}]}).execute()
        update = {"resourceName": made["resourceName"], "updatePersonFields": "names"}
        api.updateContact(**update, body=made).execute()
        api.updateContact(**update, body=made).execute()

    with pytest.raises(HttpError) as caught:
        await in_thread(work)

    assert caught.value.status_code == 400
    assert "different than the current person.etag" in caught.value.reason


async def test_the_client_gets_many_contacts_with_one_long_query(people: Any) -> None:
    def work() -> Any:
        api = people.people()
        contacts = [{"contactPerson": {"names": [{"givenName": f"P{n}"}]}} for n in range(200)]
        body = {"contacts": contacts, "readMask": "names"}
        made = api.batchCreateContacts(body=body).execute()["createdPeople"]
        names = [one["person"]["resourceName"] for one in made]
        found = api.getBatchGet(resourceNames=names, personFields="names").execute()
        return names, found["responses"]

    names, responses = await in_thread(work)

    assert [one["person"]["resourceName"] for one in responses] == names


async def test_the_client_works_with_groups(people: Any) -> None:
    def work() -> Any:
        groups = people.contactGroups()
        made = people.people().createContact(body={"names": [{"givenName": "Ann"}]}).execute()
        group = groups.create(body={"contactGroup": {"name": "Clients"}}).execute()
        name, member = group["resourceName"], made["resourceName"]
        groups.members().modify(resourceName=name, body={"resourceNamesToAdd": [member]}).execute()
        return member, groups.get(resourceName=name, maxMembers=5).execute()

    member, group = await in_thread(work)

    assert group["memberResourceNames"] == [member]


async def test_the_client_batches_people_calls(people: Any) -> None:
    answers: list[Any] = []

    def work() -> None:
        batch: BatchHttpRequest = people.new_batch_http_request(
            callback=lambda _id, response, error: answers.append(error or response)
        )
        for name in ("people/me", "people/c404"):
            batch.add(people.people().get(resourceName=name, personFields="names"))
        batch.execute()

    await in_thread(work)

    assert answers[0]["names"]
    assert answers[1].status_code == 404
