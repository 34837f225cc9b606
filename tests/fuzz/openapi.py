"""Schemathesis, as a process of its own, against a service that serves on the test's loop.

It reads the service's own document, sends what fits it and what does not, and follows what
answers give it into further requests. That every answer is documented is what it checks.

Source: https://schemathesis.readthedocs.io/en/stable/reference/configuration/
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.fuzz.effort import LONG, TIMES

PROJECT = Path(__file__).parents[2]
SETTINGS = """
hooks = "tests.fuzz.hooks"
warnings = false
max-failures = 10
request-timeout = 60

[generation]
max-examples = {examples}
deterministic = {deterministic}
database = "none"

[phases.coverage]
# Every further method of every path is one more 405.
unexpected-methods = ["PATCH", "TRACE"]

[checks.positive_data_acceptance]
# No schema says which cursors, links and ids there are.
enabled = false
"""
OPERATION = """
[[operations]]
include-operation-id = {operation}
headers = {{ Authorization = "Bearer {token}" }}
"""
NEEDS = (b"Coverage", b"Fuzzing", b"Stateful")
"""Phases that must have run."""


async def probe(origin: str, folder: Path, tokens: Mapping[str, str], *, examples: int) -> None:
    """Try every operation of a service; a few examples of each, in CI always the same.

    Args:
        origin: where it listens.
        folder: for the configuration, and for what is found.
        tokens: bearer tokens by operation id.
        examples: so many for each operation, beside those that its parameters' bounds make.

    Raises:
        AssertionError: with all that was found.
    """
    settings = SETTINGS.format(
        examples=examples * (TIMES if LONG else 1), deterministic=json.dumps(not LONG)
    )
    for operation, token in tokens.items():
        settings += OPERATION.format(operation=json.dumps(operation), token=token)
    (folder / "schemathesis.toml").write_text(settings)
    output = await _run("run", f"{origin}/openapi.json", "--no-color", folder=folder)
    assert all(name in output for name in NEEDS), output.decode()


async def _run(*arguments: str, folder: Path) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        start_new_session=True,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    assert process.returncode == 0, output.decode()
    return output
