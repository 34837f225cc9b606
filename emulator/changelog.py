"""What changed in what order: the memory behind sync tokens."""

from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

_FEW: Final = 64


class ChangeLog:
    """Keys by the revision of their last change, oldest first. A change costs O(1)."""

    def __init__(self) -> None:
        self.revision = 1
        self.floor = 1
        self._entries: list[tuple[int, str]] = []
        self._latest: dict[str, int] = {}

    def touch(self, key: str) -> int:
        """Note that `key` changed just now; return the revision."""
        self.revision += 1
        self._entries.append((self.revision, key))
        self._latest[key] = self.revision
        if len(self._entries) > _FEW + 2 * len(self._latest):
            self._entries = [
                entry for entry in self._entries if self._latest.get(entry[1]) == entry[0]
            ]
        return self.revision

    def since(self, revision: int) -> Iterator[tuple[int, str]]:
        """Yield each key that changed after `revision` once, at its last change."""
        start = bisect_right(self._entries, revision, key=lambda entry: entry[0])
        for index in range(start, len(self._entries)):
            entry = self._entries[index]
            if self._latest.get(entry[1]) == entry[0]:
                yield entry

    def knows(self, revision: int) -> bool:
        """Return whether what followed `revision` is still known."""
        return self.floor <= revision <= self.revision

    def expire(self) -> None:
        """Make every revision that was ever given out too old."""
        self.revision += 1
        self.floor = self.revision
