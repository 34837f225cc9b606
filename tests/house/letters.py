"""What the CRM asks for in a house: messages to be sent, labels to be changed."""

from io import BytesIO
from typing import Any

import aiohttp
import orjson

from tests.house.house import House
from tests.support import bearer, caller_token, service_caller_token

Json = dict[str, Any]
File = tuple[str, bytes]


async def submit(
    house: House,
    body: Json,
    *files: File,
    key: str,
    origin: str | None = None,
    tenant: str = "acme",
    user: str = "ada",
) -> tuple[int, Any]:
    """Ask for a message to be sent; return status and JSON.

    Args:
        house: where.
        body: the message.
        files: its attachments, name and content.
        key: the same for a request that is made again.
        origin: where to ask, if not at the door.
        tenant: whose.
        user: who asks.
    """
    headers = bearer(caller_token(tenant=tenant, user=user)) | {"Idempotency-Key": key}
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("message", orjson.dumps(body).decode(), content_type="application/json")
    for name, content in files:
        form.add_field(
            "attachment", BytesIO(content), filename=name, content_type="application/pdf"
        )
    more: Json = {"data": form} if files else {"json": body}
    url = f"{origin or house.doors['web']}/v1/mail/messages"
    async with house.session.post(url, headers=headers, **more) as answer:
        return answer.status, await answer.json()


async def tell_deal(house: House, name: str, *, tenant: str = "acme") -> None:
    """Have the mail service know a deal that no address stands for."""
    url = f"{house.doors['web']}/v1/mail/entities/deal/{name}"
    body = {"version": 1, "name": name, "emails": []}
    headers = bearer(service_caller_token(tenant=tenant))
    async with house.session.put(url, json=body, headers=headers) as answer:
        assert answer.ok, await answer.text()
