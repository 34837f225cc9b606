"""Whatever a client sends, the answer is Google's 4xx and never a 500."""

import json
from typing import Any

import aiohttp
import pytest

from emulator.config import DEFAULT_CLIENT_ID
from tests.emulator.google import TOPIC, Google, Mail, authorization, raw

HUGE = "9" * 5000
DEEP = b"[" * 100_000


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"messages?maxResults={HUGE}", 400),
        (f"history?startHistoryId={HUGE}", 400),
        (f"history?startHistoryId={2**64}", 400),
        (f"history?startHistoryId={2**64 - 1}", 404),
        (f"messages?q=after:{HUGE}", 200),
        ("messages?q=newer_than:99999999999999d", 200),
        (f"messages?q={'(' * 5000}", 200),
        (f"messages?q={'a+OR+' * 500}b", 200),
        ("messages?fields=unheardOf", 400),
        ("messages?fields=messages/unheardOf", 400),
        ("messages?fields=messages/*", 200),
    ],
)
async def test_extreme_parameters_are_judged(mail: Mail, path: str, status: int) -> None:
    assert (await mail.call("GET", path)).status == status


@pytest.mark.parametrize(
    "body", [DEEP, b'{"a":' * 50_000, b"null", b'{"labelIds":[null]}', b"\xff", HUGE.encode()]
)
async def test_an_unreadable_body_is_a_bad_request(mail: Mail, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}

    assert (await mail.call("POST", "watch", data=body, headers=headers)).status == 400


async def test_a_body_that_claims_to_be_compressed_is_a_bad_request(mail: Mail) -> None:
    headers = {"Content-Encoding": "gzip"}

    assert (await mail.call("POST", "messages/send", data=b"x", headers=headers)).status == 400


async def test_null_means_unset_at_every_depth(mail: Mail) -> None:
    label = await mail.post("labels", {"name": "Plans", "color": {"textColor": None}})

    assert "color" not in label


@pytest.mark.parametrize(
    "body",
    [
        {"name": "Plans", "color": {"textColor": "#000000"}},
        {"name": "Plans", "messageListVisibility": "sometimes"},
    ],
)
async def test_a_half_described_label_is_refused(mail: Mail, body: dict[str, Any]) -> None:
    assert (await mail.call("POST", "labels", json=body)).status == 400


async def test_letters_that_are_no_base64_are_refused(mail: Mail) -> None:
    assert (await mail.call("POST", "messages/send", json={"raw": "\xe9"})).status == 400


async def test_mail_to_something_that_is_no_address_is_refused(mail: Mail) -> None:
    answer = await mail.call("POST", "messages/send", json={"raw": raw(To="nobody")})

    assert (answer.status, answer.json["error"]["message"]) == (400, "Invalid To header")


@pytest.mark.parametrize("line", ["GET //[", "GET http://[::1", "GET", f"GET /x?maxResults={HUGE}"])
async def test_a_faulty_part_fails_alone(mail: Mail, line: str) -> None:
    parts = (line, "GET /gmail/v1/users/me/profile")
    body = "".join(f"--edge\r\nContent-Type: application/http\r\n\r\n{p}\r\n\r\n" for p in parts)
    headers = {"Content-Type": "multipart/mixed; boundary=edge"}

    answer = await mail.call("POST", "/batch", data=f"{body}--edge--", headers=headers)

    assert answer.status == 200
    assert "HTTP/1.1 4" in answer.text
    assert "HTTP/1.1 200 OK" in answer.text


@pytest.mark.parametrize(
    "path", ["/token", "/revoke", "/tokeninfo", "/o/oauth2/v2/auth", "/o/oauth2/v2/auth/consent"]
)
@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded; charset=none",
    ],
)
async def test_a_form_that_cannot_be_read_is_a_bad_request(
    google: Google, path: str, content_type: str
) -> None:
    headers = {"Content-Type": content_type}

    answer = await google.request("POST", path, data=b"token=x", headers=headers)

    assert answer.status == 400


async def test_a_file_is_no_form_field(google: Google) -> None:
    form = aiohttp.FormData({"client_id": DEFAULT_CLIENT_ID, "redirect_uri": "http://127.0.0.1/"})
    form.add_field("prompt", b"none", filename="prompt.txt")

    assert (await google.request("POST", "/o/oauth2/v2/auth", data=form)).status == 400


@pytest.mark.parametrize("address", ["http://[", "http://x/\r\nA: b", "http://\u2100.example/"])
async def test_an_address_that_is_none_is_a_mismatch(google: Google, address: str) -> None:
    parameters = authorization(redirect_uri=address)

    answer = await google.request("GET", "/o/oauth2/v2/auth", params=parameters)

    assert answer.status == 400
    assert "redirect_uri_mismatch" in answer.text


@pytest.mark.parametrize(
    ("body", "status"),
    [(DEEP, 400), (json.dumps({"client_id": DEFAULT_CLIENT_ID, "client_secret": "\ud800"}), 401)],
)
async def test_unfriendly_json_at_the_token_endpoint(
    google: Google, body: bytes | str, status: int
) -> None:
    headers = {"Content-Type": "application/json"}

    answer = await google.request("POST", "/token", data=body, headers=headers)

    assert answer.status == status


@pytest.mark.parametrize(
    "message", [None, {"data": "\xe9"}, {"data": None, "attributes": None}, {"data": "a"}]
)
async def test_an_unreadable_publication_is_refused(google: Google, message: Any) -> None:
    answer = await google.request("POST", f"/v1/{TOPIC}:publish", json={"messages": [message]})

    assert answer.status == 400


async def test_unset_members_of_a_policy_are_nobody(google: Google, mail: Mail) -> None:
    await google.control("PUT", "settings", {"require_publisher_binding": True})
    policy = {"policy": {"bindings": [{"role": "roles/pubsub.publisher", "members": None}]}}

    kept = await google.request("POST", f"/v1/{TOPIC}:setIamPolicy", json=policy)

    assert kept.status == 200
    assert (await mail.call("POST", "watch", json={"topicName": TOPIC})).status == 403
