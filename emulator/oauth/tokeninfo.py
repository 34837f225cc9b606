"""What a token says, told to whoever holds it.

Source: https://developers.google.com/identity/sign-in/web/backend-auth#calling-the-tokeninfo-endpoint
"""

from typing import Any, Final

import jwt
from aiohttp import web

from emulator.keys import signing_key
from emulator.oauth import forms, idtoken
from emulator.oauth.grants import AccessToken
from emulator.oauth.scopes import EMAIL
from emulator.world import WORLD, World

Json = dict[str, Any]

_INVALID: Final = {"error": "invalid_token", "error_description": "Invalid Value"}


async def tokeninfo(request: web.Request) -> web.Response:
    """Describe an access token (`access_token`, or the bearer) or an ID token (`id_token`)."""
    world = request.app[WORLD]
    id_token = request.query.get("id_token") or (await forms.fields(request)).get("id_token")
    if id_token:
        body = _id_token(world, id_token)
    else:
        found = world.oauth.find_access(await forms.access_token(request))
        body = _access_token(world, found) if found else None
    return web.json_response(body or _INVALID, status=200 if body else 400)


async def older_tokeninfo(request: web.Request) -> web.Response:
    """Describe an access token in the words of the OAuth2 API's document."""
    world = request.app[WORLD]
    found = world.oauth.find_access(await forms.access_token(request))
    if found is None:
        return web.json_response(_INVALID, status=400)
    body = _access_token(world, found)
    older = {
        "issued_to": found.client_id,
        "audience": found.client_id,
        "user_id": found.sub,
        "scope": body["scope"],
        "expires_in": int(body["expires_in"]),
        "access_type": body["access_type"],
    }
    if "email" in body:
        older.update(email=body["email"], verified_email=body["email_verified"] == "true")
    return web.json_response(older)


def _access_token(world: World, found: AccessToken) -> dict[str, str]:
    body = {
        "azp": found.client_id,
        "aud": found.client_id,
        "sub": found.sub,
        "scope": " ".join(found.scopes),
        "exp": str(int(found.expires_s)),
        "expires_in": str(int(found.expires_s - world.clock.now_s())),
        "access_type": "offline",
    }
    person = world.people.find(found.sub)
    if person is not None and EMAIL in found.scopes:
        body["email"] = person.email
        body["email_verified"] = str(person.email_verified).lower()
    return body


def _id_token(world: World, token: str) -> Json | None:
    """Return the claims as text, as Google prints them; None when the token is not valid."""
    key = signing_key(idtoken.KEY_NAME)
    # The emulator's own clock decides whether it has expired.
    options: Any = {"verify_aud": False, "verify_exp": False, "verify_iat": False}
    try:
        claims = jwt.decode(token, key.private.public_key(), algorithms=["RS256"], options=options)
    except jwt.InvalidTokenError:
        return None
    if claims["exp"] <= world.clock.signing_s():
        return None
    shown = {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in claims.items()}
    return {**shown, "alg": "RS256", "kid": key.kid, "typ": "JWT"}


def routes() -> list[web.RouteDef]:
    """Return the routes of the token descriptions."""
    found = [
        web.route(verb, path, tokeninfo)
        for verb in ("GET", "POST")
        for path in ("/tokeninfo", "/oauth2/v3/tokeninfo")
    ]
    return found + [
        web.route(verb, path, older_tokeninfo)
        for verb in ("GET", "POST")
        for path in ("/oauth2/v1/tokeninfo", "/oauth2/v2/tokeninfo")
    ]
