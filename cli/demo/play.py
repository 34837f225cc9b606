"""`causeway demo`: the stack (unless it runs), the story, then events until Ctrl-C."""

import asyncio
import secrets
import signal
import subprocess
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import NoReturn

import aiohttp
from rich.console import Console

from cli import tokens
from cli.demo import mailbag
from cli.demo.crm import Crm
from cli.demo.errors import StoryError
from cli.demo.google import Person, has_control_api
from cli.demo.letters import PERSON
from cli.demo.listener import Listener, listening, of_kind
from cli.demo.stage import Stage
from cli.demo.story import AUTHORIZED, RECEIVED, Cast, Moments, Story
from cli.demo.view import View
from cli.local import control
from cli.local.process import LocalStackError, end_child, log_tail
from cli.local.state import StackState, StateDirectory
from cli.settings import StackSettings
from libs.common import bus

USER, TENANT = "ada", "acme"
BY_HAND_TIMEOUT_S = 900.0
TIMEOUT = aiohttp.ClientTimeout(total=20)
LOG_LINES = 15
WATCH_S = 0.5
REAL = "For the real Google, `make up` first: a demo is played on the stack that runs."

console = Console(soft_wrap=True, highlight=False)


def play_on(stage: Stage, *, once: bool, mail: Path | None) -> int:
    """Play the story on a stack that runs and that others end; see `run` for what it returns."""
    if mail is not None:
        mailbag.check(mail)
    try:
        return asyncio.run(_perform(stage, once=once, mail=mail, supervisor=None))
    except KeyboardInterrupt:
        return 0 if not once else 130


def run(
    settings: StackSettings,
    home: StateDirectory,
    *,
    once: bool,
    mail: Path | None,
    show: Callable[[StackState], None],
) -> int:
    """Play the story; 0 if every step was seen, 1 if one was not, 130 after Ctrl-C.

    `mail` (an mbox file or a folder of .eml files) fills the mailbox before the story; None: the
    sample mailbox does. The stack is started if none runs, and then ended with us; one that runs
    is left running.

    Raises:
        LocalStackError: `mail` is nothing that holds mail, or the stack does not start.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    supervisor: subprocess.Popen[bytes] | None = None
    if mail is not None:
        mailbag.check(mail)
    try:
        if home.locked():
            state = control.bring_up(settings, home, tell=_tell)
            console.print("The stack is already running: the story is played on it.")
        else:
            home = StateDirectory(home.path, scratch=True)
            if settings.uses_real_google():
                console.print("GOOGLE_CLIENT_ID is left aside: the emulator plays Google. " + REAL)
            state, supervisor = control.bring_up_tethered(settings, home, tell=_tell)
        show(state)
        stage = Stage.local(state, home)
        return asyncio.run(_perform(stage, once=once, mail=mail, supervisor=supervisor))
    except KeyboardInterrupt:
        return 0 if not once else 130
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if supervisor:
            console.print("stopping everything ...", style="dim")
            end_child(supervisor, first=signal.SIGTERM, timeout_s=control.STOP_TIMEOUT_S)


def _tell(step: str) -> None:
    console.print(f"  {step} ...", style="dim")


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    raise KeyboardInterrupt


async def _perform(
    stage: Stage,
    *,
    once: bool,
    mail: Path | None,
    supervisor: subprocess.Popen[bytes] | None,
) -> int:
    moments = Moments()
    view = View(console, moments.of)
    async with (
        aiohttp.ClientSession(timeout=TIMEOUT) as session,
        listening(stage.amqp_url, on_event=view.take) as listener,
    ):
        rows = asyncio.create_task(view.run())
        try:
            cast = _cast(stage, session=session, listener=listener, view=view)
            cast.moments, cast.mail = moments, mail
            scene = _scene(cast, session, stage.google_origin)
            result = await _judge(scene, view=view, stage=stage)
            if result or once:
                return result
            view.step("every further event appears here; Ctrl-C ends it")
            await _until_stopped(supervisor)
        finally:
            rows.cancel()
    return 1


def _cast(
    stage: Stage,
    *,
    session: aiohttp.ClientSession,
    listener: Listener,
    view: View,
) -> Cast:
    token = tokens.issue(stage.environments, user=USER, tenant=TENANT, now=datetime.now(UTC))
    origin = stage.google_origin or ""
    name, _, domain = PERSON.partition("@")
    person = f"{name}.{secrets.token_hex(2)}@{domain}"  # somebody new each time
    return Cast(
        crm=Crm(
            session,
            auth_url=stage.auth_url,
            mail_url=stage.mail_url,
            calendar_url=stage.calendar_url,
            contacts_url=stage.contacts_url,
            token=token,
        ),
        person=Person(session, origin, person),
        listener=listener,
        view=view,
        moments=Moments(),
        user_id=USER,
        return_url=stage.environments["auth/web"]["CAUSEWAY_RETURN_URLS"].split(",")[0],
    )


async def _scene(cast: Cast, session: aiohttp.ClientSession, origin: str | None) -> None:
    if origin is None or not await has_control_api(session, origin):
        if cast.mail is not None:
            raise StoryError(
                "only the emulator's mailboxes can be filled, and this is another Google"
            )
        await _by_hand(cast)
        return
    await Story(cast).play()
    cast.view.done("the whole way was seen: consent, push, history, event; and back")
    example = '{"from": "you@example.com", "subject": "Hello", "text": "..."}'
    address = f"{origin}/_emulator/people/{cast.person.email}/messages"
    cast.view.step(f"more mail: curl -H 'Content-Type: application/json' -d '{example}' {address}")


async def _by_hand(cast: Cast) -> None:
    """Tell a person what to do at a Google whose people we cannot play; wait for it."""
    url = await cast.crm.start_connection(return_url=cast.return_url, login_hint=None)
    cast.view.step("this Google has no control API, so the story is yours to play:")
    cast.view.step(f"1. open within five minutes, and allow everything: {url}")
    confirm = f"{cast.crm.connections_url}/<connection_id>/confirm"
    header = "Authorization: Bearer $(.venv/bin/causeway token)"
    cast.view.step(
        f'2. confirm what the browser was sent back with: curl -X POST -H "{header}" {confirm}'
    )
    cast.view.step("3. send that mailbox a message")
    for kind in (AUTHORIZED, RECEIVED):
        if await cast.listener.wait(of_kind(kind), timeout_s=BY_HAND_TIMEOUT_S) is None:
            raise StoryError(f"no {kind} came within {BY_HAND_TIMEOUT_S:.0f} s")
    await cast.view.drain()


async def _judge(scene: Awaitable[None], *, view: View, stage: Stage) -> int:
    try:
        await scene
    except (StoryError, bus.BrokerLost, aiohttp.ClientError, TimeoutError) as exc:
        await view.drain()
        view.failed(str(exc) or type(exc).__name__)
        for log in stage.log_files():
            if tail := log_tail(log, lines=LOG_LINES):
                console.print(f"--- {log.name}\n{tail}", markup=False, style="dim")
        return 1
    return 0


async def _until_stopped(supervisor: subprocess.Popen[bytes] | None) -> None:
    """Wait for ever, or until the stack we started has ended.

    Raises:
        LocalStackError: it did.
    """
    if supervisor is None:
        await asyncio.Event().wait()
        return
    while supervisor.poll() is None:  # noqa: ASYNC110 - a process has no event to wait for
        await asyncio.sleep(WATCH_S)
    raise LocalStackError("the stack has ended")
