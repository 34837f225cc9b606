"""Pushes and requests without a pause, none of which may fail."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

PAUSE_S = 0.02
SUBSCRIPTION = "projects/causeway-local/subscriptions/gmail-push"


@dataclass
class Load:
    """What was sent, and what came of it: status or error, and how often."""

    requests: Counter[str] = field(default_factory=Counter)
    pushes: Counter[str] = field(default_factory=Counter)

    @property
    def failed(self) -> dict[str, int]:
        """Return everything that was not answered as it should be."""
        wrong = {f"request {key}": n for key, n in self.requests.items() if key != "200"}
        return wrong | {f"push {key}": n for key, n in self.pushes.items() if key != "204"}

    def summary(self) -> str:
        """Return how much there was of it."""
        return f"{self.requests.total()} requests and {self.pushes.total()} pushes"


@asynccontextmanager
async def going_on(*, url: str, token: str, google: str, email: str) -> AsyncIterator[Load]:
    """Ask `url` as a CRM, and let the emulator at `google` push for `email`, until the end."""
    load = Load()
    headers = {"Authorization": f"Bearer {token}"}
    data = {"emailAddress": email, "historyId": 1}
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session,
        asyncio.TaskGroup() as group,
    ):

        async def ask() -> None:
            async with session.get(url, headers=headers) as answer:
                await answer.read()
                load.requests[str(answer.status)] += 1

        async def push() -> None:
            body = {"subscription": SUBSCRIPTION, "data": data}
            async with session.post(f"{google}/_emulator/pushes", json=body) as answer:
                answer.raise_for_status()
                load.pushes[str((await answer.json())["status"])] += 1

        ended = asyncio.Event()

        async def again() -> None:
            while not ended.is_set():
                for kind, count in ((ask, load.requests), (push, load.pushes)):
                    try:
                        await kind()
                    except (aiohttp.ClientError, TimeoutError) as exc:
                        count[type(exc).__name__] += 1
                await asyncio.sleep(PAUSE_S)

        for _ in range(4):
            group.create_task(again())
        try:
            yield load
        finally:
            ended.set()
