"""The python programs of the stack: service processes and the emulator."""

import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from cli.local import web
from cli.local.process import LocalStackError, end_child, log_tail, spawn, wait_until
from cli.settings import PROJECT

STOP_TIMEOUT_S = 12
START_S = 60
SUBSCRIPTION = "subscriptions/causeway-mail"
ACK_DEADLINE_S = 10


@dataclass
class Program:
    """`python -m MODULE ...` with an environment, on our tether, its output in a log."""

    arguments: list[str]
    env: Mapping[str, str] = field(repr=False)
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start it without waiting for it."""
        self.process = spawn(
            [sys.executable, "-m", *self.arguments], env=self.env, cwd=PROJECT, log=self.log
        )

    def running(self) -> bool:
        """Tell whether its process lives."""
        return self.process is not None and self.process.poll() is None

    def ask_to_stop(self) -> None:
        """Begin a graceful stop; `stop` waits for it."""
        if self.process and self.running():
            self.process.terminate()

    def stop(self) -> None:
        """End it gracefully, within STOP_TIMEOUT_S seconds."""
        if self.process:
            end_child(self.process, first=signal.SIGTERM, timeout_s=STOP_TIMEOUT_S)

    def run(self, *, timeout_s: float) -> None:
        """Start it and wait for its end.

        Raises:
            LocalStackError: it failed or took longer; the message ends with its log.
        """
        self.start()
        ended = wait_until(lambda: not self.running(), timeout_s=timeout_s)
        if not ended or self.process is None or self.process.returncode:
            self.stop()
            what = " ".join(self.arguments)
            raise LocalStackError(f"`python -m {what}` failed:\n{log_tail(self.log)}")


@dataclass
class Emulator(Program):
    """The emulator, whose Gmail topic reaches the mail service: by push, or to be pulled."""

    origin: str = ""
    push: "Push | Pull | None" = None

    def start(self) -> None:
        """Start it, wait until it answers, and subscribe the mail service.

        Raises:
            LocalStackError: it does not answer, or refused.
        """
        super().start()
        wait_until(lambda: is_emulator(self.origin) or not self.running(), timeout_s=START_S)
        if not is_emulator(self.origin):
            raise LocalStackError(f"the emulator does not start:\n{log_tail(self.log)}")
        if self.push:
            self.push.subscribe(self.origin)


@dataclass(frozen=True)
class Push:
    """A Pub/Sub topic and where its messages go."""

    topic: str
    endpoint: str
    audience: str
    service_account: str

    def subscribe(self, origin: str) -> None:
        """Create topic and subscription at an emulator, unless it has them.

        Raises:
            LocalStackError: it refused.
        """
        project = self.topic.partition("/topics/")[0]
        token = {"serviceAccountEmail": self.service_account, "audience": self.audience}
        subscription = {
            "topic": self.topic,
            "ackDeadlineSeconds": ACK_DEADLINE_S,
            "pushConfig": {"pushEndpoint": self.endpoint, "oidcToken": token},
        }
        _put(origin, self.topic, {})
        _put(origin, f"{project}/{SUBSCRIPTION}", subscription)


@dataclass(frozen=True)
class Pull:
    """A Pub/Sub topic and the subscription its messages are pulled from."""

    topic: str
    subscription: str

    def subscribe(self, origin: str) -> None:
        """Create topic and subscription at an emulator, unless it has them.

        Raises:
            LocalStackError: it refused.
        """
        _put(origin, self.topic, {})
        body = {"topic": self.topic, "ackDeadlineSeconds": ACK_DEADLINE_S}
        _put(origin, self.subscription, body)


def _put(origin: str, name: str, body: dict[str, object]) -> None:
    answer = web.request("PUT", f"{origin}/v1/{name}", body)
    if answer is None or not (answer.ok or answer.status == HTTPStatus.CONFLICT):
        status = answer.status if answer else "no answer"
        raise LocalStackError(f"the emulator refused {name}: {status}")


def is_emulator(origin: str) -> bool:
    """Tell whether the emulator's control API answers at `origin`."""
    answer = web.request("GET", f"{origin}/_emulator")
    return answer is not None and answer.ok
