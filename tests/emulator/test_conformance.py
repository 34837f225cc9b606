"""Every Gmail answer, walked against Google's discovery document."""

from typing import Any

import pytest

from emulator.rest import documents, schemas
from emulator.rest.dispatch import ConformanceError, check
from emulator.rest.methods import MethodTable
from tests.emulator.google import TOPIC, Google, Mail, raw

TABLE = MethodTable(documents.load("gmail", "v1"))


async def walked(mail: Mail, method: str, path: str, **options: Any) -> Any:
    """Call, and hold the bytes on the wire against the method's response schema."""
    answer = await mail.call(method, path, **options)
    assert answer.status in {200, 204}, answer.text
    found = TABLE.find(method, f"/gmail/v1/users/me/{path}")
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
