"""Cancelling whoever waits for the broker."""

import asyncio

import pytest

from libs.common.bus.link import BrokerLost, broker_errors


async def test_a_cancellation_the_client_swallowed_still_ends_the_task() -> None:
    waiting = asyncio.Event()

    async def client_that_swallows() -> None:
        waiting.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return

    async def work() -> None:
        with broker_errors():
            await client_that_swallows()
        raise AssertionError("it went on")

    task = asyncio.create_task(work())
    await waiting.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_nobody_asked_for_is_a_lost_broker() -> None:
    with pytest.raises(BrokerLost), broker_errors():
        raise asyncio.CancelledError
