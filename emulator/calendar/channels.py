"""Notification channels: who is told of changes, and what they are told.

Source: https://developers.google.com/workspace/calendar/api/guides/push
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Final

from emulator.calendar.agenda import Agenda
from emulator.calendar.event import StoredEvent
from emulator.clock import Clock

Json = dict[str, Any]

_WIDEST_GAP: Final = 4


@dataclass(slots=True)
class Channel:
    """One client's channel to one collection.

    Attributes:
        target: id of the calendar whose events are watched, or of the person whose list is.
        sub: the person who opened it.
        event_types: only these events matter; empty for all.
        number: of the last message.
    """

    id: str
    resource_id: str
    resource_uri: str
    address: str
    target: str
    sub: str
    client_id: str
    expires_ms: int
    token: str | None = None
    event_types: frozenset[str] = frozenset()
    number: int = 0

    def json(self) -> Json:
        """Return it as `watch` answers it."""
        shown = {
            "kind": "api#channel",
            "id": self.id,
            "resourceId": self.resource_id,
            "resourceUri": self.resource_uri,
            "expiration": str(self.expires_ms),
        }
        return shown if self.token is None else {**shown, "token": self.token}

    def next_message(self, state: str) -> dict[str, str]:
        """Return the headers of the next message; numbers rise, with gaps."""
        self.number += 1 if not self.number else 1 + secrets.randbelow(_WIDEST_GAP)
        return self.message(state, self.number)

    def message(self, state: str, number: int) -> dict[str, str]:
        """Return the headers of a message with that number."""
        expires = datetime.fromtimestamp(self.expires_ms // 1000, UTC)
        headers = {
            "X-Goog-Channel-ID": self.id,
            "X-Goog-Channel-Expiration": format_datetime(expires, usegmt=True),
            "X-Goog-Message-Number": str(number),
            "X-Goog-Resource-ID": self.resource_id,
            "X-Goog-Resource-State": state,
            "X-Goog-Resource-URI": self.resource_uri,
        }
        return headers if self.token is None else {**headers, "X-Goog-Channel-Token": self.token}


@dataclass(slots=True)
class Channels:
    """All channels; `send` delivers one message.

    A request that changes a hundred events tells a channel once: changes are gathered until the
    loop gets its turn.
    """

    clock: Clock
    send: Callable[[Channel, dict[str, str]], None]
    open: dict[str, Channel] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    announced: int = 0
    _watching: dict[str, list[str]] = field(default_factory=dict)
    _due: dict[str, Channel] = field(default_factory=dict)

    def start(self, channel: Channel) -> None:
        """Open a channel and greet its address."""
        self.used.add(channel.id)
        self.open[channel.id] = channel
        self._watching.setdefault(channel.target, []).append(channel.id)
        self._tell(channel, "sync")

    def stop(self, channel: Channel) -> None:
        """Close a channel."""
        self.open.pop(channel.id, None)
        watching = self._watching.get(channel.target, [])
        if channel.id in watching:
            watching.remove(channel.id)

    def live(self) -> list[Channel]:
        """Return the channels that have not expired; the others are closed."""
        now = self.clock.now_ms()
        for channel in list(self.open.values()):
            if channel.expires_ms <= now:
                self.stop(channel)
        return list(self.open.values())

    def events_changed(self, agenda: Agenda, event: StoredEvent) -> None:
        """Tell those who watch the calendar's events."""
        for channel_id in self._watching.get(agenda.id, ()):
            channel = self.open[channel_id]
            if not channel.event_types or event.type in channel.event_types:
                self._owe(channel)

    def list_changed(self, sub: str) -> None:
        """Tell those who watch a person's calendar list."""
        for channel_id in self._watching.get(sub, ()):
            self._owe(self.open[channel_id])

    def retarget(self, old: str, new: str) -> None:
        """Follow a calendar to another id."""
        self._watching.setdefault(new, []).extend(self._watching.pop(old, ()))
        for channel_id in self._watching[new]:
            self.open[channel_id].target = new

    def close(self) -> None:
        """Close all channels."""
        self.open.clear()
        self._watching.clear()
        self._due.clear()

    def _owe(self, channel: Channel) -> None:
        if not self._due:
            asyncio.get_running_loop().call_soon(self._pay)
        self._due[channel.id] = channel

    def _pay(self) -> None:
        due = list(self._due.values())
        self._due.clear()
        now = self.clock.now_ms()
        for channel in due:
            if channel.expires_ms <= now:
                self.stop(channel)
            elif channel.id in self.open:
                self._tell(channel, "exists")

    def _tell(self, channel: Channel, state: str) -> None:
        self.announced += 1
        self.send(channel, channel.next_message(state))
