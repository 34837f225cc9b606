"""Breaking a path off at one message after the other, and seeing it mended."""

import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field

from tests.faults.paths import Path
from tests.house.house import House
from tests.house.points import Point, Watch
from tests.support import eventually

MEND_S = 60
RIGHT_S = 15
"""Less than a lease, which would otherwise run out unseen."""
SILENCE_S = 0.2


@dataclass
class Broken:
    """One point at which the process was killed, and how long the rest took to be right."""

    point: Point
    mended_s: float


@dataclass
class Crashes:
    """What became of one path."""

    path: str
    program: str
    found: list[Point] = field(default_factory=list)
    """The messages of an undisturbed run, in their order."""
    broken: list[Broken] = field(default_factory=list)
    commit: str = ""
    """Of the tree that was tried."""


async def survey(house: House, path: Path) -> list[Point]:
    """Return the messages of one undisturbed run."""
    watch = house.watches[path.program]
    begin = await path.prepare(house)
    await _started(watch, path)
    watch.arm(None)
    done = await begin()
    await eventually(done, timeout_s=MEND_S, what=path.name)
    await house.quiet()
    watch.disarm()
    await _right(house, path)
    return list(watch.seen)


async def break_at(
    house: House, path: Path, number: int, *, only: Point | None = None
) -> Broken | None:
    """Kill the process at its `number`th message; None: the path was done before.

    Args:
        house: where the path's stage is set.
        path: which.
        number: from 1.
        only: count only messages like this one.

    Raises:
        AssertionError: something was lost, doubled, or is not mended in time.
    """
    program, watch = house.programs[path.program], house.watches[path.program]
    begin = await path.prepare(house)
    await _started(watch, path)
    watch.arm(number, only=only)
    done = await begin()

    async def over() -> bool:
        return watch.dead or (await done() and not any((await house.busy()).values()))

    await eventually(over, timeout_s=MEND_S, what=f"{path.name} is over")
    if not watch.dead:
        watch.disarm()
        await _right(house, path)
        return None
    point = watch.seen[-1]
    await program.gone()
    watch.disarm()
    begun = time.monotonic()
    await program.start()
    await house.leases_pass()
    await eventually(done, timeout_s=MEND_S, what=f"{path.name} after {point} (#{number})")
    await house.quiet()
    mended_s = time.monotonic() - begun
    await _right(house, path, f"{path.name} after {point} (#{number})")
    return Broken(point, mended_s)


async def _started(watch: Watch, path: Path) -> None:
    """Wait until what a process does for itself is over: what is counted is the path's."""
    await eventually(lambda: watch.is_silent(SILENCE_S), what=f"{path.program} is silent")


async def _right(house: House, path: Path, what: str = "undisturbed") -> None:
    async def is_right() -> bool:
        wrong = await path.right(house)
        assert not wrong, wrong
        return True

    await eventually(is_right, timeout_s=RIGHT_S, what=what)


async def break_everywhere(house: House, path: Path) -> AsyncIterator[Broken]:
    """Kill the process at its first message, its second, ..., until none is left.

    Runs differ in what overlaps, so that one sort of message may have stood at another place each
    time: those that were spared are killed at in the end.
    """
    hit, number = set[Point](), 1
    while (broken := await break_at(house, path, number)) is not None:
        hit.add(broken.point)
        yield broken
        number += 1
    for point in dict.fromkeys(house.watches[path.program].seen):
        if point not in hit and (broken := await break_at(house, path, 1, only=point)):
            yield broken


async def break_sample(
    house: House, path: Path, found: Sequence[Point], *, seed: int
) -> AsyncIterator[Broken]:
    """Kill the process once in every class of points; which one, `seed` says."""
    for number in sampled(found, seed):
        if (broken := await break_at(house, path, number)) is not None:
            yield broken


def sampled(found: Iterable[Point], seed: int) -> list[int]:
    """Return numbers (from 1) of points, one for each class, another for each seed."""
    classes: dict[tuple[str, str, str], list[int]] = {}
    for number, point in enumerate(found, 1):
        classes.setdefault(point.sort, []).append(number)
    return sorted(numbers[seed % len(numbers)] for numbers in classes.values())
