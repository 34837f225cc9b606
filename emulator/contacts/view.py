"""What readers see of a book: every change, in order, some time after it was made."""

from collections import deque
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from emulator.changelog import ChangeLog


class Deletable(Protocol):
    """Something that leaves a trace when it is deleted."""

    @property
    def is_deleted(self) -> bool:
        """Return whether it is gone."""


T = TypeVar("T", bound=Deletable)


class View(Generic[T]):
    """States by key, and the log of their changes; what is told is seen after a delay."""

    def __init__(self) -> None:
        self.log = ChangeLog()
        self.states: dict[str, T] = {}
        self.live = 0
        self._coming: deque[tuple[float, str, T]] = deque()
        self._orders: dict[str, tuple[int, list[tuple[Any, str]]]] = {}

    def tell(self, at_s: float, key: str, state: T) -> None:
        """Have readers see a new state, in time."""
        self._coming.append((at_s, key, state))

    def settle(self, now_s: float, delay_s: float) -> None:
        """Let readers see what was told `delay_s` ago, or later than now: clocks can be moved."""
        while self._coming:
            at_s, key, state = self._coming[0]
            if at_s <= now_s < at_s + delay_s:
                return
            self._coming.popleft()
            self._show(key, state)

    @property
    def coming(self) -> int:
        """Return how many changes nobody sees yet."""
        return len(self._coming)

    def ordered(
        self, name: str, make: Callable[[], list[tuple[Any, str]]]
    ) -> list[tuple[Any, str]]:
        """Return an order over the keys, as it was made for the present state."""
        found = self._orders.get(name)
        if found is None or found[0] != self.log.revision:
            found = self._orders[name] = (self.log.revision, make())
        return found[1]

    def _show(self, key: str, state: T) -> None:
        before = self.states.get(key)
        self.live += (not state.is_deleted) - (before is not None and not before.is_deleted)
        self.states[key] = state
        self.log.touch(key)
