"""The token and revocation endpoints.

Source: https://developers.google.com/identity/protocols/oauth2/web-server#exchange-authorization-code
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from emulator.oauth import forms, idtoken
from emulator.oauth.grants import AccessToken, Client, Code, RefreshToken
from emulator.oauth.scopes import OPENID, normalise
from emulator.rest import jsontext
from emulator.world import WORLD, World

Json = dict[str, Any]

_NO_STORE = {
    "Cache-Control": "no-cache, no-store, max-age=0, must-revalidate",
    "Pragma": "no-cache",
}
_EXPIRED_OR_REVOKED = "Token has been expired or revoked."
_CLIENT_ERRORS = frozenset({"invalid_client", "deleted_client", "unauthorized_client"})


class TokenError(Exception):
    """An OAuth error answer."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error)
        self.status = status
        self.body = {"error": error, "error_description": description}


async def token(request: web.Request) -> web.Response:
    """Exchange a code or a refresh token."""
    world = request.app[WORLD]
    try:
        form = await _form(request)
        _refuse_by_switch(world)
        client = _client(request.headers.get("Authorization", ""), form, world)
        answer = _by_grant_type(world, client, form)
    except TokenError as exc:
        return web.json_response(exc.body, status=exc.status, headers=_NO_STORE)
    return web.json_response(answer, headers=_NO_STORE)


async def revoke(request: web.Request) -> web.Response:
    """End the whole grant that a token belongs to."""
    try:
        form = await _form(request)
        _revoke(request.app[WORLD], form.get("token") or request.query.get("token", ""))
    except TokenError as exc:
        return web.json_response(exc.body, status=exc.status)
    return web.json_response({})


def _revoke(world: World, value: str) -> None:
    if not value:
        raise TokenError("invalid_request", "Missing required parameter: token")
    found: AccessToken | RefreshToken | None
    found = world.oauth.find_access(value) or world.oauth.find_refresh(value)
    if found is None:
        raise TokenError("invalid_token", "Token expired or revoked")
    world.oauth.revoke(found.client_id, found.sub)


def _by_grant_type(world: World, client: Client, form: Mapping[str, str]) -> Json:
    grant_type = form.get("grant_type", "")
    if grant_type == "authorization_code":
        return _exchange(world, client, form)
    if grant_type == "refresh_token":
        return _refresh(world, client, form)
    raise TokenError("unsupported_grant_type", f"Invalid grant_type: {grant_type}")


async def _form(request: web.Request) -> Mapping[str, str]:
    if request.content_type == "application/json":
        try:
            value = jsontext.loads(await request.read())
        except ValueError as exc:
            raise TokenError("invalid_request", "Could not parse the JSON body.") from exc
        return {str(k): str(v) for k, v in value.items()} if isinstance(value, dict) else {}
    return await forms.fields(request)


def _refuse_by_switch(world: World) -> None:
    error = world.switches.token_error
    if error:
        description = (
            "Switched on at /_emulator." if error not in _CLIENT_ERRORS else "Unauthorized"
        )
        raise TokenError(error, description, 401 if error in _CLIENT_ERRORS else 400)


def _client(authorization: str, form: Mapping[str, str], world: World) -> Client:
    client_id, secret = form.get("client_id", ""), form.get("client_secret")
    if authorization.startswith("Basic "):
        client_id, secret = _basic(authorization.removeprefix("Basic "))
    if not client_id:
        raise TokenError("invalid_request", "Could not determine client ID from request.")
    client = world.oauth.clients.get(client_id)
    if client is None:
        raise TokenError("invalid_client", "The OAuth client was not found.", 401)
    if secret is None:
        raise TokenError("invalid_request", "client_secret is missing.")
    if not _same(secret, client.secret):
        raise TokenError("invalid_client", "Unauthorized", 401)
    return client


def _same(given: str, kept: str) -> bool:
    # JSON may carry halves of surrogate pairs, which plain UTF-8 cannot.
    return hmac.compare_digest(
        given.encode("utf-8", "surrogatepass"), kept.encode("utf-8", "surrogatepass")
    )


def _basic(encoded: str) -> tuple[str, str]:
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError as exc:
        raise TokenError("invalid_client", "Unauthorized", 401) from exc
    return unquote(name), unquote(secret)


def _exchange(world: World, client: Client, form: Mapping[str, str]) -> Json:
    value = form.get("code", "")
    if not value:
        raise TokenError("invalid_request", "Missing required parameter: code")
    code = world.oauth.take_code(value)
    if code is None:
        used = value in world.oauth.used_codes
        raise TokenError("invalid_grant", "Bad Request" if used else "Malformed auth code.")
    if code.request.client_id != client.id:
        raise TokenError("invalid_grant", "Bad Request")
    if form.get("redirect_uri", "") != code.request.redirect_uri:
        raise TokenError("redirect_uri_mismatch", "Bad Request")
    _check_verifier(code, form.get("code_verifier"))
    answer = _granted(world, client, code)
    if OPENID in code.scopes:
        answer["id_token"] = idtoken.issue(
            world,
            code.sub,
            client.id,
            scopes=code.scopes,
            nonce=code.request.nonce,
            access_token=answer["access_token"],
        )
    return answer


def _granted(world: World, client: Client, code: Code) -> Json:
    switches = world.switches
    grant = world.oauth.grants[client.id, code.sub]
    first = not grant.had_refresh_token
    access = world.oauth.issue_access(
        client.id, code.sub, code.scopes, ttl_s=switches.access_token_ttl_s
    )
    answer = _answer(access, switches.access_token_ttl_s)
    if code.request.offline and (first or "consent" in code.request.prompt):
        refresh = world.oauth.issue_refresh(
            client.id,
            code.sub,
            code.scopes,
            ttl_s=switches.refresh_token_ttl_s,
            limit=switches.max_refresh_tokens,
        )
        answer["refresh_token"] = refresh.value
        if switches.refresh_token_ttl_s is not None:
            answer["refresh_token_expires_in"] = switches.refresh_token_ttl_s
    return answer


def _check_verifier(code: Code, verifier: str | None) -> None:
    challenge = code.request.challenge
    if challenge is None:
        if verifier:
            raise TokenError("invalid_grant", "code_verifier or verifier is not needed.")
        return
    if not verifier:
        raise TokenError("invalid_grant", "Missing code verifier.")
    made = verifier
    if code.request.challenge_method == "S256":
        digest = hashlib.sha256(verifier.encode("utf-8", "surrogatepass")).digest()
        made = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    if not _same(made, challenge):
        raise TokenError("invalid_grant", "Invalid code verifier.")


def _refresh(world: World, client: Client, form: Mapping[str, str]) -> Json:
    value = form.get("refresh_token", "")
    if not value:
        raise TokenError("invalid_request", "Missing required parameter: refresh_token")
    found = world.oauth.find_refresh(value)
    if found is None:
        raise TokenError("invalid_grant", _EXPIRED_OR_REVOKED)
    if found.client_id != client.id:
        raise TokenError("unauthorized_client", "Unauthorized", 401)
    person = world.people.find(found.sub)
    if person is None or person.disabled:
        raise TokenError("invalid_grant", "Account has been deleted")
    scopes = normalise(form.get("scope", "")) or found.scopes
    if not set(scopes) <= set(found.scopes):
        raise TokenError("invalid_scope", "Some requested scopes were not granted.")
    ttl_s = world.switches.access_token_ttl_s
    access = world.oauth.issue_access(client.id, found.sub, scopes, ttl_s=ttl_s)
    answer = _answer(access, ttl_s)
    if OPENID in scopes:
        answer["id_token"] = idtoken.issue(
            world, found.sub, client.id, scopes=scopes, access_token=access.value
        )
    return answer


def _answer(access: AccessToken, ttl_s: int) -> Json:
    return {
        "access_token": access.value,
        "expires_in": ttl_s,
        "scope": " ".join(access.scopes),
        "token_type": "Bearer",
    }


def routes() -> list[web.RouteDef]:
    """Return the token routes, with the older spellings that clients still carry."""
    return [
        web.post("/token", token),
        web.post("/oauth2/v4/token", token),
        web.post("/o/oauth2/token", token),
        web.post("/revoke", revoke),
        web.get("/revoke", revoke, allow_head=False),
        web.post("/o/oauth2/revoke", revoke),
    ]
