"""What a bench reports: rows of one table."""

from dataclasses import dataclass
from statistics import median
from typing import Literal


@dataclass(frozen=True, slots=True)
class Row:
    """One figure, its floor and the bound it must keep.

    `ratio` is what the bound is about: value / floor, unless there is no floor; then the value.
    """

    bench: str
    """The module that measured it."""
    name: str
    value: float
    unit: str
    floor: float | None = None
    bound: float | None = None
    """None: shown for the reader, nothing is claimed."""
    direction: Literal["at least", "at most"] = "at most"
    note: str = ""

    @property
    def ratio(self) -> float:
        """Return value / floor; the value itself without a floor."""
        if self.floor is None:
            return self.value
        return self.value / self.floor if self.floor else float("inf")

    @property
    def met(self) -> bool | None:
        """Return whether the bound holds; None where nothing is claimed."""
        if self.bound is None:
            return None
        return (
            self.ratio >= self.bound if self.direction == "at least" else self.ratio <= self.bound
        )


def middle(values: list[float]) -> float:
    """Return the median of the rounds."""
    return float(median(values))
