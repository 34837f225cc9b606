"""Sending through the API under test."""

import base64
from email import policy
from email.parser import BytesParser
from io import BytesIO
from typing import Any
from uuid import uuid4

import aiohttp
import orjson

from tests.integration.auth.stand import Answer
from tests.integration.mail.stand import Stand
from tests.integration.service_stand import ALICE, Json
from tests.support import bearer, caller_token, eventually

BOB = "bob@example.org"


def letter(**fields: Any) -> Json:
    """Return a message to be sent; `None` leaves a field out."""
    whole = {"to": [{"address": BOB}], "subject": "Offer", "text": "Hello Bob", **fields}
    return {name: value for name, value in whole.items() if value is not None}


async def post(
    mail: Stand,
    body: Json,
    *files: tuple[str, str, bytes],
    key: str | None = "",
    query: str = "",
    token: str | None = None,
    path: str = "/v1/mail/messages",
    method: str = "POST",
    swap: bool = False,
) -> Answer:
    """Post a message: as JSON, or with files as a form; by default under a new key.

    With `swap` the files come first, which is wrong.
    """
    headers = bearer(token or caller_token())
    if key is not None:
        headers["Idempotency-Key"] = key or str(uuid4())
    data: Any = None
    if files:
        data = aiohttp.FormData(quote_fields=False)  # as browsers and curl do
        for _ in range(2):
            if not swap:
                text = orjson.dumps(body).decode()
                data.add_field("message", text, content_type="application/json")
            else:
                for name, kind, content in files:
                    data.add_field("attachment", BytesIO(content), filename=name, content_type=kind)
            swap = not swap
    async with mail.session.request(
        method,
        f"{mail.origin}{path}{query}",
        headers=headers,
        data=data,
        json=None if files else body,
    ) as response:
        raw = await response.read()
        is_json = "json" in response.content_type
        return Answer(response.status, orjson.loads(raw) if is_json else raw, response.headers)


async def sent(mail: Stand, body: Json, *files: tuple[str, str, bytes], **more: Any) -> Json:
    """Send a message and return it once it has ended."""
    answer = await post(mail, body, *files, query="?wait=15", **more)
    assert answer.status == 202, answer
    return dict(answer.body)


async def at_google(mail: Stand, *, label: str = "SENT", person: str = ALICE) -> list[Json]:
    """Return the messages that wear a label in a person's mailbox, oldest first."""
    dump = await mail.google.control("GET", f"people/{person}/mailbox")
    return [one for one in dump["messages"] if label in one["labels"]]


async def raw_at_google(mail: Stand, google_id: str, *, person: str = ALICE) -> bytes:
    """Return a message as Google has it."""
    scopes = ["https://mail.google.com/"]
    token = await mail.google.control("POST", f"people/{person}/tokens", {"scopes": scopes})
    url = f"{mail.google.origin}/gmail/v1/users/me/messages/{google_id}?format=raw"
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    async with mail.session.get(url, headers=headers) as answer:
        assert answer.ok, await answer.text()
        raw = (await answer.json())["raw"]
    return base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4))


async def fault(mail: Stand, **rule: Any) -> None:
    """Let Google misbehave."""
    await mail.google.control("PUT", "faults", {"rules": [rule]})


async def ended(mail: Stand, send_id: str) -> Json:
    """Return an outgoing message once it has ended."""

    async def look() -> Json:
        found = await mail.get(f"/v1/mail/sends/{send_id}")
        assert found["ended_at"]
        return found

    return await eventually(look)


def body_of(raw: bytes, kind: str) -> str:
    """Return a body of a message, `plain` or `html`."""
    message = BytesParser(policy=policy.default).parsebytes(raw)
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).strip()
