"""Reading Google's answers: what all of its APIs have in common."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import orjson
import structlog
from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from libs.common.google.wire import AnswerUnreadable

log = structlog.get_logger(__name__)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")

M = TypeVar("M", bound=BaseModel)


def _without_surrogates(value: Any) -> Any:
    # Google cuts texts by length, and so an emoji in half.
    return value.encode("utf-8", "ignore").decode() if isinstance(value, str) else value


Number = Annotated[int, Field(ge=0, lt=2**63)]
Millis = Annotated[int, Field(ge=0, lt=253_402_300_800_000)]
"""Milliseconds since 1970, up to the year 9999."""
Id = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[!-~]+$")]
Text = Annotated[str, BeforeValidator(_without_surrogates)]


def storable(answer: Any) -> Any:
    """Return JSON without what Postgres cannot hold: NUL, and half an emoji where one was cut.

    Raises:
        AnswerUnreadable: it is nested too deeply.
    """
    try:
        if rb"\u0000" not in orjson.dumps(answer):
            return answer
    except orjson.JSONEncodeError:
        pass  # half an emoji, or a number that is too large
    try:
        return _cleaned(answer)
    except RecursionError:
        raise AnswerUnreadable("Google's answer is not readable.") from None


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return UNSTORABLE.sub("", value)
    if isinstance(value, list):
        return [_cleaned(one) for one in value]
    if isinstance(value, dict):
        return {_cleaned(name): _cleaned(one) for name, one in value.items()}
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
