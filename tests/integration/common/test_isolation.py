import asyncio
import os
import time
from collections.abc import Callable
from typing import Any

import pytest
import uvloop

from libs.common.errors import NotFound
from libs.common.isolation import Overrun, run_isolated

MEMORY = 256 * 1024 * 1024


async def run(function: Callable[..., Any], *args: object, timeout_s: float = 20.0) -> Any:
    return await run_isolated(function, *args, timeout_s=timeout_s, memory_bytes=MEMORY)


async def test_the_result_comes_back_from_another_process() -> None:
    assert await run(os.getpid) != os.getpid()
    assert await run(divmod, 7, 2) == (3, 1)


async def test_what_the_function_raises_comes_back_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        await run(divmod, 1, 0)
    with pytest.raises(NotFound, match="nothing"):
        await run(exec, "from libs.common.errors import NotFound; raise NotFound('nothing')")


async def test_a_function_that_does_not_end_is_killed() -> None:
    await run(os.getpid)
    started = time.perf_counter()
    with pytest.raises(Overrun) as caught:
        await run(exec, "while True: pass", timeout_s=0.5)
    assert caught.value.slug == "parse-timeout"
    assert time.perf_counter() - started < 5
    assert await run(divmod, 7, 2) == (3, 1)


async def test_the_start_of_a_child_is_no_time_of_the_work() -> None:
    """On a busy machine it takes seconds, and the work is not to blame."""
    assert await run(divmod, 7, 2, timeout_s=0.05) == (3, 1)


async def test_a_function_that_takes_too_much_memory_is_stopped() -> None:
    with pytest.raises(Overrun) as caught:
        await run(bytearray, 2 * MEMORY)
    assert caught.value.slug == "parse-crashed"
    assert await run(divmod, 7, 2) == (3, 1)


async def test_the_limit_of_one_call_does_not_bind_the_next() -> None:
    with pytest.raises(Overrun):
        await run(bytearray, 2 * MEMORY)
    size = await run_isolated(
        eval, f"len(bytearray({2 * MEMORY}))", timeout_s=20, memory_bytes=4 * MEMORY
    )
    assert size == 2 * MEMORY


async def test_a_child_that_dies_is_replaced() -> None:
    with pytest.raises(Overrun) as caught:
        await run(os._exit, 3)
    assert caught.value.slug == "parse-crashed"
    assert await run(divmod, 7, 2) == (3, 1)


async def test_a_function_may_raise_a_time_out_of_its_own() -> None:
    with pytest.raises(TimeoutError, match="mine"):
        await run(exec, "raise TimeoutError('mine')", {})


async def test_at_most_two_work_at_once() -> None:
    who = "(__import__('time').sleep(0.2), __import__('os').getpid())[1]"
    pids = await asyncio.gather(*(run(eval, who) for _ in range(5)))
    assert 1 <= len(set(pids)) <= 2


async def test_a_caller_that_gives_up_ends_the_child() -> None:
    task = asyncio.create_task(run(time.sleep, 60))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await run(divmod, 7, 2) == (3, 1)


def test_it_works_under_uvloop_too() -> None:
    async def main() -> None:
        assert await run(divmod, 7, 2) == (3, 1)
        with pytest.raises(Overrun):
            await run(time.sleep, 60, timeout_s=0.5)
        with pytest.raises(Overrun):
            await run(os._exit, 3)
        assert await run(divmod, 7, 2) == (3, 1)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
