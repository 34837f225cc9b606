from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.emulated import running_emulator
from tests.emulator.google import REDIRECT, Google, authorization


@pytest.fixture
async def strict() -> AsyncIterator[Google]:
    async with (
        running_emulator(redirect_uris=(REDIRECT,), client_id="one", client_secret="s") as emulated,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session,
    ):
        yield Google(emulated, session)


async def test_a_registered_redirect_address_is_served(strict: Google) -> None:
    wanted = authorization(client_id="one")

    assert (await strict.request("GET", "/o/oauth2/v2/auth", params=wanted)).status == 200


@pytest.mark.parametrize("address", [f"{REDIRECT}/", f"{REDIRECT}?a=1", "http://127.0.0.1:9/"])
async def test_a_redirect_address_has_to_match_exactly(strict: Google, address: str) -> None:
    wanted = authorization(client_id="one", redirect_uri=address)

    page = await strict.request("GET", "/o/oauth2/v2/auth", params=wanted)

    assert page.status == 400
    assert "redirect_uri_mismatch" in page.text
