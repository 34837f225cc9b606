import base64
import json
from typing import Any

import pytest

from libs.common.errors import InvalidInput
from services.mail.domain.push import Pulled, Push, settlings


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


def pulled(ack_id: str, data: str) -> Pulled:
    return Pulled(ack_id, data.encode(), None)


def test_pulled_messages_of_one_mailbox_are_one_piece_of_work() -> None:
    ada = [
        pulled(f"ada-{n}", json.dumps({"emailAddress": "Ada@acme.test", "historyId": n}))
        for n in (3, 9, 5)
    ]
    bob = pulled("bob", '{"emailAddress": "bob@acme.test", "historyId": 1}')

    first, second = settlings([*ada, bob])

    assert (first.push, first.pulled) == (Push("ada@acme.test", 9), tuple(ada))
    assert (second.push, second.pulled) == (Push("bob@acme.test", 1), (bob,))


def test_each_pulled_message_that_cannot_be_read_is_a_piece_of_work_of_its_own() -> None:
    strange = [pulled("1", "{}"), pulled("2", "{}")]

    assert [(one.push, one.pulled) for one in settlings(strange)] == [
        (None, (strange[0],)),
        (None, (strange[1],)),
    ]
