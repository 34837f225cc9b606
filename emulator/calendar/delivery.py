"""Notifications on their way: one request each, retried only when the receiver says 5xx.

Source: https://developers.google.com/workspace/calendar/api/guides/push
"""

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import structlog

from emulator.calendar.channels import Channel

Json = dict[str, Any]
_log = structlog.get_logger(__name__)

_TAKEN: Final = frozenset({102, 200, 201, 202, 204})
_RETRIED: Final = frozenset({500, 502, 503, 504})
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 60.0
_MOST_ATTEMPTS: Final = 12
_IN_FLIGHT: Final = 64
_TIMEOUT_S: Final = 30.0
_MOST_KEPT: Final = 1000
_AGENT: Final = "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)"


@dataclass(slots=True)
class DeliverySwitches:
    """Faults of delivery; counters run down to nothing.

    Attributes:
        reorder: so many are held back, then delivered one by one, the newest first.
        early_sync: the answer of `watch` waits until its `sync` message was delivered.
    """

    paused: bool = False
    delay_s: float = 0.0
    drop: int = 0
    duplicate: int = 0
    reorder: int = 0
    early_sync: bool = False


@dataclass(slots=True)
class Notice:
    """One notification."""

    address: str
    headers: dict[str, str]
    attempts: int = 0


@dataclass(slots=True)
class Notifier:
    """Sends notifications without ever holding up the API."""

    switches: DeliverySwitches = field(default_factory=DeliverySwitches)
    log: deque[Json] = field(default_factory=lambda: deque(maxlen=_MOST_KEPT))
    counts: Counter[str] = field(default_factory=Counter)
    _held: list[Notice] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _syncs: set[asyncio.Task[None]] = field(default_factory=set)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_IN_FLIGHT))
    _session: aiohttp.ClientSession | None = None

    @property
    def waiting(self) -> int:
        """Return how many are held back, in flight or to be tried again."""
        return len(self._held) + len(self._tasks)

    async def start(self) -> None:
        """Open the client session."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), auto_decompress=False
        )

    async def close(self) -> None:
        """Cut off whatever is in flight."""
        await self.forget()
        if self._session is not None:
            await self._session.close()

    async def forget(self) -> None:
        """Drop everything that waits, and the memory of what was sent."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._held.clear()
        self.log.clear()
        self.counts.clear()

    def set_switches(self, switches: DeliverySwitches) -> None:
        """Replace the faults; what was held back goes out unless it is to be held on."""
        self.switches = switches
        if not switches.paused and not switches.reorder:
            self._release()

    def send(self, channel: Channel, headers: dict[str, str]) -> None:
        """Send a message to a channel's address, as the faults allow."""
        notice = Notice(channel.address, headers)
        switches = self.switches
        if switches.drop > 0:
            switches.drop -= 1
            self._note(notice, "dropped")
            return
        copies = [notice]
        if switches.duplicate > 0:
            switches.duplicate -= 1
            copies.append(Notice(notice.address, notice.headers))
        for copy in copies:
            self._offer(copy)

    async def settle_syncs(self) -> None:
        """Wait for the `sync` messages in flight, if answers of `watch` are to come after them."""
        if self.switches.early_sync and self._syncs:
            await asyncio.wait(set(self._syncs), timeout=_TIMEOUT_S)

    async def post(self, notice: Notice) -> int:
        """Return the receiver's status; 0 when no answer came."""
        if self._session is None:
            raise RuntimeError("the notifier has not been started")
        headers = {"User-Agent": _AGENT, "Accept": "*/*", "Content-Length": "0", **notice.headers}
        try:
            async with self._session.post(
                notice.address,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S),
            ) as response:
                return response.status
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError):
            return 0

    def _offer(self, notice: Notice) -> None:
        switches = self.switches
        if switches.paused:
            self._held.append(notice)
        elif switches.reorder:
            self._held.append(notice)
            if len(self._held) >= switches.reorder:
                switches.reorder = 0
                self._release(backwards=True)
        else:
            self._go([notice])

    def _release(self, *, backwards: bool = False) -> None:
        held, self._held = self._held, []
        if backwards:
            self._go(held[::-1])
        else:
            for notice in held:
                self._go([notice])

    def _go(self, notices: list[Notice]) -> None:
        """Deliver these one after the other, beside all others."""
        if not notices or self._session is None:
            return
        task = asyncio.create_task(self._deliver_all(notices))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if notices[0].headers.get("X-Goog-Resource-State") == "sync":
            self._syncs.add(task)
            task.add_done_callback(self._syncs.discard)

    async def _deliver_all(self, notices: list[Notice]) -> None:
        for notice in notices:
            await self._deliver(notice)

    async def _deliver(self, notice: Notice) -> None:
        """Try until the receiver takes it, or says something that is no reason to try again."""
        if self.switches.delay_s:
            await asyncio.sleep(self.switches.delay_s)
        while True:
            notice.attempts += 1
            async with self._slots:
                status = await self.post(notice)
            self._note(notice, status)
            if status in _TAKEN:
                self.counts["delivered"] += 1
                return
            if status not in _RETRIED or notice.attempts >= _MOST_ATTEMPTS:
                self.counts["lost"] += 1
                return
            self.counts["retried"] += 1
            await asyncio.sleep(min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (notice.attempts - 1)))

    def _note(self, notice: Notice, outcome: int | str) -> None:
        if outcome == "dropped":
            self.counts["dropped"] += 1
        entry = {
            "channel": notice.headers.get("X-Goog-Channel-ID", ""),
            "number": notice.headers.get("X-Goog-Message-Number", ""),
            "state": notice.headers.get("X-Goog-Resource-State", ""),
            "attempt": notice.attempts,
            "outcome": outcome,
        }
        self.log.append(entry)
        _log.info("calendar_notified", **entry)
