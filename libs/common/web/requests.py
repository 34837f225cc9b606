"""Reading requests and writing answers; every refusal names the field."""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, TypeVar, get_args, get_origin
from uuid import UUID

import orjson
from aiohttp import hdrs, web
from pydantic import BaseModel, ValidationError

from libs.common.errors import InvalidInput, NotFound, TooLarge
from libs.common.web.problems import UnsupportedMediaType
from libs.common.web.routes import MAX_BODY, ROUTE

M = TypeVar("M", bound=BaseModel)

BODY: web.RequestKey[bytes] = web.RequestKey("body", bytes)
JSON = "application/json"
MAX_ERRORS = 20
MAX_DEPTH = 32
"""Deeper than any model; what is searched for a field's path must not nest without end."""
NUL_ESCAPE = b"\\u0000"
TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


async def read_bytes(request: web.Request) -> bytes:
    """Return the body, at most the route's `max_body` bytes; a second call costs nothing.

    Nothing is read, nor invited (`Expect: 100-continue`), when the announced length is
    already too much, or says nothing of how long the body becomes.

    Raises:
        TooLarge: the body is larger.
        UnsupportedMediaType: it is compressed.
    """
    kept: bytes | None = request.get(BODY)
    if kept is not None:
        return kept
    body = await _read(request)
    request[BODY] = body
    return body


async def _read(request: web.Request) -> bytes:
    if request.content.is_eof():  # it came with the headers, as small ones do
        _check_form(request)
        return _within(max_body(request), request.content.read_nowait())
    raw = bytearray()
    async for chunk in iter_body(request):
        raw += chunk
    return bytes(raw)


def _within(limit: int, body: bytes) -> bytes:
    if len(body) > limit:
        raise _too_large(limit)
    return body


async def iter_body(request: web.Request) -> AsyncIterator[bytes]:
    """Yield the body as it comes, at most the route's `max_body` bytes in all; only once.

    Raises:
        TooLarge, UnsupportedMediaType: as `read_bytes`.
    """
    _check_form(request)
    await _invite(request)
    limit, size = max_body(request), 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        yield chunk


async def begin_body(request: web.Request) -> None:
    """Check what is announced of the body, and invite it; for who reads it in a way of their own.

    Raises:
        TooLarge, UnsupportedMediaType: as `read_bytes`.
    """
    _check_form(request)
    await _invite(request)


def _check_form(request: web.Request) -> None:
    check_length(request)
    encoding = request.headers.get(hdrs.CONTENT_ENCODING)
    if encoding is not None and encoding.lower() != "identity":
        raise UnsupportedMediaType("The body must not be compressed.")


def check_length(request: web.Request) -> None:
    """Refuse a body by its announced length.

    Raises:
        TooLarge: it is larger than the route takes.
    """
    limit = max_body(request)
    if (request.content_length or 0) > limit:
        raise _too_large(limit)


def max_body(request: web.Request) -> int:
    """Return the largest body in bytes that the request's route takes."""
    route = request.get(ROUTE)
    return MAX_BODY if route is None else route.max_body


def _too_large(limit: int) -> TooLarge:
    return TooLarge("The body is too large.", limit_bytes=limit)


async def _invite(request: web.Request) -> None:
    """Send the `100 Continue` that `hold_expect` held back."""
    if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
        writer = request.writer
        await writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        writer.output_size = 0  # as aiohttp's own handler does


async def hold_expect(request: web.Request) -> None:
    """Leave `Expect: 100-continue` unanswered until somebody wants the body."""
    del request


async def read_body(request: web.Request, model: type[M]) -> M:
    """Return the JSON body as `model`; where the route says so, none counts as `{}`.

    Raises:
        InvalidInput: not JSON (field `body`), or fields that `model` refuses.
        UnsupportedMediaType: a body of another type.
        TooLarge: see `read_bytes`.
    """
    route = request.get(ROUTE)
    if route is not None and route.optional_body and not request.body_exists:
        return parse_json(b"{}", model)
    if request.content_type != JSON or (request.charset or "utf-8").lower() != "utf-8":
        raise UnsupportedMediaType("The body must be application/json in UTF-8.")
    return parse_json(await read_bytes(request), model)


def parse_json(raw: bytes, model: type[M]) -> M:
    """Return JSON text as `model`.

    Raises:
        InvalidInput: not JSON (field `body`), NUL in a text, or fields that `model` refuses.
    """
    try:
        # orjson is the stricter of the two parsers: no NaN, no lone surrogates.
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as exc:
        raise InvalidInput.field("body", "is not valid JSON") from exc
    if NUL_ESCAPE in raw and (path := next(_nul_paths(value, ()), None)) is not None:
        raise InvalidInput.field(field_path(path) or "body", "must not contain NUL")
    try:
        return model.model_validate_json(raw, strict=True)  # as documented: 0 is not false
    except ValidationError as exc:
        raise invalid(exc) from exc


def _nul_paths(value: Any, path: tuple[int | str, ...]) -> Iterator[tuple[int | str, ...]]:
    """Yield where texts hold NUL.

    Raises:
        InvalidInput: field `body`, when it nests too deeply to be looked through.
    """
    if len(path) > MAX_DEPTH:
        raise InvalidInput.field("body", "nests too deeply")
    if isinstance(value, str):
        if "\0" in value:
            yield path
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _nul_paths(item, (*path, index))
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from (path,) if "\0" in name else _nul_paths(item, (*path, name))


def read_query(request: web.Request, model: type[M]) -> M:
    """Return the query string as `model`; parameters it types as lists may repeat.

    Raises:
        InvalidInput: a parameter that `model` refuses, or one given twice.
    """
    lists = {
        name
        for key, field in model.model_fields.items()
        if _is_list(field.annotation)
        for name in (key, field.alias or key)
    }
    values: dict[str, Any] = {}
    for name in request.query:
        given = request.query.getall(name)
        if any(not _is_clean(text) for text in (name, *given)):
            raise InvalidInput.field(_printable(name), "must be text without NUL")
        if name not in lists and len(given) > 1:
            raise InvalidInput.field(name, "must be given once")
        values[name] = given if name in lists else given[0]
    try:
        return model.model_validate(values)
    except ValidationError as exc:
        raise invalid(exc) from exc


def _is_list(annotation: Any) -> bool:
    if get_origin(annotation) in (list, tuple, set, frozenset):
        return True
    return any(_is_list(part) for part in get_args(annotation))


def _is_clean(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def _printable(name: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in name)


def invalid(exc: ValidationError) -> InvalidInput:
    """Return pydantic's verdict as ours: which fields, and why; never the values."""
    errors = [
        {"field": field_path(error["loc"]) or "body", "detail": _detail(error["msg"])}
        for error in exc.errors(include_url=False, include_context=False, include_input=False)
    ]
    return InvalidInput("The request is not valid.", errors=errors[:MAX_ERRORS])


def _detail(message: str) -> str:
    return message.removeprefix("Value error, ")


def field_path(location: tuple[int | str, ...]) -> str:
    """Return a field's place as people write it: `products[0].name`; "" is the whole."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{_printable(part)}" if path else _printable(part)
    return path


def path_uuid(request: web.Request, name: str = "id") -> UUID:
    """Return a path variable as a UUID.

    Raises:
        NotFound: it is none, in the usual form, so nothing can be there.
    """
    text = request.match_info[name]
    try:
        value = UUID(text)
    except ValueError as exc:
        raise NotFound("There is no such thing.") from exc
    if str(value) != text.lower():
        raise NotFound("There is no such thing.")
    return value


def traceparent(request: web.Request) -> str | None:
    """Return the caller's trace context, when it sent a valid one.

    Source: https://www.w3.org/TR/trace-context/#traceparent-header
    """
    value = request.headers.get("traceparent", "")
    return value if TRACEPARENT.fullmatch(value) else None


def reply(
    content: BaseModel | Mapping[str, Any] | list[Any],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Return `content` as a JSON answer (times in ISO 8601, UUIDs as text)."""
    body = to_json(content)
    return web.Response(status=status, body=body, content_type=JSON, headers=headers)


def to_json(content: object) -> bytes:
    """Return `content`, models inside it included, as JSON."""
    if isinstance(content, BaseModel):
        return content.model_dump_json(by_alias=True).encode()
    return orjson.dumps(content, default=_dump)


def _dump(value: object) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    raise TypeError(f"{type(value).__name__} has no JSON form")
