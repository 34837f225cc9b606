"""Gmail's push as Pub/Sub delivers it, decoded without I/O.

A push is a hint that a mailbox changed; it never says what changed, nor moves a cursor.
"""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from libs.common.addresses import LONGEST_ADDRESS, fold_address
from libs.common.errors import InvalidInput


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
        Source: https://cloud.google.com/pubsub/docs/push#receive_push
        """
        try:
            data = base64.b64decode(_WRAPPED.validate_json(body)["message"]["data"], validate=True)
        except (ValidationError, binascii.Error, ValueError) as exc:
            raise InvalidInput("The push carries no message of Pub/Sub's.") from exc
        return cls.from_data(data)

    @classmethod
    def from_data(cls, data: bytes) -> "Push":
        """Decode the data of a Pub/Sub message.

        Raises:
            InvalidInput: it is no notification of Gmail's.
        Source: https://developers.google.com/workspace/gmail/api/guides/push
        """
        try:
            notice = _NOTICE.validate_json(data)
        except (ValidationError, ValueError) as exc:
            raise InvalidInput("The push carries no notification of Gmail's.") from exc
        if not _is_address(notice["emailAddress"]):
            raise InvalidInput("The push names no mailbox.")
        return cls(address=fold_address(notice["emailAddress"]), history_id=notice["historyId"])


@dataclass(frozen=True, slots=True)
class Pulled:
    """A message of our subscription, ours until `ack_id` is acknowledged or given back."""

    ack_id: str
    data: bytes
    published_at: datetime | None


@dataclass(frozen=True, slots=True)
class Settling:
    """Messages that one piece of work settles: of one mailbox, or one that cannot be read."""

    push: Push | None
    pulled: tuple[Pulled, ...]


def settlings(pulled: Iterable[Pulled]) -> list[Settling]:
    """Return the work that messages ask for: all of one mailbox are one hint."""
    named: dict[str, list[tuple[Push, Pulled]]] = {}
    unreadable: list[Settling] = []
    for one in pulled:
        try:
            push = Push.from_data(one.data)
        except InvalidInput:
            unreadable.append(Settling(None, (one,)))
        else:
            named.setdefault(push.address, []).append((push, one))
    readable = [
        Settling(
            max((push for push, _ in each), key=lambda push: push.history_id),
            tuple(one for _, one in each),
        )
        for each in named.values()
    ]
    return readable + unreadable
