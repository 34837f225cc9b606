"""What is done to the stack, and what has to come of it."""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp

from cli import compose, tokens
from cli.demo.crm import Crm
from cli.demo.stage import Stage
from tests.containers import host
from tests.containers.load import going_on
from tests.containers.mailbox import TIMEOUT, Mailbox
from tests.containers.stack import PROJECT_NAME, Stack

AWAY_S = 6.0
RECOVERED_S = 120.0
MAIL_EVERY_S = 0.4
BACK = f"{PROJECT_NAME}_back"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that happens to a part while mail comes in, and how it is ended."""

    name: str
    begin: Callable[[Stack], object]
    end: Callable[[Stack], object]


def _each(service: str, *words: str) -> Callable[[Stack], None]:
    def do(stack: Stack) -> None:
        for container in stack.containers(service):
            stack.docker(*words, container)

    return do


def _killed(service: str) -> Fault:
    return Fault(
        f"{service} killed",
        lambda stack: stack.compose("kill", "--signal", "KILL", service),
        lambda stack: stack.up(),
    )


def _paused(service: str) -> Fault:
    return Fault(
        f"{service} paused",
        lambda stack: stack.compose("pause", service),
        lambda stack: stack.compose("unpause", service),
    )


def _cut_off(service: str) -> Fault:
    return Fault(
        f"{service} cut off from the servers",
        _each(service, "network", "disconnect", BACK),
        _each(service, "network", "connect", BACK),
    )


FAULTS = (
    *(_paused(service) for service in ("rabbitmq", "postgres", "mail-worker", "auth-web")),
    *(_cut_off(service) for service in ("mail-worker", "auth-web")),
    *(_killed(one) for one in ("rabbitmq", "postgres", "mail-worker", "mail-web", "auth-worker")),
)


async def prove(stack: Stack) -> None:
    """Break and roll a running stack; mail keeps coming all the while.

    Raises:
        AssertionError: something was lost, told twice, refused, or did not recover.
    """
    stage = compose.stage(stack.env)
    token = tokens.issue(stage.environments, user="ada", tenant="acme", now=datetime.now(UTC))
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        crm = Crm(
            session,
            auth_url=stage.auth_url,
            mail_url=stage.mail_url,
            calendar_url=stage.calendar_url,
            token=token,
        )
        email = f"alice.{secrets.token_hex(2)}@example.com"
        mailbox = Mailbox(session, stage, crm, email)
        await mailbox.connect()
        for fault in FAULTS:
            await _survive(stack, fault, mailbox)
        await mailbox.told(RECOVERED_S)
        host.say(f"{len(mailbox.sent)} messages: none lost, each told once")
        await _roll(stack, stage, token, mailbox)
        await mailbox.told(RECOVERED_S)


async def _survive(stack: Stack, fault: Fault, mailbox: Mailbox) -> None:
    await mailbox.receive()
    async with _incoming(mailbox):
        await asyncio.to_thread(fault.begin, stack)
        await asyncio.sleep(AWAY_S)
        await asyncio.to_thread(fault.end, stack)
    seconds = await mailbox.settled(RECOVERED_S)
    host.say(f"{fault.name}: all mail there {seconds:.1f} s after its end")


async def _roll(stack: Stack, stage: Stage, token: str, mailbox: Mailbox) -> None:
    url = f"{stage.mail_url}/v1/mail/messages?limit=1"
    assert stage.google_origin
    async with (
        _incoming(mailbox),
        going_on(url=url, token=token, google=stage.google_origin, email=mailbox.email) as load,
    ):
        seconds = await asyncio.to_thread(stack.roll)
    assert not load.failed, f"failed while rolling: {load.failed}"
    host.say(f"every container of ours replaced in {seconds:.0f} s: {load.summary()}, none failed")
    await mailbox.settled(RECOVERED_S)


class _incoming:  # noqa: N801 - reads as the state it is
    """Mail arrives inside the block."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._mailbox.receive_every(MAIL_EVERY_S))

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
