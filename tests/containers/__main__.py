"""Runs the proof: `python -m tests.containers [--keep]`."""

import argparse
import asyncio
import shutil
import sys
import time
from pathlib import Path

from cli.settings import PROJECT
from tests.containers import bases, engine, host
from tests.containers.proof import prove
from tests.containers.stack import Stack

FOLDER = Path("/var/tmp/causeway-containers")  # noqa: S108 - root's, made for us, closed to others
IMAGE = "causeway:local"
BUILD_S = 900


def main() -> int:
    """Build, start, play, break, roll, and take everything away; 0 when all of it was seen."""
    parser = argparse.ArgumentParser(prog="python -m tests.containers")
    parser.add_argument("--keep", action="store_true", help="keep images for the next time")
    given = parser.parse_args()
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    try:
        with engine.running(FOLDER) as env:
            standins = bases.provide(env, FOLDER)
            _build(env, standins=standins)
            return _run(Stack(env, FOLDER))
    finally:
        if not given.keep:
            shutil.rmtree(FOLDER, ignore_errors=True)


def _build(env: dict[str, str], *, standins: bool) -> None:
    began = time.monotonic()
    host.run(["docker", "build", "--tag", IMAGE, "."], env=env, cwd=PROJECT, timeout_s=BUILD_S)
    seconds = time.monotonic() - began
    sizes = [
        int(host.run(["docker", "image", "inspect", "--format", "{{.Size}}", name], env=env))
        for name in (IMAGE, "python:3.11-slim-bookworm")
    ]
    ours = (sizes[0] - sizes[1]) / 1e6
    base = f"a stand-in of {sizes[1] / 1e6:.0f} MB" if standins else f"{sizes[1] / 1e6:.0f} MB"
    host.say(f"built in {seconds:.0f} s: {ours:.0f} MB of ours on a base of {base}")


def _run(stack: Stack) -> int:
    try:
        host.say(f"all healthy after {stack.up():.1f} s")
        stack.play()
        host.say("the story of `make demo` was played")
        asyncio.run(prove(stack))
        host.say(f"memory: {stack.memory()}")
    except (AssertionError, RuntimeError, TimeoutError) as exc:
        sys.stderr.write(f"{stack.logs()}\ncontainers: FAILED: {exc or type(exc).__name__}\n")
        return 1
    finally:
        left = stack.down()
    if left:
        sys.stderr.write(f"containers: FAILED: left behind: {left}\n")
        return 1
    host.say("everything is gone again; nothing was left behind")
    return 0


if __name__ == "__main__":
    sys.exit(main())
