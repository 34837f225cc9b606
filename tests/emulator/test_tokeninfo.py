"""What clients ask about people and tokens, at every address that Google's libraries use."""

import pytest

from emulator.config import DEFAULT_CLIENT_ID
from tests.emulator.google import ALICE, EMAIL, Google, authorization, decide, exchange


async def signed_in(google: Google, scope: str = "openid email") -> dict[str, str]:
    """Sign ALICE in and return what the token endpoint answers."""
    page = await google.request("GET", "/o/oauth2/v2/auth", params=authorization(scope=scope))
    back = await decide(google, page.text)
    tokens: dict[str, str] = (await exchange(google, back["code"])).json
    return tokens


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/oauth2/v1/userinfo", "/oauth2/v2/userinfo", "/userinfo/v2/me"])
async def test_older_clients_learn_who_it_is(google: Google, method: str, path: str) -> None:
    headers = {"Authorization": f"bearer {(await signed_in(google))['access_token']}"}

    answer = await google.request(method, path, headers=headers)

    assert answer.json["email"] == ALICE
    assert answer.json["id"].isdigit()


async def test_openid_clients_may_post_to_userinfo(google: Google) -> None:
    tokens = await signed_in(google)

    answer = await google.request(
        "POST", "/v1/userinfo", data={"access_token": tokens["access_token"]}
    )

    assert answer.json["email"] == ALICE


async def test_a_bearer_asks_about_its_own_token(google: Google) -> None:
    headers = {"Authorization": f"Bearer {(await signed_in(google))['access_token']}"}

    answer = await google.request("POST", "/tokeninfo", headers=headers)

    assert answer.json["aud"] == DEFAULT_CLIENT_ID


@pytest.mark.parametrize("path", ["/oauth2/v1/tokeninfo", "/oauth2/v2/tokeninfo"])
async def test_the_oauth2_api_describes_a_token_in_its_own_words(google: Google, path: str) -> None:
    tokens = await signed_in(google)

    known = await google.request("POST", path, params={"access_token": tokens["access_token"]})
    unknown = await google.request("POST", path, params={"access_token": "no"})

    assert known.json["issued_to"] == known.json["audience"] == DEFAULT_CLIENT_ID
    assert isinstance(known.json["expires_in"], int)
    assert known.json["verified_email"] is True
    assert unknown.status == 400


async def test_an_id_token_is_described_while_it_is_valid(google: Google) -> None:
    token = (await signed_in(google))["id_token"]

    known = await google.request("GET", "/tokeninfo", params={"id_token": token})
    forged = await google.request("GET", "/tokeninfo", params={"id_token": token[:-8] + "AAAAAAAA"})
    await google.control("PUT", "clock", {"offset_s": 4000, "signatures": True})
    expired = await google.request("GET", "/tokeninfo", params={"id_token": token})

    assert (known.json["email"], known.json["email_verified"]) == (ALICE, "true")
    assert known.json["exp"].isdigit()
    assert (forged.status, expired.status) == (400, 400)


@pytest.mark.parametrize("scope", ["email", EMAIL, "profile"])
async def test_asking_who_it_is_brings_openid_and_an_id_token(google: Google, scope: str) -> None:
    tokens = await signed_in(google, scope)

    assert "openid" in tokens["scope"].split()
    assert "id_token" in tokens
