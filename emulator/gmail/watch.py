"""Push notifications of one mailbox: who watches it, and when a change is announced.

Source: https://developers.google.com/workspace/gmail/api/guides/push
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field

from emulator.clock import Clock
from emulator.config import Switches
from emulator.gmail.mailbox import Mailbox, Record


@dataclass(frozen=True, slots=True)
class Watch:
    """One client's watch of one mailbox; `excluding` turns the label filter round."""

    email: str
    client_id: str
    topic: str
    label_ids: frozenset[str]
    excluding: bool
    expires_ms: int

    def wants(self, record: Record) -> bool:
        """Return whether a change concerns the labels that are watched."""
        if not self.label_ids:
            return True
        touched = bool(self.label_ids & {*record.after, *record.labels})
        return touched is not self.excluding


@dataclass(slots=True)
class _Pace:
    last: float = float("-inf")
    timer: asyncio.TimerHandle | None = None


@dataclass(slots=True)
class Watches:
    """All watches, and the limit of one notification per second for each.

    Google drops what exceeds the rate. Here the last of a burst is announced when the second is
    over (`coalesce_notifications`); switched off, it is dropped, and only the next change or a
    poll of the client brings the state to light.
    """

    clock: Clock
    publish: Callable[[str, bytes], None]
    switches: Callable[[], Switches]
    mailbox: Callable[[str], Mailbox]
    active: dict[str, dict[str, Watch]] = field(default_factory=dict)
    sent: int = 0
    dropped: int = 0
    _paces: dict[tuple[str, str], _Pace] = field(default_factory=dict)

    def live(self, email: str, client_id: str) -> Watch | None:
        """Return the client's watch of that mailbox, or None when there is none or it lapsed."""
        found = self.active.get(email, {}).get(client_id)
        return found if found and found.expires_ms > self.clock.now_ms() else None

    def start(self, watch: Watch) -> None:
        """Keep the watch and announce the mailbox's state at once."""
        self.active.setdefault(watch.email, {})[watch.client_id] = watch
        self._announce(watch)

    def stop(self, email: str, client_id: str) -> None:
        """Forget the watch, if there is one."""
        self.active.get(email, {}).pop(client_id, None)
        pace = self._paces.pop((email, client_id), None)
        if pace is not None and pace.timer is not None:
            pace.timer.cancel()

    def changed(self, mailbox: Mailbox, record: Record) -> None:
        """Announce a change to everyone who watches for it."""
        for client_id in list(self.active.get(mailbox.email, ())):
            watch = self.live(mailbox.email, client_id)
            if watch is not None and watch.wants(record):
                self._announce_in_time(watch)

    def stop_all(self, email: str) -> None:
        """Forget every client's watch of that mailbox."""
        for client_id in list(self.active.get(email, ())):
            self.stop(email, client_id)

    def close(self) -> None:
        """Cancel what is still to be announced."""
        for email in list(self.active):
            self.stop_all(email)

    def _announce_in_time(self, watch: Watch) -> None:
        loop = asyncio.get_running_loop()
        switches = self.switches()
        pace = self._paces.setdefault((watch.email, watch.client_id), _Pace())
        wait_s = pace.last + switches.notification_interval_s - loop.time()
        if wait_s <= 0:
            self._announce(watch)
        elif switches.coalesce_notifications and pace.timer is None:
            pace.timer = loop.call_later(wait_s, self._announce, watch)
        else:
            self.dropped += 1

    def _announce(self, watch: Watch) -> None:
        pace = self._paces.setdefault((watch.email, watch.client_id), _Pace())
        pace.last = asyncio.get_running_loop().time()
        if pace.timer is not None:
            pace.timer.cancel()
            pace.timer = None
        mailbox = self.mailbox(watch.email)
        body = {"emailAddress": watch.email, "historyId": mailbox.history_id}
        self.sent += 1
        self.publish(watch.topic, json.dumps(body, separators=(",", ":")).encode())
