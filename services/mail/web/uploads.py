"""Reading a message to be sent: JSON alone, or a form of JSON and files."""

import hashlib
from typing import TypeVar

from aiohttp import BodyPartReader, web
from pydantic import BaseModel

from libs.common.errors import InvalidInput, TooLarge
from libs.common.web import UnsupportedMediaType, iter_body
from libs.common.web.multipart import FORM, Budget, iter_part, iter_parts
from libs.common.web.requests import JSON, parse_json
from services.mail.sync.outward.enclosing import Enclosing

MESSAGE = "message"
ATTACHMENT = "attachment"
MAX_JSON = 4 * 1024 * 1024
MAX_BODY = 40 * 1024 * 1024
"""All of a form; Gmail takes less, and what it takes is checked for itself."""

M = TypeVar("M", bound=BaseModel)


async def read_message(
    request: web.Request, model: type[M], enclosing: Enclosing
) -> tuple[M, bytes]:
    """Return what is to be sent, and what tells this request from another with the same key.

    A form has a part `message` (JSON) first, then parts `attachment`, each a file.

    Raises:
        InvalidInput, TooLarge, UnsupportedMediaType: it is none of the two, or not valid.
    """
    if request.content_type != FORM:
        body = await _alone(request)
        return parse_json(body, model), body
    budget, found, told = Budget(request), None, hashlib.sha256()
    async for part in iter_parts(request):
        if part.name == MESSAGE and found is None:
            raw = await _json(part, budget)
            found = parse_json(raw, model)
            told.update(hashlib.sha256(raw).digest())
        elif part.name == ATTACHMENT and found is not None:
            content_type = part.headers.get("Content-Type", "")
            await enclosing.add(part.filename, content_type, iter_part(part, budget))
        else:
            raise InvalidInput.field(
                "body", f"must be one part `{MESSAGE}`, then parts `{ATTACHMENT}`"
            )
    if found is None:
        raise InvalidInput.field(MESSAGE, "is missing")
    for one in enclosing.enclosed:
        meta = one.enclosure
        told.update(f"{meta.filename}\0{meta.content_type}\0{meta.size}\0".encode())
        told.update(meta.sha256)
    return found, told.digest()


async def _alone(request: web.Request) -> bytes:
    """Return a body that is JSON alone: of it less is taken than of a form."""
    if request.content_type != JSON or (request.charset or "utf-8").lower() != "utf-8":
        raise UnsupportedMediaType(f"The body must be {JSON} in UTF-8, or {FORM}.")
    raw = bytearray()
    async for chunk in iter_body(request):
        raw += chunk
        if len(raw) > MAX_JSON:
            raise TooLarge("The message is too large.", limit_bytes=MAX_JSON)
    return bytes(raw)


async def _json(part: BodyPartReader, budget: Budget) -> bytes:
    raw = bytearray()
    async for chunk in iter_part(part, budget):
        raw += chunk
        if len(raw) > MAX_JSON:
            raise TooLarge("The message is too large.", limit_bytes=MAX_JSON)
    return bytes(raw)
