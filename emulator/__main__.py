"""Runs an emulator: `python -m emulator --port 9100 --person alice@example.com`."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import structlog
import typer
from aiohttp import web

from emulator.app import PUBSUB, RUNNER_OPTIONS, create_app
from emulator.config import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, EmulatorConfig, PushTarget

_STOP_S = 1.0
_LOOPBACK = frozenset({"127.0.0.1", "::1"})

_log = structlog.get_logger("emulator")


def main(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 9100,
    client_id: Annotated[
        str, typer.Option(envvar=["EMULATOR_CLIENT_ID", "GOOGLE_CLIENT_ID"])
    ] = DEFAULT_CLIENT_ID,
    client_secret: Annotated[
        str, typer.Option(envvar=["EMULATOR_CLIENT_SECRET", "GOOGLE_CLIENT_SECRET"])
    ] = DEFAULT_CLIENT_SECRET,
    client_secret_file: Annotated[
        Path | None, typer.Option(help="A file that holds the client secret instead.")
    ] = None,
    redirect_uri: Annotated[
        list[str] | None, typer.Option(help="Registered address; none accepts any. Repeatable.")
    ] = None,
    project: Annotated[
        str | None, typer.Option(help="Only topics of this project may be watched with.")
    ] = None,
    person: Annotated[
        list[str] | None, typer.Option(help="Somebody who exists at once. Repeatable.")
    ] = None,
    topic: Annotated[
        list[str] | None, typer.Option(help="A topic that exists at once. Repeatable.")
    ] = None,
    push_endpoint: Annotated[
        str | None, typer.Option(help="Where the messages of these topics are pushed to.")
    ] = None,
    push_audience: Annotated[
        str, typer.Option(help="`aud` of the pushes' tokens; by default the endpoint.")
    ] = "",
    pull: Annotated[
        bool, typer.Option("--pull", help="Each of these topics has a subscription to pull from.")
    ] = False,
    pubsub_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Pub/Sub's gRPC port; 0 takes a free one.")
    ] = 0,
) -> None:
    """Serve a Google Workspace stand-in until SIGTERM or Ctrl-C."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ]
    )
    if client_secret_file is not None:
        client_secret = client_secret_file.read_text().strip()
    config = EmulatorConfig(
        client_id=client_id,
        client_secret=client_secret,
        redirect_uris=tuple(redirect_uri or ()),
        project_id=project,
        people=tuple(person or ()),
        topics=tuple(topic or ()),
        push=PushTarget(endpoint=push_endpoint, audience=push_audience) if push_endpoint else None,
        pull=pull,
        pubsub_host=host,
        pubsub_port=pubsub_port,
    )
    asyncio.run(_serve(config, host, port))


async def _serve(config: EmulatorConfig, host: str, port: int) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    app = create_app(config)
    runner = web.AppRunner(app, shutdown_timeout=_STOP_S, **RUNNER_OPTIONS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, reuse_address=True).start()
        bound_host, bound_port = runner.addresses[0][:2]
        shown = f"[{bound_host}]" if ":" in bound_host else bound_host
        if bound_host not in _LOOPBACK:
            _log.warning("emulator_reachable_by_others", reason="its control API has no password")
        _log.info(
            "emulator_listening",
            origin=f"http://{shown}:{bound_port}",
            pubsub=app[PUBSUB].address,
        )
        await stopping.wait()
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    typer.run(main)
