"""The command `causeway`: the local stack, tokens, events, the demo, one person's data."""

import asyncio
import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.console import Console
from rich.table import Table

from cli import compose, emulator, events, tokens
from cli.demo import play
from cli.gcp import command as gcp
from cli.local import control, status
from cli.local.assembly import MIGRATE_TIMEOUT_S
from cli.local.process import LocalStackError
from cli.local.programs import Program
from cli.local.state import StackState, StateDirectory
from cli.privacy import command as privacy
from cli.settings import SERVICES, StackSettings

WIDTH = 110

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
events_app = typer.Typer(no_args_is_help=True, help="The log of domain events.")
app.add_typer(events_app, name="events")
app.add_typer(emulator.app, name="emulator")
app.add_typer(gcp.app, name="gcp")
app.add_typer(privacy.app, name="privacy")

# Wide enough for every address, also in a pipe or a narrow window.
out = Console(width=max(WIDTH, Console().width))
err = Console(stderr=True, soft_wrap=True)


@app.callback()
def prepare() -> None:
    """Run Causeway locally, look at its events, try it without a Google account."""
    # What libraries log is for operators of services; here only trouble is of interest.
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what went wrong into one message and exit status 1."""
    try:
        yield
    except LocalStackError as exc:
        err.print(f"causeway: {exc}", style="red", markup=False, highlight=False)
        raise typer.Exit(1) from exc
    except KeyboardInterrupt as exc:
        raise typer.Exit(130) from exc


def _home() -> tuple[StackSettings, StateDirectory]:
    settings = StackSettings()
    return settings, StateDirectory(settings.state_dir)


def _tell(step: str) -> None:
    err.print(f"  {step} ...", style="dim", highlight=False)


@app.command()
def up() -> None:
    """Start the local stack in the background and print every address."""
    settings, home = _home()
    with _explained():
        state = control.bring_up(settings, home, tell=_tell)
        show(state, home)
        if "CAUSEWAY_GOOGLE_ORIGIN" not in home.environments()["auth/web"]:
            public = home.environments()["auth/web"]["CAUSEWAY_PUBLIC_URL"]
            err.print(
                f"This is the real Google; redirect URI: {public}/v1/oauth/callback",
                highlight=False,
            )


@app.command()
def down(
    *,
    purge: Annotated[bool, typer.Option(help="Also delete its data and secrets.")] = False,
) -> None:
    """Stop the local stack and everything it started."""
    _, home = _home()
    with _explained():
        running = control.bring_down(home)
        if purge:
            control.purge(home)
    err.print("stopped" if running else "nothing was running", highlight=False)


@app.command("status")
def show_status(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say how every part is; exit status 0 if all run and are healthy."""
    _, home = _home()
    state = home.running()
    parts = status.look(state.parts, home.environments()) if state else []
    if as_json:
        sys.stdout.write(json.dumps({"parts": parts}) + "\n")
    elif parts:
        out.print(_table(parts))
    else:
        err.print("nothing is running: start it with `make up`", highlight=False)
    raise typer.Exit(0 if parts and all(part["healthy"] for part in parts) else 1)


@app.command()
def token(
    *,
    user: Annotated[str, typer.Option(help="The CRM user.")] = "ada",
    tenant: Annotated[str, typer.Option(help="The CRM tenant.")] = "acme",
    service: Annotated[bool, typer.Option(help="A CRM service, not a user.")] = False,
    ttl: Annotated[int, typer.Option(min=1, help="Seconds it stays valid.")] = 12 * 3600,
    on_compose: Annotated[
        bool, typer.Option("--compose", help="For the stack that Docker Compose runs.")
    ] = False,
) -> None:
    """Print a development token that the running stack accepts."""
    settings, home = _home()
    with _explained():
        issued = tokens.issue(
            compose.stage(settings.environment()).environments
            if on_compose
            else home.environments(),
            user=None if service else user,
            tenant=tenant,
            now=datetime.now(UTC),
            ttl=timedelta(seconds=ttl),
        )
    sys.stdout.write(issued + "\n")


@app.command()
def migrate() -> None:
    """Bring the databases of the stack to the schema of this code."""
    settings, home = _home()
    remembered = home.environments()
    with _explained():
        for name in SERVICES:
            env = {**remembered.get(f"{name}/web", {}), **settings.environment()}
            home.create()
            log = home.logs / f"{name}-migrate.log"
            Program([f"services.{name}", "migrate"], env, log).run(timeout_s=MIGRATE_TIMEOUT_S)
            err.print(f"{name}: up to date", highlight=False)


@app.command()
def demo(
    *,
    once: Annotated[bool, typer.Option(help="End after the story.")] = False,
    mail: Annotated[
        Path | None,
        typer.Option(help="An mbox file, or a folder of .eml files, that fills the mailbox first."),
    ] = None,
    on_compose: Annotated[
        bool, typer.Option("--compose", help="Play on the stack that Docker Compose runs.")
    ] = False,
) -> None:
    """Start the stack and play the main job: consent, mail, push, event."""
    settings, home = _home()
    with _explained():
        if on_compose:
            raise typer.Exit(
                play.play_on(compose.stage(settings.environment()), once=once, mail=mail)
            )
        raise typer.Exit(
            play.run(settings, home, once=once, mail=mail, show=lambda state: show(state, home))
        )


@events_app.command("tail")
def tail(
    *,
    from_start: Annotated[bool, typer.Option(help="Begin with the oldest kept.")] = False,
    pattern: Annotated[
        str, typer.Option("--type", help="Only these types; * and # as in RabbitMQ.")
    ] = "#",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    count: Annotated[int | None, typer.Option(min=1, help="End after so many.")] = None,
) -> None:
    """Print the domain events of the running stack as they happen."""
    settings, home = _home()
    show_event: Callable[[dict[str, object]], None] = (
        events.print_json if as_json else events.print_line
    )
    with _explained():
        url = events.address(settings, home)
        wanted = events.Wanted(pattern=pattern, from_start=from_start, count=count)
        asyncio.run(events.follow(url, wanted, show=show_event))


@events_app.command("replay")
def replay(
    queue: Annotated[str, typer.Argument(help="A consumer's queue, such as mail.connections.")],
    *,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
) -> None:
    """Move the dead letters of a queue back into it, oldest first."""
    settings, home = _home()
    with _explained():
        url = events.address(settings, home)
        moved = asyncio.run(events.replay(url, queue, limit=limit))
    out.print(f"{moved} moved back into {queue}", highlight=False)


def show(state: StackState, home: StateDirectory) -> None:
    """Print every address of the stack."""
    out.print(_table(status.look(state.parts, home.environments())))
    auth = state.url("auth", "web")
    call = 'curl -H "Authorization: Bearer $(.venv/bin/causeway token)"'
    err.print(f"Try it: {call} {auth}/v1/connections", highlight=False)
    err.print(f"API pages: {auth}/docs   logs: {home.logs}", highlight=False)
    if pubsub := home.environments().get("mail/web", {}).get("PUBSUB_EMULATOR_HOST"):
        err.print(f"Pub/Sub (gRPC): PUBSUB_EMULATOR_HOST={pubsub}", highlight=False)


def _table(parts: list[status.PartStatus]) -> Table:
    table = Table(box=None, header_style="bold")
    for heading in ("part", "role", "address", "state", "version", "pid"):
        table.add_column(heading)
    for part in parts:
        table.add_row(
            part["name"],
            part["role"],
            part["url"],
            "[green]healthy[/]" if part["healthy"] else "[red]unhealthy[/]",
            part["version"] or "",
            str(part["pid"] or "existing"),
        )
    return table


if __name__ == "__main__":
    app(prog_name="causeway")
