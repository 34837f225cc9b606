"""A service that is asked about a person may be away for a moment. See cli/privacy/asking.py."""

import aiohttp
import pytest
from aiohttp import web
from pytest_aiohttp.plugin import AiohttpServer

from cli.privacy import asking
from cli.privacy.asking import ATTEMPTS, Asker, NotAnswered
from cli.privacy.targets import Target

PERSON = {"user_id": "u-1", "addresses": []}
ENDED = {"id": "e-1", "state": "done"}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "RETRY_S", 0.01)
    monkeypatch.setattr(asking, "LONGEST_RETRY_S", 0.01)


class Service:
    """Takes an erasure, after it was away for some requests."""

    def __init__(self, away: int) -> None:
        self.away = away
        self.keys: list[str] = []

    async def take(self, request: web.Request) -> web.Response:
        self.keys.append(request.headers["Idempotency-Key"])
        if len(self.keys) <= self.away:
            return web.Response(status=503)
        return web.json_response(ENDED, status=202)

    async def show(self, request: web.Request) -> web.Response:
        assert request.query["wait"]
        return web.json_response(ENDED)


async def erase(service: Service, aiohttp_server: AiohttpServer) -> object:
    app = web.Application()
    app.router.add_post("/p/erasures", service.take)
    app.router.add_get("/p/erasures/e-1", service.show)
    server = await aiohttp_server(app)
    target = Target(service="mail", origin="mail", url=str(server.make_url("/p")), token="t")
    async with aiohttp.ClientSession() as session:
        return await Asker(session, PERSON).erase(target, dry_run=False)


async def test_a_service_that_was_away_is_asked_again_with_the_same_key(
    aiohttp_server: AiohttpServer,
) -> None:
    service = Service(away=2)
    assert await erase(service, aiohttp_server) == ENDED
    assert len(service.keys) == 3
    assert len(set(service.keys)) == 1


async def test_a_service_that_stays_away_is_given_up(aiohttp_server: AiohttpServer) -> None:
    service = Service(away=ATTEMPTS)
    with pytest.raises(NotAnswered, match="cannot be reached"):
        await erase(service, aiohttp_server)
    assert len(service.keys) == ATTEMPTS
