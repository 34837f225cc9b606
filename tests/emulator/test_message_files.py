"""Messages that are put into a mailbox as files."""

import base64
import io
from typing import Any

import pytest

from tests.emulator.google import ALICE, Answer, Google, Json, Mail

RAW = b"From: a@example.net\r\nSubject: Hi\r\n\r\nBody\r\n"
MEBIBYTE = 1024 * 1024


async def put(google: Google, raw: bytes, query: Any = None) -> Answer:
    headers = {"Content-Type": "message/rfc822"}
    path = f"/_emulator/people/{ALICE}/messages"
    return await google.request("POST", path, data=io.BytesIO(raw), params=query, headers=headers)


async def stored(google: Google, raw: bytes, query: Any = None) -> Json:
    answer = await put(google, raw, query)
    assert answer.status == 201, answer.text
    found: Json = answer.json
    return found


async def raw_of(mail: Mail, message_id: str) -> bytes:
    shown = await mail.get(f"messages/{message_id}", format="raw")
    return base64.urlsafe_b64decode(shown["raw"])


@pytest.mark.parametrize(
    "raw",
    [
        b"Subject: caf\xe9\r\n\r\n\xff\xfe\x00 8-bit\r\n",
        "Subject: caf\u00e9\n\n\u4f60\u597d\n".encode(),
        b"no header at all\n",
        b"From : old@example.net\nSubject: a space before the colon\n\nBody\n",
    ],
)
async def test_a_file_keeps_its_bytes(google: Google, mail: Mail, raw: bytes) -> None:
    message = await stored(google, raw)

    assert await raw_of(mail, message["id"]) == raw
    assert message["labelIds"] == ["INBOX", "UNREAD"]


async def test_the_line_that_an_mbox_puts_first_is_no_part_of_the_message(
    google: Google, mail: Mail
) -> None:
    message = await stored(google, b"From a@example.net Thu Jan  1 00:00:00 2026\r\n" + RAW)

    assert await raw_of(mail, message["id"]) == RAW


async def test_a_file_says_its_labels_and_when_it_arrived(google: Google, mail: Mail) -> None:
    query = [("labels", "INBOX"), ("labels", "Leads"), ("internal_date_ms", "1706745600000")]

    message = await stored(google, RAW, query)
    again = await stored(google, RAW, [("labels", "leads")])

    shown = await mail.get(f"messages/{message['id']}", format="minimal")
    assert shown["internalDate"] == "1706745600000"
    names = {label["id"]: label["name"] for label in (await mail.get("labels"))["labels"]}
    assert [names[label] for label in shown["labelIds"]] == ["INBOX", "Leads"]
    assert again["labelIds"] == shown["labelIds"][1:]


async def test_a_file_may_have_no_label_at_all(google: Google) -> None:
    assert (await stored(google, RAW, {"labels": ""}))["labelIds"] == []


async def test_a_file_under_draft_is_a_draft(google: Google, mail: Mail) -> None:
    message = await stored(google, RAW, {"labels": "DRAFT"})

    (draft,) = (await mail.get("drafts"))["drafts"]
    assert draft["message"]["id"] == message["id"]


async def test_files_with_the_same_key_share_a_thread(google: Google, mail: Mail) -> None:
    one = await stored(google, RAW, {"thread_key": "7"})
    two = await stored(google, RAW.replace(b"Hi", b"Ho"), {"thread_key": "7"})
    other = await stored(google, RAW, {"thread_key": "8"})

    assert one["threadId"] == two["threadId"] != other["threadId"]
    thread = await mail.get(f"threads/{one['threadId']}", format="minimal")
    assert [m["id"] for m in thread["messages"]] == [one["id"], two["id"]]


async def test_a_key_outlives_its_thread(google: Google, mail: Mail) -> None:
    one = await stored(google, RAW, {"thread_key": "7"})
    await mail.call("DELETE", f"messages/{one['id']}")

    two = await stored(google, RAW, {"thread_key": "7"})

    assert two["threadId"] == two["id"]


async def test_a_very_large_file_is_taken(google: Google, mail: Mail) -> None:
    line = b"x" * 998 + b"\r\n"
    raw = RAW + line * (35 * MEBIBYTE // len(line) + 1)

    message = await stored(google, raw)

    shown = await mail.get(f"messages/{message['id']}", format="minimal")
    assert shown["sizeEstimate"] == len(raw) > 35 * MEBIBYTE


@pytest.mark.parametrize(
    ("raw", "query"),
    [
        (b" \r\n", {}),
        (b"From a@example.net Thu Jan  1 00:00:00 2026\n", {}),
        (RAW, {"internal_date_ms": "soon"}),
        (RAW, {"internal_date_ms": "-1"}),
        (RAW, {"thread_key": ""}),
        (RAW, {"label": "INBOX"}),
        (RAW, {"labels": "x" * 226}),
    ],
)
async def test_a_faulty_file_is_refused_and_leaves_nothing(
    google: Google, mail: Mail, raw: bytes, query: Any
) -> None:
    answer = await put(google, raw, query)

    assert answer.status == 400
    assert answer.json["error"]
    assert (await mail.get("profile"))["messagesTotal"] == 0
