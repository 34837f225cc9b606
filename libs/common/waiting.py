"""Waiting, for a while, until something that others do is done; and how callers ask for it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field

LONGEST_WAIT_S = 30
"""That a caller may ask for."""
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0

T = TypeVar("T")


class WaitQuery(BaseModel):
    """Whether to wait for the end of what was asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    wait: int = Field(
        default=0,
        ge=0,
        le=LONGEST_WAIT_S,
        description="Answer when it has ended, or after so many seconds",
    )


async def wait_until(look: Callable[[], Awaitable[tuple[T, bool]]], *, timeout_s: float) -> T:
    """Return what `look` finds once it says that this is final, or after about `timeout_s`.

    It looks again after pauses that grow to a second.
    """
    loop = asyncio.get_running_loop()
    deadline, pause_s = loop.time() + timeout_s, FIRST_PAUSE_S
    while True:
        found, is_final = await look()
        left_s = deadline - loop.time()
        if is_final or left_s <= 0:
            return found
        await asyncio.sleep(min(pause_s, left_s))
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
