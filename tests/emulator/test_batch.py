from email import message_from_string
from email.message import Message

import pytest

from tests.emulator.google import READONLY, Google, Mail


def body_of(*calls: tuple[str, str], newline: str = "\n") -> str:
    lines = []
    for content_id, request_line in calls:
        lines += ["--edge", "Content-Type: application/http"]
        lines += [f"Content-ID: <{content_id}>"] if content_id else []
        lines += ["", request_line, "Accept: application/json", "", ""]
    return newline.join([*lines, "--edge--", ""])


async def batch(mail: Mail, body: str, path: str = "/batch/gmail/v1") -> list[Message]:
    headers = {"Content-Type": 'multipart/mixed; boundary="edge"'}
    answer = await mail.call("POST", path, data=body, headers=headers)
    assert answer.status == 200, answer.text
    whole = message_from_string(f"Content-Type: {answer.headers['Content-Type']}\n\n{answer.text}")
    return [part for part in whole.walk() if part.get_content_type() == "application/http"]


def content(part: Message) -> str:
    return str(part.get_payload())


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("path", ["/batch", "/batch/gmail/v1"])
async def test_a_batch_answers_in_the_order_of_its_calls(
    google: Google, mail: Mail, newline: str, path: str
) -> None:
    arrived = await google.arrive()
    body = body_of(
        ("abc + 1", f"GET /gmail/v1/users/me/messages/{arrived['id']}?format=minimal HTTP/1.1"),
        ("abc + 2", "GET /gmail/v1/users/me/messages/1234567890abcdef HTTP/1.1"),
        newline=newline,
    )

    found, missing = await batch(mail, body, path)

    assert found["Content-ID"] == "<response-abc + 1>"
    assert content(found).startswith("HTTP/1.1 200 OK")
    assert arrived["id"] in content(found)
    assert missing["Content-ID"] == "<response-abc + 2>"
    assert content(missing).startswith("HTTP/1.1 404 Not Found")


async def test_a_part_may_carry_its_own_token(google: Google, mail: Mail) -> None:
    other = await google.mailbox(READONLY)
    line = f"GET /gmail/v1/users/me/profile HTTP/1.1\nAuthorization: Bearer {other.token}"
    mail.token = "nothing"

    plain, own = await batch(
        mail, body_of(("1", "GET /gmail/v1/users/me/profile HTTP/1.1"), ("2", line))
    )

    assert "401 Unauthorized" in content(plain)
    assert "200 OK" in content(own)


async def test_a_part_may_have_a_body_and_no_content_id(google: Google, mail: Mail) -> None:
    arrived = await google.arrive()
    body = (
        "--edge\nContent-Type: application/http\n\n"
        f"POST /gmail/v1/users/me/messages/{arrived['id']}/modify HTTP/1.1\n"
        'Content-Type: application/json\n\n{"removeLabelIds": ["UNREAD"]}\n--edge--\n'
    )

    (part,) = await batch(mail, body)

    assert part["Content-ID"] is None
    assert "200 OK" in content(part)
    assert "UNREAD" not in content(part)


async def test_a_part_that_names_a_whole_address_is_refused(mail: Mail) -> None:
    (part,) = await batch(
        mail, body_of(("1", "GET https://gmail.googleapis.com/gmail/v1/users/me/profile HTTP/1.1"))
    )

    assert "400 Bad Request" in content(part)


async def test_more_than_a_hundred_calls_are_refused(mail: Mail) -> None:
    body = body_of(*[("1", "GET /gmail/v1/users/me/profile HTTP/1.1")] * 101)
    headers = {"Content-Type": 'multipart/mixed; boundary="edge"'}

    assert (await mail.call("POST", "/batch", data=body, headers=headers)).status == 400


async def test_every_call_of_a_batch_costs_its_units(google: Google, mail: Mail) -> None:
    line = "GET /gmail/v1/users/me/profile HTTP/1.1"

    await batch(mail, body_of(("1", line), ("2", line), ("3", line)))

    usage = (await google.control("GET", "usage"))["people"]["alice@example.com"]
    assert usage["methods"]["gmail.users.getProfile"] == {"units": 3, "calls": 3}


async def test_a_fault_can_hit_one_part(google: Google, mail: Mail) -> None:
    rule = {"path_contains": "/labels", "status": 429, "reason": "rateLimitExceeded"}
    await google.control("PUT", "faults", {"rules": [rule]})

    good, bad = await batch(
        mail,
        body_of(
            ("1", "GET /gmail/v1/users/me/profile HTTP/1.1"),
            ("2", "GET /gmail/v1/users/me/labels HTTP/1.1"),
        ),
    )

    assert "200 OK" in content(good)
    assert "429 Too Many Requests" in content(bad)
