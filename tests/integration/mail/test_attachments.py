"""Attachments: listed from the store, their content fetched from Google when asked for."""

import asyncio
import base64
import os
from email.message import EmailMessage
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.mail.stand import Stand
from tests.integration.service_stand import ALICE
from tests.support import caller_token, eventually, service_caller_token

PDF = os.urandom(400_000)
GONE = 'route="/v1/mail/messages/{id}/attachments/{part}",status="499"'


def mail_with(*parts: tuple[str, bytes, str]) -> str:
    """Return a message, as the emulator takes it, with parts (type, content, file name)."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "bob@example.org", ALICE, "files"
    message.set_content("see attached")
    for content_type, content, name in parts:
        main, _, sub = content_type.partition("/")
        message.add_attachment(content, maintype=main, subtype=sub, filename=name)
    return base64.b64encode(message.as_bytes()).decode()


async def arrived(mail: Stand, *parts: tuple[str, bytes, str]) -> dict[str, Any]:
    await mail.connect()
    await mail.google.deliver(ALICE, raw=mail_with(*parts))
    await mail.told("received")
    (message,) = await mail.messages()
    return message


def path_of(message: dict[str, Any], part: str = "2") -> str:
    return f"/v1/mail/messages/{message['id']}/attachments/{part}"


async def test_an_attachment_is_downloaded_as_it_was_sent(mail: Stand) -> None:
    message = await arrived(mail, ("application/pdf", PDF, "a.pdf"), ("text/csv", b"1;2", "b.csv"))
    listed = (await mail.get(f"/v1/mail/messages/{message['id']}/attachments"))["items"]
    assert [(one["part"], one["filename"], one["size"]) for one in listed] == [
        ("2", "a.pdf", len(PDF)),
        ("3", "b.csv", 3),
    ]
    answer = await mail.call("GET", path_of(message))
    assert (answer.status, answer.body) == (200, PDF)
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Content-Length"] == str(len(PDF))
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    disposition = "attachment; filename=\"a.pdf\"; filename*=UTF-8''a.pdf"
    assert answer.headers["Content-Disposition"] == disposition
    service = await mail.call("GET", path_of(message, "3"), token=service_caller_token())
    assert (service.status, service.body) == (200, b"1;2")


@pytest.mark.parametrize(
    ("content_type", "answered"),
    [
        ("text/html", "application/octet-stream"),
        ("image/svg+xml", "application/octet-stream"),
        ("application/xhtml+xml", "application/octet-stream"),
        ("text/javascript", "application/octet-stream"),
        ("image/png", "image/png"),
    ],
)
async def test_what_a_browser_would_run_is_only_bytes(
    mail: Stand, content_type: str, answered: str
) -> None:
    message = await arrived(mail, (content_type, b"<script>", "x"))
    answer = await mail.call("GET", path_of(message))
    assert (answer.body, answer.headers["Content-Type"]) == (b"<script>", answered)
    assert answer.headers["Content-Disposition"].startswith("attachment;")


async def test_a_hostile_file_name_stays_inside_its_header(mail: Stand) -> None:
    message = await arrived(mail, ("application/pdf", b"x", "plain.pdf"))
    name = '"\u00dc /\\%\r\nX-Evil: 1'
    await mail.fetch(
        "UPDATE messages"
        " SET attachments = jsonb_set(attachments, '{0,filename}', to_jsonb($1::text))",
        name,
    )
    answer = await mail.call("GET", path_of(message))
    assert "X-Evil" not in answer.headers
    assert answer.headers["Content-Disposition"] == (
        'attachment; filename="__ _____X-Evil: 1"; '
        "filename*=UTF-8''%22%C3%9C%20__%25__X-Evil%3A%201"
    )


async def test_headers_alone_ask_nothing_of_google(mail: Stand) -> None:
    message = await arrived(mail, ("application/pdf", b"abc", "a.pdf"))
    await mail.edit(message["google_message_id"], "delete")
    answer = await mail.call("HEAD", path_of(message))
    if answer.status == 200:  # history has not told of it yet
        assert answer.headers["Content-Length"] == "3"


async def test_attachments_of_others_and_unknown_parts_are_not_found(mail: Stand) -> None:
    message = await arrived(mail, ("application/pdf", b"x", "a.pdf"))
    for token in (
        caller_token(user="eve"),
        caller_token(tenant="umbrella"),
        service_caller_token(tenant="umbrella"),
    ):
        for path in (path_of(message), path_of(message).removesuffix("/2")):
            assert (await mail.call("GET", path, token=token)).status == 404
    for part in ("1", "9", "2.1", "x", "%00", "..%2f2"):
        assert (await mail.call("GET", path_of(message, part))).status == 404
    assert (await mail.call("GET", path_of({"id": uuid4()}))).status == 404


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        ("reauthorization_required", "reauthorization-required"),
        ("disconnected", "not-connected"),
        ("disabled", "connection-disabled"),
    ],
)
async def test_a_dead_connection_gives_no_attachments(
    mail: Stand, state: str, problem: str
) -> None:
    message = await arrived(mail, ("application/pdf", b"x", "a.pdf"))
    await mail.fetch("UPDATE connections SET state = $1", state)
    answer = await mail.call("GET", path_of(message))
    assert (answer.status, answer.problem) == (409, problem)


async def test_what_google_has_no_more_is_not_found(mail: Stand) -> None:
    message = await arrived(mail, ("application/pdf", b"x", "a.pdf"))
    rule = {"path_prefix": "/gmail/v1/users/me/messages/", "status": 404}
    await mail.google.control("PUT", "faults", {"rules": [rule]})
    answer = await mail.call("GET", path_of(message))
    assert (answer.status, answer.problem) == (404, "not-found")


async def test_the_length_that_counts_is_that_of_the_content(mail: Stand) -> None:
    message = await arrived(mail, ("application/pdf", b"xyz", "a.pdf"))
    await mail.fetch("UPDATE messages SET attachments = jsonb_set(attachments, '{0,size}', '9')")
    answer = await mail.call("GET", path_of(message))
    assert (answer.body, answer.headers["Content-Length"]) == (b"xyz", "3")


async def test_a_caller_who_goes_away_is_not_worked_for(mail: Stand) -> None:
    message = await arrived(mail, ("application/pdf", b"x", "a.pdf"))
    rule = {"path_prefix": "/gmail/v1/users/me/messages/", "delay_s": 600}
    await mail.google.control("PUT", "faults", {"rules": [rule]})
    asking = asyncio.create_task(mail.call("GET", path_of(message)))

    async def is_asked() -> bool:
        rules = (await mail.google.control("GET", "faults"))["rules"]
        return bool(rules[0]["hits"])

    await eventually(is_asked)
    asking.cancel()

    async def is_given_up() -> bool:
        metrics = (await mail.call("GET", "/metrics")).body
        return GONE in metrics.decode()

    await eventually(is_given_up)
