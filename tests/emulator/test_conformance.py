"""Every answer of Gmail, Calendar and People, walked against Google's discovery documents."""

from typing import Any

import pytest

from emulator.rest import documents, schemas
from emulator.rest.dispatch import ConformanceError, check
from emulator.rest.methods import MethodTable
from tests.emulator.google import (
    ALICE,
    BOB,
    CONTACTS,
    FIELDS,
    HOUR,
    TOPIC,
    WEEKLY,
    Diary,
    Google,
    Mail,
    Rolodex,
    raw,
)

TABLE = MethodTable(
    documents.load("gmail", "v1"), documents.load("calendar", "v3"), documents.load("people", "v1")
)
ROOTS = {Mail: "/gmail/v1/users/me/", Diary: "/calendar/v3/", Rolodex: "/v1/"}


async def walked(client: Mail | Diary | Rolodex, method: str, path: str, **options: Any) -> Any:
    """Call, and hold the bytes on the wire against the method's response schema."""
    answer = await client.call(method, path, **options)
    assert answer.status in {200, 204}, answer.text
    found = TABLE.find(method, ROOTS[type(client)] + path.partition("?")[0])
    assert found
    if answer.status == 204:
        assert found[0].response is None
        return None
    assert found[0].response
    faults = schemas.problems(
        answer.json, found[0].response, found[0].document["schemas"], lenient=False
    )
    assert faults == []
    return answer.json


async def test_reading_conforms(google: Google, mail: Mail) -> None:
    start = (await walked(mail, "GET", "profile"))["historyId"]
    file = {"filename": "a.pdf", "content": "eA==", "mime_type": "application/pdf"}
    arrived = await google.arrive(text="x", html="<b>x</b>", attachments=[file])
    path = f"messages/{arrived['id']}"
    for form in ("full", "metadata", "minimal", "raw"):
        shown = await walked(mail, "GET", path, params={"format": form})
        if form == "full":
            attachment = shown["payload"]["parts"][1]["body"]["attachmentId"]
    await walked(mail, "GET", f"{path}/attachments/{attachment}")
    await walked(mail, "GET", "messages")
    await walked(mail, "GET", "threads")
    await walked(mail, "GET", f"threads/{arrived['threadId']}")
    await google.edit(arrived["id"], "star")
    await google.edit(arrived["id"], "read")
    await google.edit(arrived["id"], "delete")
    await walked(mail, "GET", "history", params={"startHistoryId": start})


async def test_writing_conforms(mail: Mail) -> None:
    sent = await walked(mail, "POST", "messages/send", json={"raw": raw()})
    await walked(mail, "POST", "messages/import", json={"raw": raw()})
    put = await walked(mail, "POST", "messages", json={"raw": raw(), "labelIds": ["INBOX"]})
    path = f"messages/{put['id']}"
    await walked(mail, "POST", f"{path}/modify", json={"addLabelIds": ["STARRED"]})
    await walked(mail, "POST", f"{path}/trash")
    await walked(mail, "POST", f"{path}/untrash")
    ids = {"ids": [put["id"]], "addLabelIds": ["UNREAD"]}
    await walked(mail, "POST", "messages/batchModify", json=ids)
    await walked(
        mail, "POST", f"threads/{sent['threadId']}/modify", json={"addLabelIds": ["INBOX"]}
    )
    await walked(mail, "POST", f"threads/{sent['threadId']}/trash")
    await walked(mail, "DELETE", path)


async def test_labels_and_drafts_conform(mail: Mail) -> None:
    color = {"textColor": "#000000", "backgroundColor": "#ffffff"}
    label = await walked(mail, "POST", "labels", json={"name": "CRM", "color": color})
    await walked(mail, "GET", "labels")
    await walked(mail, "GET", f"labels/{label['id']}")
    await walked(mail, "PUT", f"labels/{label['id']}", json={"name": "CRM two"})
    await walked(mail, "PATCH", f"labels/{label['id']}", json={"labelListVisibility": "labelHide"})
    await walked(mail, "DELETE", f"labels/{label['id']}")
    draft = await walked(mail, "POST", "drafts", json={"message": {"raw": raw()}})
    await walked(mail, "GET", "drafts")
    await walked(mail, "GET", f"drafts/{draft['id']}")
    await walked(mail, "PUT", f"drafts/{draft['id']}", json={"message": {"raw": raw("Two")}})
    await walked(mail, "POST", "drafts/send", json={"id": draft["id"]})


async def test_watching_conforms(mail: Mail) -> None:
    await walked(mail, "POST", "watch", json={"topicName": TOPIC})
    await walked(mail, "POST", "stop")


EVENT = {
    **HOUR,
    "description": "About it",
    "location": "Bern",
    "colorId": "3",
    "attendees": [{"email": BOB, "optional": True, "additionalGuests": 2}],
    "extendedProperties": {"private": {"a": "1"}, "shared": {"b": "2"}},
    "reminders": {"useDefault": False, "overrides": [{"method": "popup", "minutes": 5}]},
    "conferenceData": {"createRequest": {"requestId": "one"}},
    "attachments": [{"fileUrl": "https://drive.example.net/1", "title": "Plan"}],
    "source": {"title": "CRM", "url": "https://crm.example.net/1"},
    "guestsCanInviteOthers": False,
    "transparency": "transparent",
    "visibility": "private",
}


async def test_events_conform(google: Google, diary: Diary) -> None:
    await google.control("POST", "people", {"email": BOB})
    events = "calendars/primary/events"
    full = f"{events}?conferenceDataVersion=1&supportsAttachments=true&sendUpdates=all"
    made = await walked(diary, "POST", full, json=EVENT)
    path = f"{events}/{made['id']}"
    shown = await walked(diary, "GET", path)
    assert shown["hangoutLink"]
    await walked(diary, "PATCH", path, json={"summary": "New"})
    await walked(diary, "PUT", path, json=EVENT)
    series = await walked(diary, "POST", events, json=WEEKLY)
    instances = await walked(diary, "GET", f"{events}/{series['id']}/instances")
    await walked(diary, "DELETE", f"{events}/{instances['items'][1]['id']}")
    first = await walked(diary, "GET", f"{events}?maxResults=1")
    await walked(diary, "GET", f"{events}?maxResults=1&pageToken={first['nextPageToken']}")
    whole = await walked(diary, "GET", events)
    await walked(diary, "DELETE", path)
    changes = await walked(diary, "GET", f"{events}?syncToken={whole['nextSyncToken']}")
    assert [event["status"] for event in changes["items"]] == ["cancelled"]
    await walked(diary, "GET", f"{events}?singleEvents=true&orderBy=startTime")
    far = {**HOUR, "iCalUID": "far@example.net"}
    imported = await walked(diary, "POST", f"{events}/import", json=far)
    other = await walked(diary, "POST", "calendars", json={"summary": "Team"})
    await walked(diary, "POST", f"{events}/{imported['id']}/move?destination={other['id']}")


async def test_calendars_conform(diary: Diary) -> None:
    made = await walked(diary, "POST", "calendars", json={"summary": "T", "description": "Ours"})
    path, entry = f"calendars/{made['id']}", f"users/me/calendarList/{made['id']}"
    await walked(diary, "GET", path)
    await walked(diary, "PATCH", path, json={"location": "Bern"})
    await walked(diary, "PUT", path, json={"summary": "U"})
    reminders = [{"method": "popup", "minutes": 10}]
    await walked(diary, "PATCH", entry, json={"hidden": True, "defaultReminders": reminders})
    await walked(diary, "PUT", entry, json={"summaryOverride": "V"})
    await walked(diary, "GET", entry)
    await walked(diary, "POST", "users/me/calendarList", json={"id": made["id"]})
    await walked(diary, "GET", "users/me/calendarList")
    await walked(diary, "DELETE", path)
    await walked(diary, "GET", "users/me/calendarList?showDeleted=true")
    await walked(diary, "POST", "calendars/primary/clear")
    await walked(diary, "GET", "users/me/settings")
    await walked(diary, "GET", "users/me/settings/timezone")
    query = {
        "timeMin": "2026-03-01T00:00:00Z",
        "timeMax": "2026-04-01T00:00:00Z",
        "items": [{"id": "primary"}, {"id": "nobody@example.com"}],
    }
    await walked(diary, "POST", "freeBusy", json=query)


async def test_channels_conform(google: Google, diary: Diary) -> None:
    await google.control("PUT", "notifications", {"paused": True})
    body = {"id": "one", "type": "web_hook", "address": "http://127.0.0.1:9/x", "token": "t"}
    made = await walked(diary, "POST", "calendars/primary/events/watch", json=body)
    await walked(diary, "POST", "users/me/calendarList/watch", json={**body, "id": "two"})
    stop = {"id": made["id"], "resourceId": made["resourceId"]}
    await walked(diary, "POST", "channels/stop", json=stop)


PERSON = {
    "names": [{"givenName": "Ann", "familyName": "Lee", "honorificPrefix": "Dr"}],
    "emailAddresses": [{"value": "ann@example.net", "type": "work"}, {"value": "a@example.net"}],
    "phoneNumbers": [{"value": "+41791234567", "type": "mobile"}],
    "addresses": [{"streetAddress": "Rue 1", "city": "Geneva", "type": "home"}],
    "organizations": [{"name": "Acme", "title": "Head", "startDate": {"year": 2020}}],
    "birthdays": [{"date": {"year": 1980, "month": 2, "day": 3}}],
    "events": [{"date": {"year": 2010, "month": 6, "day": 5}, "type": "anniversary"}],
    "biographies": [{"value": "Notes", "contentType": "TEXT_PLAIN"}],
    "genders": [{"value": "female"}],
    "imClients": [{"username": "ann", "protocol": "jabber"}],
    "urls": [{"value": "https://example.net", "type": "homePage"}],
    "userDefined": [{"key": "loyalty", "value": "gold"}],
    "clientData": [{"key": "crm", "value": "7"}],
}


async def test_contacts_conform(google: Google) -> None:
    other = "https://www.googleapis.com/auth/contacts.other.readonly"
    rolodex = await google.rolodex(CONTACTS, other)
    made = await walked(rolodex, "POST", "people:createContact", json=PERSON)
    path = made["resourceName"]
    await walked(rolodex, "GET", f"{path}?personFields={FIELDS}")
    await walked(rolodex, "GET", f"people/me?personFields={FIELDS}")
    names = f"resourceNames={path}&resourceNames=people/c404"
    await walked(rolodex, "GET", f"people:batchGet?personFields={FIELDS}&{names}")
    lists = f"people/me/connections?personFields={FIELDS}&requestSyncToken=true"
    token = (await walked(rolodex, "GET", lists))["nextSyncToken"]
    new = await walked(
        rolodex, "PATCH", f"{path}:updateContact?updatePersonFields=nicknames", json=made
    )
    body = {"contacts": {path: new}, "updateMask": "urls", "readMask": FIELDS}
    await walked(rolodex, "POST", "people:batchUpdateContacts", json=body)
    many = {"contacts": [{"contactPerson": PERSON}], "readMask": FIELDS}
    batch = await walked(rolodex, "POST", "people:batchCreateContacts", json=many)
    gone = {"resourceNames": [batch["createdPeople"][0]["person"]["resourceName"]]}
    await walked(rolodex, "POST", "people:batchDeleteContacts", json=gone)
    await rolodex.edit(made, "rename", name="people/c77")
    changes = await walked(rolodex, "GET", f"{lists}&syncToken={token}")
    assert len(changes["connections"]) == 2
    await walked(rolodex, "GET", f"people:searchContacts?query=&readMask={FIELDS}")
    found = await walked(rolodex, "GET", f"people:searchContacts?query=ann&readMask={FIELDS}")
    assert found["results"]
    await walked(rolodex, "DELETE", "people/c77:deleteContact")
    contact = {"contact": {"names": [{"givenName": "Seen"}]}, "other": True}
    await google.control("POST", f"people/{ALICE}/contacts", contact)
    await walked(rolodex, "GET", "otherContacts:search?query=see&readMask=names")
    others = await walked(rolodex, "GET", "otherContacts?readMask=names&requestSyncToken=true")
    copy = f"{others['otherContacts'][0]['resourceName']}:copyOtherContactToMyContactsGroup"
    await walked(rolodex, "POST", copy, json={"copyMask": "names"})


async def test_contact_groups_conform(rolodex: Rolodex) -> None:
    body = {"contactGroup": {"name": "Clients", "clientData": [{"key": "crm", "value": "7"}]}}
    made = await walked(rolodex, "POST", "contactGroups", json=body)
    path = made["resourceName"]
    token = (await walked(rolodex, "GET", "contactGroups"))["nextSyncToken"]
    ann = await rolodex.create()
    joins = {"resourceNamesToAdd": [ann["resourceName"], "people/c404"]}
    await walked(rolodex, "POST", f"{path}/members:modify", json=joins)
    every = "groupFields=clientData,groupType,memberCount,metadata,name&maxMembers=5"
    await walked(rolodex, "GET", f"{path}?{every}")
    names = f"resourceNames={path}&resourceNames=contactGroups/none"
    await walked(rolodex, "GET", f"contactGroups:batchGet?{every}&{names}")
    await walked(rolodex, "PUT", path, json={"contactGroup": {"name": "Customers"}})
    await walked(rolodex, "DELETE", path)
    changes = await walked(rolodex, "GET", f"contactGroups?syncToken={token}")
    assert changes["contactGroups"][0]["metadata"]["deleted"] is True


def found(path: str) -> Any:
    match = TABLE.find("GET", path)
    assert match
    return match[0]


@pytest.mark.parametrize(
    "answer",
    [
        {"historyId": 7},
        {"messagesTotal": "7"},
        {"messagesTotal": 2**31},
        {"emailAddress": None},
        {"unheardOf": True},
        [],
    ],
)
def test_an_answer_that_does_not_conform_is_never_given(answer: Any) -> None:
    with pytest.raises(ConformanceError):
        check(found("/gmail/v1/users/me/profile"), answer)


def test_base64_and_enums_are_held_against_the_document() -> None:
    message, label = found("/gmail/v1/users/me/messages/1"), found("/gmail/v1/users/me/labels/1")

    with pytest.raises(ConformanceError):
        check(message, {"raw": "not base64!"})
    with pytest.raises(ConformanceError):
        check(label, {"type": "neither"})


async def test_the_documents_are_served_under_this_origin(google: Google) -> None:
    listed = (await google.request("GET", "/discovery/v1/apis")).json

    for item in listed["items"]:
        path = item["discoveryRestUrl"].removeprefix(google.origin)
        document = (await google.request("GET", path)).json
        assert document["rootUrl"] == f"{google.origin}/"
        assert document["baseUrl"].startswith(google.origin)
        assert "mtlsRootUrl" not in document
    own = await google.request("GET", "/$discovery/rest", params={"version": "v1"})
    assert own.json["id"] == "gmail:v1"


async def test_an_api_that_is_not_emulated_has_no_document(google: Google) -> None:
    for path in ("/discovery/v1/apis/drive/v3/rest", "/$discovery/rest?version=v9"):
        assert (await google.request("GET", path)).status == 404
