import base64
import json
from typing import Any

import pytest

from tests.emulator.google import ALICE, BOB, FULL, MODIFY, Google, Mail, raw

RAW = base64.urlsafe_b64decode(raw(Message_ID="<ours@crm.example>"))


async def headers_of(mail: Mail, message_id: str) -> dict[str, str]:
    shown = await mail.get(f"messages/{message_id}", format="metadata")
    return {h["name"]: h["value"] for h in shown["payload"]["headers"]}


async def test_a_sent_message_is_kept_under_sent(mail: Mail) -> None:
    sent = await mail.post("messages/send", {"raw": raw("Offer")})

    assert sent["labelIds"] == ["SENT"]
    assert (await headers_of(mail, sent["id"]))["Subject"] == "Offer"


async def test_a_sent_message_gets_gmails_own_message_id(mail: Mail) -> None:
    sent = await mail.post("messages/send", {"raw": raw(Message_ID="<ours@crm.example>")})

    assert (await headers_of(mail, sent["id"]))["Message-ID"].endswith("@mail.gmail.com>")


async def test_the_message_id_is_kept_when_the_switch_says_so(google: Google, mail: Mail) -> None:
    await google.control("PUT", "settings", {"replace_message_id": False})

    sent = await mail.post("messages/send", {"raw": raw(Message_ID="<ours@crm.example>")})

    assert (await headers_of(mail, sent["id"]))["Message-ID"] == "<ours@crm.example>"


async def test_mail_to_somebody_here_arrives_without_bcc(google: Google, mail: Mail) -> None:
    await google.control("POST", "people", {"email": BOB})
    message = raw("For Bob", To=BOB, Bcc="carol@example.net")

    await mail.post("messages/send", {"raw": message})

    bob = await google.mailbox(email=BOB)
    (arrived,) = (await bob.get("messages", labelIds="INBOX"))["messages"]
    shown = await headers_of(bob, arrived["id"])
    assert shown["Subject"] == "For Bob"
    assert "Bcc" not in shown


async def test_mail_to_oneself_is_sent_and_received(mail: Mail) -> None:
    sent = await mail.post("messages/send", {"raw": raw(To=ALICE)})

    shown = await mail.get(f"messages/{sent['id']}", format="minimal")
    assert set(shown["labelIds"]) == {"SENT", "INBOX", "UNREAD"}


async def test_a_reply_joins_its_thread_only_with_headers_and_subject(
    google: Google, mail: Mail
) -> None:
    first = await google.arrive(subject="Plan")
    good = raw("Re: Plan", References=first["messageId"], In_Reply_To=first["messageId"])

    joined = await mail.post("messages/send", {"raw": good, "threadId": first["threadId"]})
    alone = await mail.post("messages/send", {"raw": raw("Re: Plan"), "threadId": first["id"]})

    assert joined["threadId"] == first["threadId"]
    assert alone["threadId"] == alone["id"]


async def test_an_unknown_thread_is_not_found(mail: Mail) -> None:
    body = {"raw": raw(), "threadId": "1234567890abcdef"}

    assert (await mail.call("POST", "messages/send", json=body)).status == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"raw": "***"},
        {"raw": base64.urlsafe_b64encode(b"Subject: to nobody\r\n\r\nx").decode()},
        {"raw": 7},
        {"unheardOf": True},
    ],
)
async def test_a_faulty_send_is_refused_and_leaves_nothing(mail: Mail, body: Any) -> None:
    answer = await mail.call("POST", "messages/send", json=body)

    assert (answer.status, answer.reason) == (400, "invalidArgument")
    assert (await mail.get("profile"))["messagesTotal"] == 0


async def test_a_body_that_is_no_json_is_a_parse_error(mail: Mail) -> None:
    answer = await mail.call("POST", "messages/send", data=b"{")

    assert (answer.status, answer.reason) == (400, "parseError")


async def test_insert_keeps_labels_and_message_id(mail: Mail) -> None:
    body = {"raw": raw(Message_ID="<ours@crm.example>"), "labelIds": ["INBOX", "UNREAD"]}

    made = await mail.post("messages", body)

    assert made["labelIds"] == ["INBOX", "UNREAD"]
    assert (await headers_of(mail, made["id"]))["Message-ID"] == "<ours@crm.example>"


async def test_import_dates_the_message_by_its_header(mail: Mail) -> None:
    message = raw(Date="Thu, 01 Feb 2024 00:00:00 +0000")

    made = await mail.post("messages/import", {"raw": message})
    shown = await mail.get(f"messages/{made['id']}", format="minimal")

    assert shown["internalDate"] == "1706745600000"


async def test_modify_changes_labels(google: Google, mail: Mail) -> None:
    arrived = await google.arrive()
    body = {"addLabelIds": ["STARRED"], "removeLabelIds": ["UNREAD"]}

    changed = await mail.post(f"messages/{arrived['id']}/modify", body)

    assert changed["labelIds"] == ["INBOX", "STARRED"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"addLabelIds": ["SENT"]},
        {"removeLabelIds": ["DRAFT"]},
        {"addLabelIds": ["Label_404"]},
        {"addLabelIds": ["STARRED"], "removeLabelIds": ["STARRED"]},
        {"addLabelIds": [f"Label_{n}" for n in range(101)]},
    ],
)
async def test_a_faulty_modify_changes_nothing(google: Google, mail: Mail, body: Any) -> None:
    arrived = await google.arrive()

    answer = await mail.call("POST", f"messages/{arrived['id']}/modify", json=body)

    assert answer.status == 400
    assert await mail.history_id() == arrived["historyId"]


async def test_batch_modify_passes_over_unknown_ids(google: Google, mail: Mail) -> None:
    arrived = await google.arrive()
    body = {"ids": [arrived["id"], "1234567890abcdef"], "removeLabelIds": ["UNREAD"]}

    answer = await mail.call("POST", "messages/batchModify", json=body)

    assert (answer.status, answer.text) == (204, "")
    shown = await mail.get(f"messages/{arrived['id']}", format="minimal")
    assert shown["labelIds"] == ["INBOX"]


async def test_a_batch_takes_a_thousand_ids(mail: Mail) -> None:
    body = {"ids": ["1234567890abcdef"] * 1001, "addLabelIds": ["STARRED"]}

    assert (await mail.call("POST", "messages/batchModify", json=body)).status == 400


async def test_trash_and_untrash(google: Google, mail: Mail) -> None:
    arrived = await google.arrive()

    assert "TRASH" in (await mail.post(f"messages/{arrived['id']}/trash"))["labelIds"]
    assert "TRASH" not in (await mail.post(f"messages/{arrived['id']}/untrash"))["labelIds"]


async def test_batch_delete_needs_the_full_scope(google: Google) -> None:
    arrived = await google.arrive()
    mail = await google.mailbox(FULL, MODIFY)

    answer = await mail.call("POST", "messages/batchDelete", json={"ids": [arrived["id"]]})

    assert answer.status == 204
    assert (await mail.get("profile"))["messagesTotal"] == 0


async def test_labels_are_made_renamed_counted_and_removed(google: Google, mail: Mail) -> None:
    made = await mail.post("labels", {"name": "CRM"})
    path = f"labels/{made['id']}"
    await google.arrive(labels=["INBOX", "UNREAD", made["id"]])

    renamed = await mail.call("PATCH", path, json={"name": "CRM/Leads"})
    counted = await mail.get(path)
    await mail.call("DELETE", path)

    assert renamed.json["name"] == "CRM/Leads"
    assert (counted["messagesTotal"], counted["messagesUnread"]) == (1, 1)
    assert made["id"] not in {label["id"] for label in (await mail.get("labels"))["labels"]}
    (left,) = (await mail.get("messages"))["messages"]
    shown = await mail.get(f"messages/{left['id']}", format="minimal")
    assert shown["labelIds"] == ["INBOX", "UNREAD"]


async def test_a_label_name_is_taken_once(mail: Mail) -> None:
    await mail.post("labels", {"name": "CRM"})

    answer = await mail.call("POST", "labels", json={"name": "crm"})

    assert (answer.status, answer.reason) == (409, "aborted")


async def test_system_labels_stay(mail: Mail) -> None:
    assert (await mail.call("DELETE", "labels/INBOX")).status == 400
    assert (await mail.call("GET", "labels/Label_404")).status == 404


async def test_a_draft_keeps_its_id_while_the_message_is_replaced(mail: Mail) -> None:
    made = await mail.post("drafts", {"message": {"raw": raw("One")}})

    body = {"message": {"raw": raw("Two")}}
    updated = (await mail.call("PUT", f"drafts/{made['id']}", json=body)).json

    assert updated["id"] == made["id"]
    assert updated["message"]["id"] != made["message"]["id"]
    assert updated["message"]["threadId"] == made["message"]["threadId"]
    shown = await mail.get(f"drafts/{made['id']}")
    assert shown["message"]["labelIds"] == ["DRAFT"]
    assert (await mail.get("profile"))["messagesTotal"] == 1


async def test_sending_a_draft_ends_it_and_makes_a_new_message(mail: Mail) -> None:
    made = await mail.post("drafts", {"message": {"raw": raw(X_Causeway_Send="7")}})
    start = await mail.history_id()

    sent = await mail.post("drafts/send", {"id": made["id"]})

    assert sent["labelIds"] == ["SENT"]
    assert sent["id"] != made["message"]["id"]
    assert (await headers_of(mail, sent["id"]))["X-Causeway-Send"] == "7"
    assert (await mail.call("GET", f"drafts/{made['id']}")).status == 404
    records = (await mail.get("history", startHistoryId=start))["history"]
    kinds = [name for r in records for name in r if name.startswith("messages") and name[8:]]
    assert sorted(kinds) == ["messagesAdded", "messagesDeleted"]


async def test_a_draft_takes_no_other_label(mail: Mail) -> None:
    made = await mail.post("drafts", {"message": {"raw": raw()}})

    path = f"messages/{made['message']['id']}/modify"
    answer = await mail.call("POST", path, json={"addLabelIds": ["STARRED"]})

    assert (answer.status, answer.reason) == (400, "failedPrecondition")


async def test_drafts_are_listed_and_deleted(mail: Mail) -> None:
    made = await mail.post("drafts", {"message": {"raw": raw()}})

    listed = await mail.get("drafts")
    gone = await mail.call("DELETE", f"drafts/{made['id']}")

    assert [d["id"] for d in listed["drafts"]] == [made["id"]]
    assert gone.status == 204
    assert (await mail.get("drafts"))["resultSizeEstimate"] == 0


async def test_a_simple_upload_sends_the_bytes(mail: Mail) -> None:
    path = "/upload/gmail/v1/users/me/messages/send"

    answer = await mail.call(
        "POST",
        path,
        params={"uploadType": "media"},
        data=RAW,
        headers={"Content-Type": "message/rfc822"},
    )

    assert answer.json["labelIds"] == ["SENT"]


async def test_a_multipart_upload_carries_metadata_and_message(google: Google, mail: Mail) -> None:
    first = await google.arrive(subject="Hello")
    message = RAW.replace(b"\r\n\r\n", f"\r\nIn-Reply-To: {first['messageId']}\r\n\r\n".encode(), 1)
    body = (
        b"--edge\r\nContent-Type: application/json\r\n\r\n"
        + json.dumps({"threadId": first["threadId"]}).encode()
        + b"\r\n--edge\r\nContent-Type: message/rfc822\r\n\r\n"
        + message
        + b"\r\n--edge--\r\n"
    )

    answer = await mail.call(
        "POST",
        "/upload/gmail/v1/users/me/messages/send",
        params={"uploadType": "multipart"},
        data=body,
        headers={"Content-Type": 'multipart/related; boundary="edge"'},
    )

    assert answer.json["threadId"] == first["threadId"]


async def test_a_resumable_upload_comes_in_chunks(mail: Mail) -> None:
    begun = await mail.call(
        "POST",
        "/resumable/upload/gmail/v1/users/me/messages",
        params={"uploadType": "resumable"},
        json={"labelIds": ["INBOX"]},
        headers={"X-Upload-Content-Type": "message/rfc822"},
    )
    address = begun.headers["Location"].removeprefix(mail.google.origin)
    half, size = len(RAW) // 2, len(RAW)

    chunk = {"Content-Range": f"bytes 0-{half - 1}/{size}"}
    first = await mail.call("PUT", address, data=RAW[:half], headers=chunk)
    asked = await mail.call("PUT", address, headers={"Content-Range": f"bytes */{size}"})
    rest = {"Content-Range": f"bytes {half}-{size - 1}/{size}"}
    last = await mail.call("PUT", address, data=RAW[half:], headers=rest)

    assert (first.status, first.headers["Range"]) == (308, f"bytes=0-{half - 1}")
    assert asked.headers["Range"] == first.headers["Range"]
    assert last.json["labelIds"] == ["INBOX"]
    shown = await mail.get(f"messages/{last.json['id']}", format="raw")
    assert base64.urlsafe_b64decode(shown["raw"]) == RAW


async def test_an_upload_nobody_began_is_not_found(mail: Mail) -> None:
    path = "/upload/gmail/v1/users/me/messages?uploadType=resumable&upload_id=none"

    assert (await mail.call("PUT", path, data=b"x")).status == 404


async def test_an_upload_needs_a_token(google: Google) -> None:
    path = "/upload/gmail/v1/users/me/messages/send?uploadType=resumable"

    assert (await google.request("POST", path, json={})).status == 401


async def test_threads_change_as_one(google: Google, mail: Mail) -> None:
    first = await google.arrive(subject="Plan")
    await google.arrive(subject="Re: Plan", headers={"In-Reply-To": first["messageId"]})
    path = f"threads/{first['threadId']}"

    changed = await mail.post(f"{path}/modify", {"removeLabelIds": ["UNREAD"]})
    await mail.post(f"{path}/trash")
    await mail.post(f"{path}/untrash")

    assert [m["labelIds"] for m in changed["messages"]] == [["INBOX"], ["INBOX"]]
    assert (await mail.call("DELETE", path)).status == 204
    assert (await mail.call("GET", path)).status == 404


async def test_a_message_is_deleted_for_ever(google: Google, mail: Mail) -> None:
    arrived = await google.arrive()

    assert (await mail.call("DELETE", f"messages/{arrived['id']}")).status == 204

    assert (await mail.call("GET", f"messages/{arrived['id']}")).status == 404


async def test_a_draft_is_uploaded_in_both_parts(mail: Mail) -> None:
    body = (
        b"--edge\r\nContent-Type: application/json\r\n\r\n{}\r\n"
        b"--edge\r\nContent-Type: message/rfc822\r\n\r\n" + RAW + b"\r\n--edge--\r\n"
    )

    made = await mail.call(
        "POST",
        "/upload/gmail/v1/users/me/drafts",
        params={"uploadType": "multipart"},
        data=body,
        headers={"Content-Type": 'multipart/related; boundary="edge"'},
    )

    shown = await mail.get(f"drafts/{made.json['id']}", format="raw")
    assert base64.urlsafe_b64decode(shown["message"]["raw"]) == RAW
