import base64
import hashlib
import secrets
from typing import Any

import jwt
import pytest

from emulator.config import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET
from tests.emulator.google import (
    ALICE,
    EMAIL,
    FULL,
    MODIFY,
    READONLY,
    SEND,
    Google,
    authorization,
    consent,
    decide,
    exchange,
    flat_query,
    form_key,
    refresh,
)


async def test_a_code_becomes_tokens_for_the_ticked_scopes(google: Google) -> None:
    back = await consent(google, scope=[MODIFY])
    assert back["state"] == "the-state"

    tokens = (await exchange(google, back["code"])).json

    assert tokens["scope"].split() == ["openid", EMAIL, MODIFY]
    assert tokens["expires_in"] == 3599
    assert tokens["token_type"] == "Bearer"
    assert tokens["refresh_token"]


async def test_a_denial_returns_to_the_client_without_a_code(google: Google) -> None:
    page = await google.request("GET", "/o/oauth2/v2/auth", params=authorization())

    back = await decide(google, page.text, decision="deny")

    assert back == {"state": "the-state", "error": "access_denied"}


async def test_a_consent_form_works_once(google: Google) -> None:
    page = await google.request("GET", "/o/oauth2/v2/auth", params=authorization())
    await decide(google, page.text, scope=[MODIFY])

    form = {"request": form_key(page.text), "person": ALICE, "decision": "allow"}
    again = await google.request("POST", "/o/oauth2/v2/auth/consent", data=form)

    assert again.status == 400


async def test_an_address_typed_on_the_page_becomes_a_person(google: Google) -> None:
    page = await google.request("GET", "/o/oauth2/v2/auth", params=authorization())

    await decide(google, page.text, new_person="dora@example.com")

    people = (await google.control("GET", "people"))["people"]
    assert [p["email"] for p in people] == [ALICE, "dora@example.com"]


async def test_the_page_lists_only_the_hinted_person(google: Google) -> None:
    await google.control("POST", "people", {"email": "bob@example.com"})

    page = await google.request(
        "GET", "/o/oauth2/v2/auth", params=authorization(login_hint="bob@example.com")
    )

    assert "bob@example.com" in page.text
    assert ALICE not in page.text


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"client_id": None}, 400, "invalid_request"),
        ({"redirect_uri": None}, 400, "invalid_request"),
        ({"redirect_uri": "javascript:alert(1)"}, 400, "redirect_uri_mismatch"),
        ({"scope": None}, 400, "invalid_request"),
        ({"scope": "https://www.googleapis.com/auth/unheard.of"}, 400, "invalid_scope"),
        ({"response_type": None}, 400, "invalid_request"),
        ({"access_type": "sideways"}, 400, "invalid_request"),
        ({"prompt": "none consent"}, 400, "invalid_request"),
        ({"code_challenge": "x", "code_challenge_method": "S1"}, 400, "invalid_request"),
    ],
)
async def test_a_faulty_authorization_request_is_told_to_the_person(
    google: Google, changes: dict[str, Any], status: int, error: str
) -> None:
    page = await google.request("GET", "/o/oauth2/v2/auth", params=authorization(**changes))

    assert page.status == status
    assert f"<code>{error}</code>" in page.text


async def test_prompt_none_without_a_grant_asks_for_interaction(google: Google) -> None:
    wanted = authorization(prompt="none", login_hint=ALICE)

    answer = await google.request("GET", "/o/oauth2/v2/auth", params=wanted)

    assert flat_query(answer.headers["Location"])["error"] == "interaction_required"


async def test_prompt_none_with_a_grant_returns_a_code_at_once(google: Google) -> None:
    await consent(google)
    wanted = authorization(prompt="none", login_hint=ALICE)

    answer = await google.request("GET", "/o/oauth2/v2/auth", params=wanted)

    assert flat_query(answer.headers["Location"])["code"]


async def test_a_code_is_good_for_one_exchange(google: Google) -> None:
    code = (await consent(google))["code"]
    await exchange(google, code)

    again = await exchange(google, code)

    assert (again.status, again.json["error"]) == (400, "invalid_grant")
    assert again.json["error_description"] == "Bad Request"


async def test_a_code_grows_too_old(google: Google) -> None:
    code = (await consent(google))["code"]
    await google.control("PUT", "clock", {"offset_s": 601})

    assert (await exchange(google, code)).json["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"client_secret": None}, 400, "invalid_request"),
        ({"redirect_uri": "http://127.0.0.1:9/other"}, 400, "redirect_uri_mismatch"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"code": "4/0Amade-up"}, 400, "invalid_grant"),
    ],
)
async def test_a_faulty_exchange_is_refused(
    google: Google, changes: dict[str, Any], status: int, error: str
) -> None:
    code = (await consent(google))["code"]

    answer = await exchange(google, changes.pop("code", code), **changes)

    assert (answer.status, answer.json["error"]) == (status, error)


async def test_the_client_may_authenticate_with_basic(google: Google) -> None:
    code = (await consent(google))["code"]
    pair = base64.b64encode(f"{DEFAULT_CLIENT_ID}:{DEFAULT_CLIENT_SECRET}".encode()).decode()
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": authorization()["redirect_uri"],
    }

    answer = await google.request(
        "POST", "/token", data=form, headers={"Authorization": f"Basic {pair}"}
    )

    assert answer.status == 200


@pytest.mark.parametrize("method", ["S256", "plain"])
async def test_the_verifier_opens_its_challenge(google: Google, method: str) -> None:
    verifier = secrets.token_urlsafe(48)
    digest = hashlib.sha256(verifier.encode()).digest()
    hashed = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    challenge = hashed if method == "S256" else verifier
    back = await consent(google, code_challenge=challenge, code_challenge_method=method)

    assert (await exchange(google, back["code"], code_verifier=verifier)).status == 200


@pytest.mark.parametrize("verifier", [None, "another"])
async def test_a_wrong_verifier_is_refused(google: Google, verifier: str | None) -> None:
    back = await consent(google, code_challenge="x" * 43, code_challenge_method="S256")

    answer = await exchange(google, back["code"], code_verifier=verifier)

    assert (answer.status, answer.json["error"]) == (400, "invalid_grant")


async def test_the_refresh_token_comes_with_the_first_exchange_only(google: Google) -> None:
    first = await exchange(google, (await consent(google))["code"])
    second = await exchange(google, (await consent(google))["code"])
    prompted = await exchange(google, (await consent(google, prompt="consent"))["code"])

    assert "refresh_token" in first.json
    assert "refresh_token" not in second.json
    assert "refresh_token" in prompted.json


async def test_online_access_brings_no_refresh_token(google: Google) -> None:
    tokens = await exchange(google, (await consent(google, access_type="online"))["code"])

    assert "refresh_token" not in tokens.json


async def test_granted_scopes_add_up_when_the_client_asks_for_it(google: Google) -> None:
    await consent(google, scope=[MODIFY])

    back = await consent(google, scope=[SEND], include_granted_scopes="true")

    assert set(back["scope"].split()) == {"openid", EMAIL, MODIFY, SEND}


async def test_a_refresh_brings_a_working_access_token(google: Google) -> None:
    tokens = (await exchange(google, (await consent(google))["code"])).json

    fresh = (await refresh(google, tokens["refresh_token"])).json

    headers = {"Authorization": f"Bearer {fresh['access_token']}"}
    profile = await google.request("GET", "/gmail/v1/users/me/profile", headers=headers)
    assert profile.json["emailAddress"] == ALICE
    assert "refresh_token" not in fresh


async def test_an_access_token_lives_an_hour(google: Google) -> None:
    mail = await google.mailbox()
    await google.control("PUT", "clock", {"offset_s": 3600})

    answer = await mail.call("GET", "profile")

    assert (answer.status, answer.reason) == (401, "authError")


async def test_revoking_one_token_ends_every_token_of_the_grant(google: Google) -> None:
    first = (await exchange(google, (await consent(google))["code"])).json
    second = (await exchange(google, (await consent(google, prompt="consent"))["code"])).json

    gone = await google.request("POST", "/revoke", data={"token": first["access_token"]})

    assert gone.status == 200
    refused = await refresh(google, second["refresh_token"])
    assert refused.status == 400
    assert refused.json == {
        "error": "invalid_grant",
        "error_description": "Token has been expired or revoked.",
    }
    again = await google.request("POST", "/revoke", data={"token": first["access_token"]})
    assert (again.status, again.json["error"]) == (400, "invalid_token")


async def test_consent_after_a_revocation_brings_a_refresh_token_again(google: Google) -> None:
    first = (await exchange(google, (await consent(google))["code"])).json
    await google.request("POST", "/revoke", data={"token": first["refresh_token"]})

    tokens = await exchange(google, (await consent(google))["code"])

    assert "refresh_token" in tokens.json


async def test_the_oldest_of_too_many_refresh_tokens_dies(google: Google) -> None:
    await google.control("PUT", "settings", {"max_refresh_tokens": 2})
    made = [
        (await google.control("POST", f"people/{ALICE}/tokens", {"scopes": [FULL]}))
        for _ in range(3)
    ]

    statuses = [(await refresh(google, tokens["refresh_token"])).status for tokens in made]

    assert statuses == [400, 200, 200]


async def test_a_refresh_may_ask_for_less_but_not_for_more(google: Google) -> None:
    wanted = {"scopes": [MODIFY, READONLY]}
    tokens = await google.control("POST", f"people/{ALICE}/tokens", wanted)

    less = await refresh(google, tokens["refresh_token"], scope=READONLY)
    more = await refresh(google, tokens["refresh_token"], scope=FULL)

    assert less.json["scope"] == READONLY
    assert more.json["error"] == "invalid_scope"


async def test_the_person_revokes_in_their_account_settings(google: Google) -> None:
    tokens = (await exchange(google, (await consent(google))["code"])).json

    await google.control("POST", f"people/{ALICE}/grants", {"action": "revoke"})

    assert (await refresh(google, tokens["refresh_token"])).json["error"] == "invalid_grant"


async def test_a_disabled_account_cannot_refresh(google: Google) -> None:
    tokens = (await exchange(google, (await consent(google))["code"])).json

    await google.control("PATCH", f"people/{ALICE}", {"disabled": True})

    assert (await refresh(google, tokens["refresh_token"])).json["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("error", "status"), [("invalid_client", 401), ("deleted_client", 401), ("invalid_grant", 400)]
)
async def test_the_token_endpoint_can_be_made_to_refuse(
    google: Google, error: str, status: int
) -> None:
    tokens = await google.control("POST", f"people/{ALICE}/tokens", {"scopes": [FULL]})
    await google.control("PUT", "settings", {"token_error": error})

    answer = await refresh(google, tokens["refresh_token"])

    assert (answer.status, answer.json["error"]) == (status, error)


async def test_userinfo_says_what_the_scopes_allow(google: Google) -> None:
    tokens = await google.control("POST", f"people/{ALICE}/tokens", {"scopes": ["openid", EMAIL]})
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}

    answer = await google.request("GET", "/v1/userinfo", headers=headers)

    assert answer.json["email"] == ALICE
    assert answer.json["email_verified"] is True
    assert "name" not in answer.json


async def test_userinfo_needs_a_live_token(google: Google) -> None:
    assert (await google.request("GET", "/oauth2/v3/userinfo")).status == 401


async def test_the_older_userinfo_speaks_of_an_id(google: Google) -> None:
    tokens = await google.control("POST", f"people/{ALICE}/tokens", {"scopes": ["openid", EMAIL]})
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}

    answer = await google.request("GET", "/oauth2/v2/userinfo", headers=headers)

    assert answer.json["verified_email"] is True
    assert answer.json["id"].isdigit()


async def test_tokeninfo_describes_a_token(google: Google) -> None:
    tokens = await google.control("POST", f"people/{ALICE}/tokens", {"scopes": ["openid", EMAIL]})

    known = await google.request(
        "GET", "/tokeninfo", params={"access_token": tokens["access_token"]}
    )
    unknown = await google.request("GET", "/oauth2/v3/tokeninfo", params={"access_token": "no"})

    assert known.json["aud"] == DEFAULT_CLIENT_ID
    assert known.json["scope"] == f"openid {EMAIL}"
    assert (unknown.status, unknown.json["error"]) == (400, "invalid_token")


async def test_discovery_points_at_this_origin_and_names_googles_issuer(google: Google) -> None:
    document = (await google.request("GET", "/.well-known/openid-configuration")).json

    assert document["issuer"] == "https://accounts.google.com"
    assert document["token_endpoint"] == f"{google.origin}/token"
    keys = await google.request("GET", document["jwks_uri"].removeprefix(google.origin))
    assert keys.json["keys"][0]["alg"] == "RS256"
    assert "max-age=" in keys.headers["Cache-Control"]


async def test_the_token_endpoint_takes_json_too(google: Google) -> None:
    tokens = await google.control("POST", f"people/{ALICE}/tokens", {"scopes": [FULL]})
    body = {
        "grant_type": "refresh_token",
        "refresh_token": tokens["refresh_token"],
        "client_id": DEFAULT_CLIENT_ID,
        "client_secret": DEFAULT_CLIENT_SECRET,
    }

    assert (await google.request("POST", "/oauth2/v4/token", json=body)).status == 200


async def test_nonsense_at_the_token_endpoints_is_an_invalid_request(google: Google) -> None:
    headers = {"Content-Type": "application/json"}
    for path in ("/token", "/revoke"):
        answer = await google.request("POST", path, data=b"{", headers=headers)
        assert (answer.status, answer.json["error"]) == (400, "invalid_request")
    empty = await google.request("POST", "/revoke", data={})
    assert (empty.status, empty.json["error"]) == (400, "invalid_request")


async def test_the_id_token_carries_nonce_and_profile(google: Google) -> None:
    await google.control("POST", "people", {"email": "bob@example.com", "name": "Bob Smith"})
    wanted = authorization(scope="openid profile", nonce="n-1", login_hint="bob@example.com")
    page = await google.request("GET", "/o/oauth2/v2/auth", params=wanted)
    back = await decide(google, page.text, person="bob@example.com")

    token = (await exchange(google, back["code"])).json["id_token"]

    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["nonce"], claims["given_name"], claims["family_name"]) == (
        "n-1",
        "Bob",
        "Smith",
    )
    assert "email" not in claims


@pytest.mark.parametrize(
    "fields", [{"person": "nobody@example.com"}, {"new_person": "no address"}, {"request": "old"}]
)
async def test_a_faulty_consent_form_is_told_to_the_person(
    google: Google, fields: dict[str, str]
) -> None:
    page = await google.request("GET", "/o/oauth2/v2/auth", params=authorization())
    form = {"request": form_key(page.text), "person": ALICE, "decision": "allow", **fields}

    answer = await google.request("POST", "/o/oauth2/v2/auth/consent", data=form)

    assert answer.status == 400


async def test_the_consent_page_can_be_framed_and_scripted_by_nobody(google: Google) -> None:
    page = await google.request("GET", "/o/oauth2/v2/auth", params=authorization())

    assert page.headers["X-Frame-Options"] == "DENY"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


async def test_another_response_type_goes_back_to_the_client(google: Google) -> None:
    wanted = authorization(response_type="token")

    answer = await google.request("GET", "/o/oauth2/v2/auth", params=wanted)

    back = flat_query(answer.headers["Location"])
    assert back == {"error": "unsupported_response_type", "state": "the-state"}


@pytest.mark.parametrize(
    ("email", "domain"), [("bob@example.com", "example.com"), ("bob@gmail.com", None)]
)
async def test_only_workspace_accounts_have_a_domain(
    google: Google, email: str, domain: str | None
) -> None:
    page = await google.request("GET", "/o/oauth2/v2/auth", params=authorization())

    back = await decide(google, page.text, new_person=email)

    assert back.get("hd") == domain
