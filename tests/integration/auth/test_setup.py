"""What whoever sets Causeway up is told of the Google project."""

from typing import Any

from tests.emulated import Emulated
from tests.integration.auth.stand import Stand
from tests.support import CALLER_KEY, SERVICE_KEY, caller_token, service_caller_token

SERVICE = service_caller_token()
KEYS = {"step", "title", "description", "url", "state", "how_checked"}


async def setup_of(auth: Stand) -> dict[str, Any]:
    answer = await auth.call("GET", "/v1/setup", token=SERVICE)
    assert answer.status == 200, answer
    return dict(answer.body)


def states(body: dict[str, Any]) -> dict[str, str]:
    return {one["step"]: one["state"] for one in body["steps"]}


async def test_a_fresh_installation_says_what_is_done_and_how_to_see_the_rest(auth: Stand) -> None:
    body = await setup_of(auth)

    assert all(set(one) == KEYS for one in body["steps"])
    assert states(body) == {
        "reach_google": "done",
        "clock": "done",
        "project": "done",
        "gmail_api": "cannot_be_checked",
        "calendar_api": "cannot_be_checked",
        "people_api": "cannot_be_checked",
        "pubsub_api": "cannot_be_checked",
        "consent_screen": "cannot_be_checked",
        "scopes": "cannot_be_checked",
        "oauth_client": "done",
        "redirect_uri": "cannot_be_checked",
        "pubsub_topic": "cannot_be_checked",
        "push_service_account": "cannot_be_checked",
        "push_subscription": "cannot_be_checked",
        "calendar_notices": "cannot_be_checked",
    }
    redirect = next(one for one in body["steps"] if one["step"] == "redirect_uri")
    assert f"{auth.origin}/v1/oauth/callback" in redirect["description"]


async def test_a_person_who_connected_has_shown_the_consent_screen(auth: Stand) -> None:
    await auth.connect()
    body = await setup_of(auth)

    assert states(body)["consent_screen"] == "done"
    assert states(body)["redirect_uri"] == "done"
    granted = {
        (one["product"], one["access"]): one["granted_before"] for one in body["required_scopes"]
    }
    assert granted[None, None] is None
    assert granted["mail", "write"] is True
    assert granted["contacts", "write"] is False


async def test_a_client_that_google_refuses_is_missing(auth: Stand, emulator: Emulated) -> None:
    await emulator.control("PUT", "settings", {"token_error": "invalid_client"})
    assert states(await setup_of(auth))["oauth_client"] == "missing"


async def test_google_is_asked_once_however_many_want_to_know(
    auth: Stand, emulator: Emulated
) -> None:
    rule = {"path_prefix": "/token", "delay_s": 0.01}
    await emulator.control("PUT", "faults", {"rules": [rule]})
    for _ in range(5):
        await setup_of(auth)
    assert (await emulator.control("GET", "faults"))["rules"][0]["hits"] == 1


async def test_settings_are_named_and_never_shown(auth: Stand) -> None:
    body = await setup_of(auth)

    own = {
        one["name"]: one["is_set"] for one in body["required_settings"] if one["service"] == "auth"
    }
    assert {"GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET", "CAUSEWAY_SEALING_KEYS"} <= set(own)
    assert own["CAUSEWAY_CALLER_KEY"] is True
    assert "CAUSEWAY_CALLER_JWKS_URL" not in own
    assert all(own.values())
    for secret in (CALLER_KEY, SERVICE_KEY, "emulator-secret", "postgresql://"):
        assert secret not in str(body)


async def test_scopes_of_every_product_are_listed(auth: Stand) -> None:
    listed = (await setup_of(auth))["required_scopes"]

    assert {one["product"] for one in listed} == {None, "mail", "calendar", "contacts"}
    writing = next(
        one for one in listed if (one["product"], one["access"]) == ("contacts", "write")
    )
    assert writing["scopes"] == ["https://www.googleapis.com/auth/contacts"]


async def test_users_may_not_look_whatever_they_are(auth: Stand) -> None:
    for roles in ((), ("admin",)):
        answer = await auth.call("GET", "/v1/setup", token=caller_token(roles=roles))
        assert (answer.status, answer.problem) == (403, "wrong-caller")


async def test_nobody_looks_without_a_token(auth: Stand) -> None:
    answer = await auth.call("GET", "/v1/setup", token="nonsense")
    assert answer.status == 401
