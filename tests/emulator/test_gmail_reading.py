import base64
from email import message_from_bytes
from typing import Any

import pytest

from tests.emulator.google import ALICE, FULL, METADATA, MODIFY, READONLY, SEND, Google, Mail, raw

LATIN = (
    b"From: =?iso-8859-1?q?J=FCrgen?= <jurgen@example.net>\r\n"
    b"To: alice@example.com\r\n"
    b"Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\n"
    b'Content-Type: text/plain; charset="iso-8859-1"\r\n'
    b"Content-Transfer-Encoding: 8bit\r\n"
    b"\r\n"
    b"Sch\xf6ne Gr\xfc\xdfe <& more>\r\n"
)


def decoded(data: str) -> bytes:
    return base64.urlsafe_b64decode(data + "=" * (-len(data) % 4))


async def deliver_bytes(google: Google, message: bytes) -> str:
    body = {"raw": base64.b64encode(message).decode()}
    return str((await google.control("POST", f"people/{ALICE}/messages", body))["id"])


async def test_the_profile_counts_messages_and_threads(google: Google, mail: Mail) -> None:
    first = await google.arrive(subject="one")
    await google.arrive(subject="Re: one", headers={"In-Reply-To": first["messageId"]})

    profile = await mail.get("profile")

    assert profile["emailAddress"] == ALICE
    assert (profile["messagesTotal"], profile["threadsTotal"]) == (2, 1)
    assert isinstance(profile["historyId"], str)


async def test_a_mailbox_may_be_named_by_its_address(mail: Mail) -> None:
    answer = await mail.call("GET", "/gmail/v1/users/alice%40example.com/profile")

    assert answer.json["emailAddress"] == ALICE


async def test_somebody_elses_mailbox_is_refused(google: Google, mail: Mail) -> None:
    await google.control("POST", "people", {"email": "bob@example.com"})

    answer = await mail.call("GET", "/gmail/v1/users/bob@example.com/profile")

    assert (answer.status, answer.json["error"]["message"]) == (
        403,
        "Delegation denied for bob@example.com",
    )


async def test_raw_gives_back_the_bytes_that_arrived(google: Google, mail: Mail) -> None:
    message_id = await deliver_bytes(google, LATIN)

    shown = await mail.get(f"messages/{message_id}", format="raw")

    assert decoded(shown["raw"]) == LATIN
    assert "payload" not in shown


async def test_full_shows_decoded_headers_and_text_as_utf8(google: Google, mail: Mail) -> None:
    message_id = await deliver_bytes(google, LATIN)

    shown = await mail.get(f"messages/{message_id}")

    headers = {h["name"]: h["value"] for h in shown["payload"]["headers"]}
    assert headers["From"] == "Jürgen <jurgen@example.net>"
    assert headers["Subject"] == "Grüße"
    assert decoded(shown["payload"]["body"]["data"]).decode() == "Schöne Grüße <& more>\r\n"
    assert shown["snippet"] == "Schöne Grüße &lt;&amp; more&gt;"


async def test_minimal_shows_ids_and_labels_only(google: Google, mail: Mail) -> None:
    arrived = await google.arrive(subject="x")

    shown = await mail.get(f"messages/{arrived['id']}", format="minimal")

    assert shown["labelIds"] == ["INBOX", "UNREAD"]
    assert "payload" not in shown
    assert "raw" not in shown


async def test_metadata_shows_the_wanted_headers(google: Google, mail: Mail) -> None:
    arrived = await google.arrive(subject="x", text="secret")
    params = [("format", "metadata"), ("metadataHeaders", "subject"), ("metadataHeaders", "To")]

    answer = await mail.call("GET", f"messages/{arrived['id']}", params=params)

    names = {h["name"] for h in answer.json["payload"]["headers"]}
    assert names == {"Subject", "To"}
    assert "body" not in answer.json["payload"]


async def test_the_part_tree_follows_the_message(google: Google, mail: Mail) -> None:
    file = {"filename": "näme.pdf", "content": "JVBERg==", "mime_type": "application/pdf"}
    arrived = await google.arrive(text="plain", html="<p>rich</p>", attachments=[file])

    payload = (await mail.get(f"messages/{arrived['id']}"))["payload"]

    assert (payload["partId"], payload["mimeType"]) == ("", "multipart/mixed")
    alternative, attached = payload["parts"]
    assert [p["partId"] for p in alternative["parts"]] == ["0.0", "0.1"]
    assert [p["mimeType"] for p in alternative["parts"]] == ["text/plain", "text/html"]
    assert (attached["partId"], attached["filename"]) == ("1", "näme.pdf")
    assert "data" not in attached["body"]
    assert attached["body"]["size"] == 4


async def test_an_attachment_is_fetched_by_its_id(google: Google, mail: Mail) -> None:
    file = {"filename": "a.bin", "content": base64.b64encode(b"\x00\xff\x10").decode()}
    arrived = await google.arrive(attachments=[file])
    path = f"messages/{arrived['id']}"
    part = (await mail.get(path))["payload"]["parts"][1]

    fetched = await mail.get(f"{path}/attachments/{part['body']['attachmentId']}")

    assert decoded(fetched["data"]) == b"\x00\xff\x10"
    assert fetched["size"] == 3
    refused = await mail.call("GET", f"{path}/attachments/made-up")
    assert refused.status == 400


async def test_a_forwarded_message_is_a_part_with_parts(google: Google, mail: Mail) -> None:
    inner = LATIN.replace(b"\r\n", b"\n")
    outer = (
        b"From: a@example.net\nTo: alice@example.com\nSubject: fwd\nMIME-Version: 1.0\n"
        b'Content-Type: multipart/mixed; boundary="b"\n\n'
        b"--b\nContent-Type: text/plain\n\nsee below\n"
        b"--b\nContent-Type: message/rfc822\n\n" + inner + b"\n--b--\n"
    )
    message_id = await deliver_bytes(google, outer)

    forwarded = (await mail.get(f"messages/{message_id}"))["payload"]["parts"][1]

    assert forwarded["mimeType"] == "message/rfc822"
    assert forwarded["parts"][0]["mimeType"] == "text/plain"


@pytest.mark.parametrize(
    "junk",
    [
        b"\x00\xff\xfe",
        b"Subject: =?utf-8?b?!!!?=\r\n\r\nx",
        b"Subject: =?no-such-charset?q?x?=\r\nFrom: \xff\xfe <a@b>\r\n\r\n\xff",
        b'Content-Type: multipart/mixed; boundary="x"\r\n\r\nno parts at all',
        b"Content-Type: text/plain; charset=no-such\r\n\r\nbody",
        b"Content-Transfer-Encoding: base64\r\n\r\n%%%not base64%%%",
        b"Date: yesterday\r\nContent-Type: broken\r\n\r\n",
    ],
)
async def test_anything_at_all_can_be_shown(google: Google, mail: Mail, junk: bytes) -> None:
    message_id = await deliver_bytes(google, junk)

    for form in ("full", "metadata", "raw", "minimal"):
        assert (await mail.get(f"messages/{message_id}", format=form))["id"] == message_id


async def test_an_unknown_message_is_not_found(mail: Mail) -> None:
    answer = await mail.call("GET", "messages/1234567890abcdef")

    assert (answer.status, answer.reason) == (404, "notFound")
    assert answer.json["error"]["message"] == "Requested entity was not found."


async def test_an_id_of_no_valid_form_is_an_invalid_argument(mail: Mail) -> None:
    answer = await mail.call("GET", "messages/not-an-id")

    assert (answer.status, answer.reason) == (400, "invalidArgument")


async def test_lists_come_newest_first_in_pages(google: Google, mail: Mail) -> None:
    made = [(await google.arrive(internal_date_ms=1000 * n))["id"] for n in range(5)]

    first = await mail.get("messages", maxResults=2)
    second = await mail.get("messages", maxResults=2, pageToken=first["nextPageToken"])
    third = await mail.get("messages", maxResults=2, pageToken=second["nextPageToken"])

    pages = [m["id"] for page in (first, second, third) for m in page["messages"]]
    assert pages == list(reversed(made))
    assert "nextPageToken" not in third
    assert set(first["messages"][0]) == {"id", "threadId"}


async def test_a_page_token_belongs_to_its_query(google: Google, mail: Mail) -> None:
    for _ in range(2):
        await google.arrive()
    page = await mail.get("messages", maxResults=1)

    other = {"pageToken": page["nextPageToken"], "q": "hello"}
    answer = await mail.call("GET", "messages", params=other)

    assert (answer.status, answer.reason) == (400, "invalidArgument")


async def test_an_empty_list_has_no_messages_field(mail: Mail) -> None:
    assert await mail.get("messages") == {"resultSizeEstimate": 0}


async def test_label_ids_have_to_hold_all_at_once(google: Google, mail: Mail) -> None:
    both = await google.arrive(labels=["INBOX", "STARRED"])
    await google.arrive(labels=["INBOX"])
    params = [("labelIds", "INBOX"), ("labelIds", "STARRED")]

    answer = await mail.call("GET", "messages", params=params)

    assert [m["id"] for m in answer.json["messages"]] == [both["id"]]


async def test_spam_and_trash_are_hidden_unless_asked_for(google: Google, mail: Mail) -> None:
    await google.arrive(labels=["SPAM"])
    await google.arrive(labels=["TRASH"])

    assert (await mail.get("messages"))["resultSizeEstimate"] == 0
    assert (await mail.get("messages", includeSpamTrash="true"))["resultSizeEstimate"] == 2
    assert (await mail.get("messages", labelIds="SPAM"))["resultSizeEstimate"] == 1
    assert (await mail.get("messages", q="in:trash"))["resultSizeEstimate"] == 1
    assert (await mail.get("messages", q="in:anywhere"))["resultSizeEstimate"] == 2


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("from:bob", True),
        ("from:carol", False),
        ("-from:carol", True),
        ("to:alice subject:invoice", True),
        ('subject:"big invoice"', True),
        ('subject:"invoice big"', False),
        ("payable", True),
        ("in:inbox is:unread", True),
        ("is:read", False),
        ("is:starred", False),
        ("has:attachment", False),
        ("after:2024/01/31 before:2024/02/02", True),
        ("after:1706745600", True),
        ("after:1706745601", False),
        ("before:1706745601", True),
        ("before:1706745600", False),
        ("before:2024/02/01", True),
        ("after:2024/02/01", False),
        ("in:anywhere", True),
        ("label:unread", True),
        ("label:starred", False),
        ("newer_than:1d", False),
        ("older_than:1y", True),
        ("rfc822msgid:<mark@example.net>", True),
        ("rfc822msgid:other@example.net", False),
        ("unheard:of", False),
        ('"unclosed', False),
    ],
)
async def test_the_search_language(google: Google, mail: Mail, query: str, found: bool) -> None:  # noqa: FBT001 - a table's column
    await google.arrive(
        **{"from": "Bob <bob@example.net>"},
        subject="Big invoice",
        text="Payable today",
        headers={"Message-ID": "<mark@example.net>"},
        internal_date_ms=1_706_745_600_000,
    )

    assert bool((await mail.get("messages", q=query))["resultSizeEstimate"]) is found


@pytest.mark.parametrize("form", ["full", "raw"])
async def test_the_metadata_scope_sees_no_content(google: Google, form: str) -> None:
    arrived = await google.arrive()
    mail = await google.mailbox(METADATA)

    answer = await mail.call("GET", f"messages/{arrived['id']}", params={"format": form})

    assert (answer.status, answer.reason) == (403, "forbidden")
    assert (await mail.get(f"messages/{arrived['id']}", format="metadata"))["payload"]


async def test_the_metadata_scope_cannot_search(google: Google) -> None:
    mail = await google.mailbox(METADATA)

    answer = await mail.call("GET", "messages", params={"q": "x"})

    assert answer.status == 403
    assert (await mail.get("messages"))["resultSizeEstimate"] == 0


@pytest.mark.parametrize(
    ("scope", "method", "path", "body"),
    [
        (READONLY, "POST", "messages/send", {"raw": raw()}),
        (READONLY, "POST", "messages/1234567890abcdef/modify", {"addLabelIds": ["STARRED"]}),
        (SEND, "GET", "messages", None),
        (MODIFY, "DELETE", "messages/1234567890abcdef", None),
        (MODIFY, "POST", "messages/batchDelete", {"ids": ["1234567890abcdef"]}),
    ],
)
async def test_every_method_needs_one_of_its_scopes(
    google: Google, scope: str, method: str, path: str, body: Any
) -> None:
    mail = await google.mailbox(scope)

    answer = await mail.call(method, path, json=body)

    error = answer.json["error"]
    assert (answer.status, error["status"]) == (403, "PERMISSION_DENIED")
    assert error["details"][0]["reason"] == "ACCESS_TOKEN_SCOPE_INSUFFICIENT"


async def test_threads_gather_answers_and_list_the_newest_first(google: Google, mail: Mail) -> None:
    first = await google.arrive(subject="Plan")
    other = await google.arrive(subject="Other")
    answer = await google.arrive(subject="Re: Plan", headers={"References": first["messageId"]})

    listed = await mail.get("threads")
    thread = await mail.get(f"threads/{first['threadId']}", format="minimal")

    assert [t["id"] for t in listed["threads"]] == [first["threadId"], other["threadId"]]
    assert [m["id"] for m in thread["messages"]] == [first["id"], answer["id"]]
    assert thread["historyId"] == answer["historyId"]


async def test_another_subject_starts_another_thread(google: Google) -> None:
    first = await google.arrive(subject="Plan")

    other = await google.arrive(subject="New", headers={"In-Reply-To": first["messageId"]})

    assert other["threadId"] == other["id"]


async def test_partial_responses_hold_only_the_wanted_fields(google: Google, mail: Mail) -> None:
    arrived = await google.arrive(subject="x")
    path = f"messages/{arrived['id']}"

    assert await mail.get(path, fields="id,payload/mimeType") == {
        "id": arrived["id"],
        "payload": {"mimeType": "text/plain"},
    }
    nested = await mail.get(path, fields="payload(headers(name),partId)")
    assert set(nested["payload"]) == {"headers", "partId"}
    assert all(set(h) == {"name"} for h in nested["payload"]["headers"])


async def test_an_unreadable_field_selection_is_refused(mail: Mail) -> None:
    answer = await mail.call("GET", "profile", params={"fields": "a(b"})

    assert (answer.status, answer.reason) == (400, "invalidParameter")


@pytest.mark.parametrize(
    "params",
    [{"maxResults": "many"}, {"includeSpamTrash": "perhaps"}, {"unheardOf": "1"}, {"alt": "csv"}],
)
async def test_parameters_are_checked(mail: Mail, params: dict[str, str]) -> None:
    answer = await mail.call("GET", "messages", params=params)

    assert (answer.status, answer.reason) == (400, "invalidArgument")


async def test_an_unknown_format_is_refused(google: Google, mail: Mail) -> None:
    arrived = await google.arrive()

    answer = await mail.call("GET", f"messages/{arrived['id']}", params={"format": "pretty"})

    assert answer.status == 400


async def test_a_request_without_a_token_needs_a_login(google: Google) -> None:
    answer = await google.request("GET", "/gmail/v1/users/me/profile")

    assert (answer.status, answer.reason) == (401, "required")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_long_query_may_come_as_a_form(google: Google, mail: Mail) -> None:
    await google.arrive(subject="needle")

    answer = await mail.call(
        "POST",
        "messages",
        data={"q": "subject:needle", "maxResults": "5"},
        headers={"x-http-method-override": "GET"},
    )

    assert answer.json["resultSizeEstimate"] == 1


async def test_a_path_that_google_does_not_have_is_not_found(mail: Mail) -> None:
    assert (await mail.call("GET", "/gmail/v1/nothing/here")).status == 404


async def test_a_method_that_is_not_emulated_says_so(mail: Mail) -> None:
    answer = await mail.call("GET", "settings/vacation")

    assert (answer.status, answer.reason) == (501, "notImplemented")


async def test_simple_fields_make_a_proper_message(google: Google, mail: Mail) -> None:
    arrived = await google.arrive(**{"from": "Bob <bob@example.net>"}, subject="Grüße", text="Hé")

    shown = await mail.get(f"messages/{arrived['id']}", format="raw")

    message = message_from_bytes(decoded(shown["raw"]))
    assert message["From"] == "Bob <bob@example.net>"
    assert message["To"] == ALICE
    assert b"\r\n" in decoded(shown["raw"])


async def test_the_full_scope_opens_everything(google: Google) -> None:
    arrived = await google.arrive()
    mail = await google.mailbox(FULL)

    assert (await mail.call("DELETE", f"messages/{arrived['id']}")).status == 204
