"""Gmail's push as Pub/Sub delivers it, decoded without I/O.

A push is a hint that a mailbox changed; it never says what changed, nor moves a cursor.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from libs.common.addresses import LONGEST_ADDRESS, fold_address
from libs.common.errors import InvalidInput

__all__ = ["Push", "fold_address"]


def _uint64(value: Any) -> Any:
    # A JSON number on the wire, a string in the documentation; a boolean is neither.
    if isinstance(value, bool):
        raise ValueError("not a number")  # noqa: TRY004 - pydantic wants a ValueError
    if isinstance(value, str) and not (value.isascii() and value.isdigit()):
        raise ValueError("not a number")
    return value


# Dictionaries, not models: there are thousands a second, and nobody keeps one.
class _PubsubMessage(TypedDict):
    data: str


class _Wrapped(TypedDict):
    message: _PubsubMessage


class _Notice(TypedDict):
    emailAddress: Annotated[str, Field(min_length=3, max_length=LONGEST_ADDRESS)]
    historyId: Annotated[int, BeforeValidator(_uint64), Field(ge=0, lt=2**64)]


_WRAPPED, _NOTICE = TypeAdapter(_Wrapped), TypeAdapter(_Notice)


def _is_address(text: str) -> bool:
    return "@" in text and text.isprintable() and " " not in text


@dataclass(frozen=True, slots=True)
class Push:
    """One delivery: `address` (case-folded) changed, and stood at `history_id` then."""

    address: str
    history_id: int

    @classmethod
    def from_body(cls, body: bytes) -> "Push":
        """Decode the wrapped body of a Pub/Sub push.

        Raises:
            InvalidInput: it is no notification of Gmail's.
        Source: https://developers.google.com/workspace/gmail/api/guides/push
            https://cloud.google.com/pubsub/docs/push#receive_push
        """
        try:
            data = _WRAPPED.validate_json(body)["message"]["data"]
            notice = _NOTICE.validate_json(base64.b64decode(data, validate=True))
        except (ValidationError, binascii.Error, ValueError) as exc:
            raise InvalidInput("The push carries no notification of Gmail's.") from exc
        if not _is_address(notice["emailAddress"]):
            raise InvalidInput("The push names no mailbox.")
        return cls(address=fold_address(notice["emailAddress"]), history_id=notice["historyId"])
