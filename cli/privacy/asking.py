"""Asking one service about a person, over HTTP."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import aiohttp
import stamina

from cli.privacy.targets import Target

WAIT_S = 20
TIMEOUT = aiohttp.ClientTimeout(total=WAIT_S + 20, connect=10)
STREAM_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=10, sock_read=120)
"""However long an export takes, it is never silent for long."""
LONGEST_LINE = 64 << 20
ATTEMPTS = 4
RETRY_S, LONGEST_RETRY_S = 1.0, 3.0
UNREACHABLE = (aiohttp.ClientError, TimeoutError, OSError)
LOST = (*UNREACHABLE, ValueError)
"""Or garbled, as by a proxy."""

Json = dict[str, Any]


class NotAnswered(Exception):
    """A service could not be asked to the end; the message says why."""


class Asker:
    """Asks services about one person."""

    def __init__(self, session: aiohttp.ClientSession, person: Json) -> None:
        self._session = session
        self._person = person

    async def export(self, target: Target) -> AsyncIterator[Json]:
        """Yield the records of an export.

        Raises:
            NotAnswered: the service is away, refuses, or its answer has no end.
        """
        is_whole = False
        try:
            async with self._session.post(
                f"{target.url}/exports",
                json=self._person,
                headers=_headers(target),
                timeout=STREAM_TIMEOUT,
                read_bufsize=LONGEST_LINE,
            ) as answer:
                await _check(answer)
                async for raw in answer.content:
                    line: Json = json.loads(raw)
                    is_whole = "end" in line
                    if "record" in line:
                        yield line
        except LOST as exc:
            raise NotAnswered(f"it broke off ({type(exc).__name__})") from exc
        if not is_whole:
            raise NotAnswered("its answer ended too soon")

    async def erase(self, target: Target, *, dry_run: bool) -> Json:
        """Have the person erased, or counted; return the request once it has ended.

        Raises:
            NotAnswered: the service is away, refuses, or gave up.
        """
        key = {"Idempotency-Key": str(uuid4())}
        body = {**self._person, "dry_run": dry_run}
        asked = await self._call("POST", target, f"{target.url}/erasures", body, key)
        place = f"{target.url}/erasures/{asked['id']}?wait={WAIT_S}"
        while True:
            found = await self._call("GET", target, place)
            if found["state"] == "done":
                return found
            if found["state"] == "failed":
                raise NotAnswered(f"it gave up ({found['reason']})")

    async def _call(
        self,
        method: str,
        target: Target,
        url: str,
        body: Json | None = None,
        headers: dict[str, str] | None = None,
    ) -> Json:
        """Call, and call again what may only have been lost under way."""
        found: Json = {}
        try:
            # As a context it logs no arguments: they hold tokens.
            async for attempt in stamina.retry_context(
                LOST,
                attempts=ATTEMPTS,
                timeout=None,
                wait_initial=RETRY_S,
                wait_max=LONGEST_RETRY_S,
            ):
                with attempt:
                    async with self._session.request(
                        method,
                        url,
                        json=body,
                        headers={**_headers(target), **(headers or {})},
                        timeout=TIMEOUT,
                    ) as answer:
                        await _check(answer)
                        found = await answer.json()
        except LOST as exc:
            raise NotAnswered(f"it cannot be reached ({type(exc).__name__})") from exc
        return found


def _headers(target: Target) -> dict[str, str]:
    return {"Authorization": f"Bearer {target.token}"}


async def _check(answer: aiohttp.ClientResponse) -> None:
    """Refuse an answer that is a refusal; one that says `later` may be asked for again."""
    if answer.ok:
        return
    if answer.status in (502, 503, 504):
        raise aiohttp.ClientConnectionError
    detail = f"{answer.status}"
    try:
        problem = await answer.json(content_type=None)
        detail += f" {problem.get('title', '')} {problem.get('errors', '')}".rstrip(" []")
    except (*LOST, AttributeError):
        pass
    raise NotAnswered(f"it refused ({detail})")
