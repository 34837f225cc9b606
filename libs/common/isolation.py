"""Work on what strangers send, in a process of its own that may be killed.

A parser that loops, or takes all the memory there is, ends alone: the event loop goes on, and
the next call gets a fresh process.
"""

import resource
from collections.abc import Callable
from typing import TypeVar

import anyio
from anyio import BrokenWorkerProcess, CapacityLimiter, to_process
from anyio.lowlevel import RunVar

from libs.common.errors import AppError, Transient

MOST_CHILDREN = 2
START_TIMEOUT_S = 60.0
"""A child imports what its work needs: seconds, on a machine that has other things to do."""

T = TypeVar("T")

_limiter: RunVar[CapacityLimiter] = RunVar("causeway_isolation_limiter")


class Overrun(AppError):
    """The work took more time or memory than it was given, or its process died.

    `slug` is `parse-timeout` or `parse-crashed`.
    """

    status = 422
    slug = "parse-crashed"


async def run_isolated(
    function: Callable[..., T], *args: object, timeout_s: float, memory_bytes: int
) -> T:
    """Return what `function` returns for `args`; it runs in a child process.

    At most two children work at a time in one event loop; who waits for one spends none of its
    own time. A child is used again, with the limits of its next call.

    Args:
        function: of a module, so that it can be pickled; what it returns can be, too.
        args: picklable.
        timeout_s: seconds from when the child begins to work; then it is killed.
        memory_bytes: how much its address space may grow over what the child had already.

    Raises:
        Overrun: it took too long (`parse-timeout`), or the memory did not suffice or the child
            died (`parse-crashed`).
        Transient: no child could be started within a minute, which is no fault of the work.
        Exception: what `function` raised, as it is.
    """
    async with _children():
        await _started(function)
        try:
            with anyio.fail_after(timeout_s) as scope:
                return await to_process.run_sync(
                    _limited,
                    function,
                    args,
                    memory_bytes,
                    cancellable=True,
                    limiter=CapacityLimiter(1),  # the place is taken already
                )
        except TimeoutError:
            if not scope.cancelled_caught:
                raise
            raise Overrun("The work took too long.", slug="parse-timeout") from None
        except MemoryError:
            raise Overrun("The work took too much memory.") from None
        except BrokenWorkerProcess:
            raise Overrun("The process of the work died.") from None


async def _started(function: Callable[..., object]) -> None:
    """Return once a child waits for work; the next call in this task gets it."""
    try:
        with anyio.fail_after(START_TIMEOUT_S) as scope:
            await to_process.run_sync(_know, function, cancellable=True, limiter=CapacityLimiter(1))
    except TimeoutError:
        if not scope.cancelled_caught:
            raise
        raise Transient("The machine is too busy to start a process.") from None
    except BrokenWorkerProcess:
        raise Transient("A process for the work could not be started.") from None


def _know(_function: Callable[..., object]) -> None:
    """Run in the child: what its argument needs is imported now."""


def _children() -> CapacityLimiter:
    """Return the event loop's own limiter."""
    try:
        return _limiter.get()
    except LookupError:
        limiter = CapacityLimiter(MOST_CHILDREN)
        _limiter.set(limiter)
        return limiter


def _limited(function: Callable[..., T], args: tuple[object, ...], memory_bytes: int) -> T:
    """Run in the child: set the limit, and lift it for the next call."""
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    limit = _address_space() + memory_bytes
    if most != resource.RLIM_INFINITY:
        limit = min(limit, most)
    resource.setrlimit(resource.RLIMIT_AS, (limit, most))
    try:
        return function(*args)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _address_space() -> int:
    """Return the bytes of this process's address space; 0 where /proc is not there."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - no path to join
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0
