"""The commands `causeway gcp setup` and `causeway gcp check`."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from cli.gcp import google
from cli.gcp.deciding import Item, items
from cli.gcp.wanted import Options, Wanted, from_options
from cli.local.process import LocalStackError
from cli.settings import StackSettings

app = typer.Typer(no_args_is_help=True, help="A Google Cloud project for Gmail's notifications.")

ROUNDS: Final = 3
"""What a disabled API hides is seen, and mended, once it is enabled."""
_STYLES: Final = {"ok": "green", "missing": "red", "different": "yellow", "unknown": "red"}

Topic = Annotated[
    str | None, typer.Option(help="projects/<project>/topics/<topic>; or CAUSEWAY_GMAIL_TOPIC.")
]
Subscription = Annotated[
    str | None, typer.Option(help="By default `causeway-mail` in the topic's project.")
]
Pull = Annotated[
    bool, typer.Option("--pull", help="Pulled, not pushed; also with CAUSEWAY_GMAIL_SUBSCRIPTION.")
]
Endpoint = Annotated[
    str | None, typer.Option(help="Where pushes go; by default below CAUSEWAY_PUBLIC_URL.")
]
Audience = Annotated[
    str | None, typer.Option(help="Or CAUSEWAY_PUSH_AUDIENCE; by default the endpoint.")
]
Account = Annotated[
    str | None, typer.Option(help="Who signs pushes; or CAUSEWAY_PUSH_SERVICE_ACCOUNT.")
]
AckDeadline = Annotated[int, typer.Option(min=10, max=600, help="Seconds until a redelivery.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def setup(
    *,
    topic: Topic = None,
    subscription: Subscription = None,
    pull: Pull = False,
    push_endpoint: Endpoint = None,
    push_audience: Audience = None,
    push_service_account: Account = None,
    ack_deadline: AckDeadline = 30,
    apply: Annotated[
        bool, typer.Option("--apply", help="Do it; otherwise it is only said.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say what a project lacks, and with --apply make it so; nothing is ever deleted."""
    options = Options(
        topic=topic,
        subscription=subscription,
        pull=pull,
        endpoint=push_endpoint,
        audience=push_audience,
        service_account=push_service_account,
        ack_deadline_s=ack_deadline,
    )
    with _explained(), _project(options) as (wanted, project):
        found = items(wanted, project.gather(wanted))
        made: list[str] = []
        for _ in range(ROUNDS if apply else 0):
            steps = [(item, step) for item in found for step in item.steps]
            if not steps:
                break
            for item, step in steps:
                project.act(step)
                made.append(item.name)
            found = items(wanted, project.gather(wanted))
        _show(wanted, found, as_json=as_json, made=made if apply else None)
        if apply and not _is_ok(found):
            raise typer.Exit(1)


@app.command()
def check(
    *,
    topic: Topic = None,
    subscription: Subscription = None,
    pull: Pull = False,
    push_endpoint: Endpoint = None,
    push_audience: Audience = None,
    push_service_account: Account = None,
    ack_deadline: AckDeadline = 30,
    as_json: AsJson = False,
) -> None:
    """Hold a project against what is needed; exit status 0 if it has all of it."""
    options = Options(
        topic=topic,
        subscription=subscription,
        pull=pull,
        endpoint=push_endpoint,
        audience=push_audience,
        service_account=push_service_account,
        ack_deadline_s=ack_deadline,
    )
    with _explained(), _project(options) as (wanted, project):
        found = items(wanted, project.gather(wanted))
        _show(wanted, found, as_json=as_json)
        if not _is_ok(found):
            raise typer.Exit(1)


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what went wrong into one message and exit status 1."""
    try:
        yield
    except LocalStackError as exc:
        console = Console(stderr=True, soft_wrap=True)
        console.print(f"causeway: {exc}", style="red", markup=False, highlight=False)
        raise typer.Exit(1) from exc
    except KeyboardInterrupt as exc:
        raise typer.Exit(130) from exc


@contextmanager
def _project(options: Options) -> Iterator[tuple[Wanted, google.Project]]:
    settings = StackSettings()
    wanted = from_options(options, settings.environment())
    with google.opened(settings.google_origin) as project:
        yield wanted, project


def _is_ok(found: list[Item]) -> bool:
    return all(item.state == "ok" for item in found)


def _show(
    wanted: Wanted, found: list[Item], *, as_json: bool, made: list[str] | None = None
) -> None:
    """Print every item; `made`: what was done, None when nothing was to be."""
    if as_json:
        sys.stdout.write(json.dumps(_document(wanted, found, made)) + "\n")
        return
    console = Console(soft_wrap=True, highlight=False)
    for name in made or ():
        console.print(f"[bold]done[/]       {name}")
    for item in found:
        mark = f"[{_STYLES[item.state]}]{item.state:<10}[/]"
        console.print(mark, f"{item.name}{f': {item.detail}' if item.detail else ''}")
        if item.remedy:
            console.print(" " * 10, item.remedy, style="dim")
    if _is_ok(found):
        console.print("\nThe services need:")
        for name, value in wanted.environment().items():
            console.print(f"{name}={value}", markup=False)
    elif made is None and any(item.steps for item in found):
        console.print("\nNothing was changed.")


def _document(wanted: Wanted, found: list[Item], made: list[str] | None) -> dict[str, Any]:
    rows = [
        {
            "item": item.name,
            "state": item.state,
            "detail": item.detail,
            "remedy": item.remedy,
            "calls": [step.method for step in item.steps],
        }
        for item in found
    ]
    return {
        "ok": _is_ok(found),
        "project": wanted.project,
        "items": rows,
        "done": made or [],
        "settings": wanted.environment(),
    }
