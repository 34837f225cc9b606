"""Reading Google's answers: what all of its APIs have in common."""

import json
import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import orjson
import structlog
from pydantic import BaseModel, Field, ValidationError

from libs.common.errors import Transient
from libs.common.google.wire import AnswerUnreadable

log = structlog.get_logger(__name__)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NUL = rb"\u0000"
UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")

M = TypeVar("M", bound=BaseModel)

Number = Annotated[int, Field(ge=0, lt=2**63)]
Millis = Annotated[int, Field(ge=0, lt=253_402_300_800_000)]
"""Milliseconds since 1970, up to the year 9999."""
Id = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[!-~]+$")]


def decoded(body: bytes) -> Any:
    """Return JSON without what Postgres cannot hold: NUL, and half an emoji.

    Google cuts texts by length, and so an emoji in half: that leaves a lone surrogate.

    Raises:
        Transient: `malformed`: it is no JSON, or nested without end.
    """
    if NUL not in body:
        with suppress(orjson.JSONDecodeError):
            return orjson.loads(body)
    try:
        loose = _storable(json.loads(body.decode("utf-8", errors="replace")))
        return orjson.loads(json.dumps(loose))  # numbers are as in any other answer then
    except (ValueError, RecursionError):
        raise Transient("Google's answer is not JSON.", reason="malformed") from None


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return UNSTORABLE.sub("", value)
    if isinstance(value, list):
        return [_storable(one) for one in value]
    if isinstance(value, dict):
        return {_storable(name): _storable(one) for name, one in value.items()}
    return value


def places_of(exc: ValidationError) -> list[str]:
    """Return what of an answer was wrong, a few places of it; never with what."""
    return sorted({".".join(map(str, one["loc"])) for one in exc.errors(include_input=False)})[:5]


def parsed(model: type[M], answer: Any) -> M:
    """Return Google's answer as `model`.

    Raises:
        AnswerUnreadable: it is none.
    """
    try:
        return model.model_validate(answer)
    except ValidationError as exc:
        log.warning("google_answer_unreadable", model=model.__name__, places=places_of(exc))
        # Its cause would quote the content.
        raise AnswerUnreadable("Google's answer is not readable.") from None


def next_page(token: str | None, *, after: str | None) -> str | None:
    """Return the next page's token; an empty one is none.

    Raises:
        AnswerUnreadable: it is the token of the page it came with: following it would never end.
    """
    if token and token == after:
        raise AnswerUnreadable("Google's pages lead in a circle.")
    return token or None
