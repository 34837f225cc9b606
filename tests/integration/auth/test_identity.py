"""Who consented is what a verified ID token of this very consent says, and nothing else."""

import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from services.auth.domain import secrets
from tests.emulated import Emulated
from tests.integration.auth.stand import ALICE, MAIL, Browser, Json, Stand, browser

CLIENT = "emulator-client.apps.googleusercontent.com"


def claims(**changed: Any) -> Json:
    now = int(time.time())
    return {
        "iss": "https://accounts.google.com",
        "aud": CLIENT,
        "sub": "1234567890",
        "email": "victim@example.com",
        "iat": now,
        "exp": now + 3600,
        **changed,
    }


async def answer_with(emulator: Emulated, id_token: str | None) -> None:
    """Have the token endpoint give good tokens beside `id_token`."""
    body = {
        "access_token": "ya29.good",
        "refresh_token": "1//good",
        "expires_in": 3599,
        "scope": f"openid {MAIL}modify",
        "token_type": "Bearer",
        "id_token": id_token,
    }
    rule = {"path_prefix": "/token", "status": 200, "body": body}
    await emulator.control("PUT", "faults", {"rules": [rule]})


async def assert_refused(auth: Stand, error: str) -> None:
    created = await auth.create()
    async with browser() as mine:
        back = await mine.consent(created["connect_url"])

    assert (back["status"], back["error"]) == ("error", error)
    assert not await auth.fetch("SELECT id FROM accounts")


@pytest.mark.parametrize("algorithm", ["RS256", "HS256", "none"])
async def test_an_id_token_google_did_not_sign_is_refused(
    auth: Stand, emulator: Emulated, algorithm: str
) -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    key: Any = {"RS256": private, "HS256": "k" * 32, "none": ""}[algorithm]
    forged = jwt.encode(claims(), key, algorithm=algorithm, headers={"kid": "made-up"})
    await answer_with(emulator, forged)

    await assert_refused(auth, "identity_not_verified")


async def test_a_consent_without_an_id_token_is_refused(auth: Stand, emulator: Emulated) -> None:
    await answer_with(emulator, None)

    await assert_refused(auth, "identity_missing")


async def test_an_address_google_does_not_vouch_for_is_refused(
    auth: Stand, emulator: Emulated
) -> None:
    await emulator.control("PATCH", f"people/{ALICE}", {"email_verified": False})

    await assert_refused(auth, "email_unverified")


async def test_a_genuine_id_token_of_another_consent_is_refused(
    auth: Stand, emulator: Emulated
) -> None:
    first = await auth.create()
    async with browser() as somebody:
        stolen = await genuine_id_token(auth, somebody, first["connect_url"])
    await answer_with(emulator, stolen)

    await assert_refused(auth, "identity_not_verified")


async def genuine_id_token(auth: Stand, mine: Browser, connect_url: str) -> str:
    """Consent, and exchange the code in the service's place; return Google's ID token."""
    callback = await mine.decide(await mine.start(connect_url), person=ALICE)
    query = parse_qs(urlsplit(callback).query)
    [cookie] = [c for c in mine.cookies() if c.key.startswith("causeway_consent_")]
    form = {
        "grant_type": "authorization_code",
        "code": query["code"][0],
        "client_id": CLIENT,
        "client_secret": "emulator-secret",
        "redirect_uri": auth.settings.redirect_uri,
        "code_verifier": secrets.verifier(cookie.value, query["state"][0]),
    }
    async with auth.session.post(f"{auth.settings.google_origin}/token", data=form) as response:
        assert response.status == 200, await response.text()
        return str((await response.json())["id_token"])


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"status": 503}, "google_unreachable"),
        ({"drop": True}, "google_unreachable"),
        ({"status": 401, "body": {"error": "invalid_client"}}, "invalid_client"),
        ({"status": 400, "body": {"error": "admin_policy_enforced"}}, "admin_policy_enforced"),
        ({"status": 400, "body": {"error": "redirect_uri_mismatch"}}, "redirect_uri_mismatch"),
    ],
)
async def test_a_failed_exchange_is_told_by_its_cause(
    auth: Stand, emulator: Emulated, fault: Json, error: str
) -> None:
    rule = {"path_prefix": "/token", **fault}
    await emulator.control("PUT", "faults", {"rules": [rule]})

    await assert_refused(auth, error)


async def test_a_failed_consent_can_be_repeated_with_a_new_link(auth: Stand) -> None:
    created = await auth.create()
    async with browser() as mine:
        await mine.consent(created["connect_url"], allow=False)
        again = await auth.call("POST", f"/v1/connections/{created['id']}/reauthorize")
        back = await mine.consent(again.body["connect_url"])

    assert back["status"] == "pending"
    shown = await auth.show(created["id"])
    assert (shown["state"], shown["reason"]) == ("pending", "confirmation_pending")
