"""Uploads that go wrong: the wrong kind, too much of it, an answer that was lost."""

import base64
import io

import pytest

from tests.emulator.google import Google, Mail

RAW = b"To: carol@example.net\r\nSubject: Hello\r\n\r\nHi.\r\n"
SEND = "/upload/gmail/v1/users/me/messages/send"
MOST = 36_700_160


async def begin(mail: Mail, **headers: str) -> str:
    """Open a resumable upload and return its path."""
    begun = await mail.call(
        "POST", SEND, params={"uploadType": "resumable"}, json={}, headers=headers
    )
    assert begun.status == 200, begun.text
    return begun.headers["Location"].removeprefix(mail.google.origin)


async def test_a_client_that_missed_the_last_answer_is_told_again(mail: Mail) -> None:
    address = await begin(mail)

    done = await mail.call("PUT", address, data=RAW)
    asked = await mail.call("PUT", address, headers={"Content-Range": f"bytes */{len(RAW)}"})
    again = await mail.call("PUT", address, data=RAW)

    assert asked.json == again.json == done.json
    assert (await mail.get("messages"))["resultSizeEstimate"] == 1


async def test_the_last_chunk_may_come_again_after_a_failure(google: Google, mail: Mail) -> None:
    address = await begin(mail)
    await google.control("PUT", "settings", {"units_per_minute": 1})
    refused = await mail.call("PUT", address, data=RAW)
    await google.control("PUT", "settings", {"units_per_minute": 6000})

    assert refused.status == 403
    assert (await mail.call("PUT", address, data=RAW)).status == 200


async def test_a_cancelled_upload_is_gone(mail: Mail) -> None:
    address = await begin(mail)

    await mail.call("DELETE", address)

    assert (await mail.call("PUT", address, data=RAW)).status == 404


async def test_a_gigantic_range_is_a_bad_request(mail: Mail) -> None:
    address = await begin(mail)
    headers = {"Content-Range": f"bytes {'9' * 5000}-{'9' * 5000}/*"}

    assert (await mail.call("PUT", address, data=RAW, headers=headers)).status == 400


@pytest.mark.parametrize(
    ("kind", "content_type"),
    [("media", "text/plain"), ("unheard-of", "message/rfc822")],
)
async def test_the_kind_of_an_upload_is_checked(mail: Mail, kind: str, content_type: str) -> None:
    answer = await mail.call(
        "POST",
        SEND,
        params={"uploadType": kind},
        data=RAW,
        headers={"Content-Type": content_type},
    )

    assert answer.status == 400


async def test_too_much_is_refused_before_it_is_sent(mail: Mail) -> None:
    answer = await mail.call(
        "POST",
        SEND,
        params={"uploadType": "resumable"},
        json={},
        headers={"X-Upload-Content-Length": str(MOST + 1)},
    )

    assert answer.status == 413


async def test_the_limit_of_a_message_holds_for_json_too(mail: Mail) -> None:
    message = base64.urlsafe_b64encode(RAW + b"x" * MOST)
    body = io.BytesIO(b'{"raw": "' + message + b'"}')

    assert (await mail.call("POST", "messages/send", data=body)).status == 413
