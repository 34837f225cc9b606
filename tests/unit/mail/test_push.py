import base64
import json
from typing import Any

import pytest

from libs.common.errors import InvalidInput
from services.mail.domain.push import Push


def wrapped(notice: Any, **message: Any) -> bytes:
    data = notice if isinstance(notice, bytes) else json.dumps(notice).encode()
    body = {
        "message": {
            "data": base64.b64encode(data).decode(),
            "messageId": "1",
            "message_id": "1",
            **message,
        },
        "subscription": "projects/p/subscriptions/s",
    }
    return json.dumps(body).encode()


@pytest.mark.parametrize("history_id", [1710, "1710"])
def test_a_history_id_may_be_a_number_or_a_text(history_id: int | str) -> None:
    push = Push.from_body(wrapped({"emailAddress": "ada@acme.test", "historyId": history_id}))
    assert push == Push("ada@acme.test", 1710)


def test_a_mailbox_is_called_by_its_folded_address() -> None:
    push = Push.from_body(wrapped({"emailAddress": "Ada@ACME.test", "historyId": 1}))
    assert push.address == "ada@acme.test"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"message": {"data": 1}}',
        b'{"message": {"data": "***"}}',
        wrapped(b"not json"),
        wrapped(b"\xff\xff"),
        wrapped([]),
        wrapped({"emailAddress": "ada@acme.test"}),
        wrapped({"historyId": 1}),
        wrapped({"emailAddress": "ada@acme.test", "historyId": True}),
        wrapped({"emailAddress": "ada@acme.test", "historyId": -1}),
        wrapped({"emailAddress": "ada@acme.test", "historyId": "1e3"}),
        wrapped({"emailAddress": "ada@acme.test", "historyId": 2**64}),
        wrapped({"emailAddress": "ada", "historyId": 1}),
        wrapped({"emailAddress": "ada\0@acme.test", "historyId": 1}),
        wrapped({"emailAddress": "a" * 400 + "@acme.test", "historyId": 1}),
        wrapped(b'{"emailAddress": "a\\ud800@acme.test", "historyId": 1}'),
    ],
)
def test_what_is_no_notification_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        Push.from_body(body)
