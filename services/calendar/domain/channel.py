"""Channels: what Google tells through one, and how long one lasts.

Source: https://developers.google.com/workspace/calendar/api/guides/push
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from libs.common.errors import InvalidInput, Unauthenticated

KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
LONGEST_TOKEN = 256
LONGEST_RESOURCE_ID = 1024
LARGEST_NUMBER = 2**63 - 1
EARLIEST_RENEWAL, LATEST_RENEWAL = 0.6, 0.8
"""Shares of what is left of its life."""


@dataclass(frozen=True, slots=True)
class ChannelKey:
    """A secret that tokens are made with."""

    id: str
    """1..64 letters, digits, - and _."""
    secret: bytes = field(repr=False)


class ChannelState(StrEnum):
    """How a channel of ours stands."""

    INTENDED = "intended"
    """We are about to ask for it: Google may know it already, we have no answer yet."""
    WATCHING = "watching"
    SUPERSEDED = "superseded"
    """Another has taken its place; it has to be stopped."""
    STOPPED = "stopped"
    """Nothing should come any more; its id is kept until it would have expired."""


class Verdict(StrEnum):
    """What to do with a notice whose token is right."""

    TAKE = "take"
    ADOPT = "adopt"
    """Take it, and keep its resource id: it came before the answer to our watch."""
    LEAVE = "leave"
    """It tells nothing new, or of nothing that is watched."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One notification: it says *that* a calendar changed, never *what* changed."""

    channel_id: UUID
    resource_id: str
    number: int
    """Rises per channel, with gaps."""
    is_greeting: bool
    """The channel was opened; nothing need have changed."""

    @classmethod
    def from_headers(cls, headers: Mapping[str, str], *, keys: Sequence[ChannelKey]) -> "Notice":
        """Decode and authenticate a notification; Google sends no body.

        Raises:
            Unauthenticated: the token is not one that we gave to this channel.
            InvalidInput: the token is right, and the rest makes no sense.
        """
        channel, token = headers.get("X-Goog-Channel-ID"), headers.get("X-Goog-Channel-Token")
        if not channel or not token or not verify(keys, channel, token):
            raise Unauthenticated("The notification does not come from a channel of ours.")
        resource_id = headers.get("X-Goog-Resource-ID", "")
        number = headers.get("X-Goog-Message-Number", "")
        if not re.fullmatch(r"\d{1,19}", number, re.ASCII) or int(number) > LARGEST_NUMBER:
            raise InvalidInput("The notification has no number.")
        if not 0 < len(resource_id) <= LONGEST_RESOURCE_ID or not resource_id.isprintable():
            raise InvalidInput("The notification names no resource.")
        try:
            channel_id = UUID(channel)
        except ValueError:
            raise InvalidInput("The notification names no channel.") from None
        greets = headers.get("X-Goog-Resource-State") == "sync"
        return cls(channel_id, resource_id, int(number), greets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A channel as we have it."""

    id: UUID
    state: ChannelState
    resource_id: str | None = None
    """None: Google has not told us yet."""
    last_number: int = 0
    expires_at: datetime | None = None


def verdict(channel: Channel | None, notice: Notice) -> Verdict:
    """Return what to do with a notice for `channel` (None: there is no such channel)."""
    if channel is None or channel.id != notice.channel_id:
        return Verdict.LEAVE
    if channel.state not in {ChannelState.INTENDED, ChannelState.WATCHING}:
        return Verdict.LEAVE
    if notice.number <= channel.last_number:
        return Verdict.LEAVE
    if channel.resource_id is None:
        return Verdict.ADOPT
    return Verdict.TAKE if channel.resource_id == notice.resource_id else Verdict.LEAVE


def channel_token(keys: Sequence[ChannelKey], channel_id: str) -> str:
    """Return the token to open a channel with, made with the first of `keys` (the newest).

    Google hands it back with every notification; who has it may tell us that something changed.
    """
    key = keys[0]
    if not KEY_ID.fullmatch(key.id):
        raise ValueError("the id of a key is 1..64 letters, digits, - and _")
    return f"{key.id}.{_mac(key, channel_id)}"


def verify(keys: Sequence[ChannelKey], channel_id: str, token: str) -> bool:
    """Say whether `token` was made for a channel with one of `keys`, whichever."""
    key_id, _, mac = token.partition(".")
    if len(token) > LONGEST_TOKEN:
        return False
    # No early end: how long it takes tells nothing about the token.
    rights = [
        hmac.compare_digest(_mac(key, channel_id).encode(), mac.encode("utf-8", "replace"))
        for key in keys
        if key.id == key_id
    ]
    return any(rights)


def renewal_at(expires_at: datetime, *, now: datetime, jitter: float) -> datetime:
    """Return when to open the next channel: well before this one ends.

    Args:
        expires_at: when it ends.
        now: the present moment.
        jitter: 0..1, drawn anew for each, so that channels opened together are not renewed so.
    """
    left = max(expires_at - now, timedelta())
    return now + left * (EARLIEST_RENEWAL + (LATEST_RENEWAL - EARLIEST_RENEWAL) * jitter)


def _mac(key: ChannelKey, channel_id: str) -> str:
    message = channel_id.encode("utf-8", "surrogatepass")
    return hmac.new(key.secret, message, hashlib.sha256).hexdigest()
