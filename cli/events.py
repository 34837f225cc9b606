"""Reading the log of domain events from the command line."""

import json
import sys
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from cli.local.process import LocalStackError
from cli.local.state import StateDirectory
from cli.settings import StackSettings
from libs.common import bus
from libs.common.errors import NotFound
from libs.common.events.envelope import Envelope

Show = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events to print: a topic pattern, from where on, and how many at most."""

    pattern: str = "#"
    from_start: bool = False
    count: int | None = None


def address(settings: StackSettings, home: StateDirectory) -> str:
    """Return the RabbitMQ address of the stack, or the one a person set.

    Raises:
        LocalStackError: there is neither.
    """
    if settings.amqp_url:
        return settings.amqp_url.get_secret_value()
    if home.running() is None:
        raise LocalStackError("nothing is running: start it with `make up`")
    return home.environments()["auth/web"]["CAUSEWAY_AMQP_URL"]


async def follow(amqp_url: str, wanted: Wanted, *, show: Show) -> None:
    """Show events as they come, for ever or until `wanted.count` were shown.

    Raises:
        LocalStackError: RabbitMQ is away, or went.
    """
    shown = 0
    events = bus.tail(amqp_url, (wanted.pattern,), from_start=wanted.from_start)
    try:
        async with aclosing(events):
            async for envelope in events:
                show(as_dict(envelope))
                shown += 1
                if shown == wanted.count:
                    return
    except bus.BrokerLost as exc:
        raise LocalStackError("RabbitMQ does not answer") from exc


async def replay(amqp_url: str, queue: str, *, limit: int | None) -> int:
    """Give the dead letters of a queue another chance; return how many.

    Raises:
        LocalStackError: RabbitMQ is away, or there is no such queue.
    """
    try:
        return await bus.replay(amqp_url, queue, limit=limit)
    except bus.BrokerLost as exc:
        raise LocalStackError("RabbitMQ does not answer") from exc
    except NotFound as exc:
        raise LocalStackError(f"there is no queue {queue}") from exc


def as_dict(envelope: Envelope) -> dict[str, Any]:
    """Return an event as JSON values, exactly as it travels."""
    value: dict[str, Any] = json.loads(envelope.to_json())
    return value


def print_json(event: dict[str, Any]) -> None:
    """Print an event as one line of JSON."""
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def print_line(event: dict[str, Any]) -> None:
    """Print when, what, about what, and why an event came."""
    origin = event.get("data", {}).get("origin", "")
    sys.stdout.write(f"{event['time']}  {event['type']:<46} {event['subject']}  {origin}\n")
    sys.stdout.flush()
