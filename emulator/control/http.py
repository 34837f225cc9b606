"""How the control API reads bodies and answers faults."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from emulator.errors import ApiError
from emulator.people import Person
from emulator.world import WORLD

_Model = TypeVar("_Model", bound=BaseModel)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PREFIX: Final = "/_emulator"
_PAUSE_EVERY: Final = 100


class ControlError(Exception):
    """A request that the control API cannot serve."""

    def __init__(self, status: int, message: str, details: Any = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": message, **({"details": details} if details else {})}


async def body(request: web.Request, model: type[_Model]) -> _Model:
    """Return the decoded body; an empty one stands for all defaults.

    Raises:
        ControlError: 400 with the place of every fault.
    """
    raw = await request.read()
    try:
        return model.model_validate_json(raw or b"{}")
    except ValidationError as exc:
        details = exc.errors(include_url=False, include_context=False, include_input=False)
        raise ControlError(400, "the body is not valid", details) from exc


async def breathe(number: int) -> None:
    """Let others have a turn at times, while the `number`th of many things is done."""
    if number % _PAUSE_EVERY == _PAUSE_EVERY - 1:
        await asyncio.sleep(0)


def person(request: web.Request) -> Person:
    """Return the person that the path names by address or `sub`, or raise a 404."""
    found = request.app[WORLD].people.find(request.match_info["email"])
    if found is None:
        raise ControlError(404, "there is no such person")
    return found


@web.middleware
async def errors_to_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn the faults of the control API into JSON answers."""
    if not request.path.startswith(PREFIX):
        return await handler(request)
    if "Origin" in request.headers:  # a web page in somebody's browser, not a tool
        return web.json_response({"error": "web pages have no business here"}, status=403)
    try:
        return await handler(request)
    except ControlError as exc:
        return web.json_response(exc.body, status=exc.status)
    except ApiError as exc:
        return web.json_response({"error": str(exc)}, status=exc.code)
