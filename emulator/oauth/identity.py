"""What everyone may read: keys, discovery, and what a token says of its person.

Source: https://accounts.google.com/.well-known/openid-configuration
"""

import json
from http import HTTPStatus

from aiohttp import web

from emulator.keys import ISSUER, signing_key
from emulator.oauth import authorize, forms, idtoken
from emulator.oauth.scopes import EMAIL, OPENID, PROFILE
from emulator.rest import documents
from emulator.world import WORLD

_CACHE_S = 3600
_CACHED = {"Cache-Control": f"public, max-age={_CACHE_S}, must-revalidate, no-transform"}


async def pem_certs(_request: web.Request) -> web.Response:
    """Serve the certificates by key id."""
    key = signing_key(idtoken.KEY_NAME)
    return web.json_response({key.kid: key.certificate_pem}, headers=_CACHED)


async def jwks(_request: web.Request) -> web.Response:
    """Serve the same keys as a JSON web key set."""
    return web.json_response({"keys": [signing_key(idtoken.KEY_NAME).jwk()]}, headers=_CACHED)


async def configuration(request: web.Request) -> web.Response:
    """Serve the OpenID discovery document with our own addresses and Google's issuer."""
    origin = str(request.url.origin())
    body = {
        "issuer": ISSUER,
        "authorization_endpoint": origin + authorize.PATH,
        "token_endpoint": f"{origin}/token",
        "userinfo_endpoint": f"{origin}/v1/userinfo",
        "revocation_endpoint": f"{origin}/revoke",
        "jwks_uri": f"{origin}/oauth2/v3/certs",
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": [OPENID, "email", "profile"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "claims_supported": [
            "aud", "email", "email_verified", "exp", "family_name", "given_name", "iat", "iss",
            "name", "sub",
        ],
        "code_challenge_methods_supported": ["plain", "S256"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
    }  # fmt: skip
    return web.json_response(body, headers=_CACHED)


async def userinfo(request: web.Request) -> web.Response:
    """Say who the bearer of an access token is."""
    world = request.app[WORLD]
    found = world.oauth.find_access(await forms.access_token(request))
    if found is None or not {OPENID, EMAIL, PROFILE} & set(found.scopes):
        body = {"error": "invalid_request", "error_description": "Invalid Credentials"}
        return web.json_response(body, status=401, headers={"WWW-Authenticate": "Bearer"})
    return web.json_response({"sub": found.sub, **idtoken.profile(world, found.sub, found.scopes)})


async def userinfo_v2(request: web.Request) -> web.Response:
    """Say the same in the words of the older API: `id` and `verified_email`."""
    answer = await userinfo(request)
    if answer.status != HTTPStatus.OK or answer.text is None:
        return answer
    names = {"sub": "id", "email_verified": "verified_email"}
    body = {names.get(name, name): value for name, value in json.loads(answer.text).items()}
    return web.json_response(body)


async def discovery_document(request: web.Request) -> web.Response:
    """Serve one API's discovery document, under the origin that was asked."""
    api, version = request.match_info["api"], request.match_info["version"]
    if (api, version) not in documents.SERVED:
        body = {"error": {"code": 404, "message": "The requested URL was not found."}}
        return web.json_response(body, status=404)
    return web.json_response(documents.at_origin(api, version, str(request.url.origin())))


async def own_discovery(request: web.Request) -> web.Response:
    """Serve `/$discovery/rest`: on one origin the API has to be named, else it is Gmail."""
    version = request.query.get("version", "v1")
    api = request.query.get("api", "gmail")
    if (api, version) not in documents.SERVED:
        body = {"error": {"code": 404, "message": "The requested URL was not found."}}
        return web.json_response(body, status=404)
    return web.json_response(documents.at_origin(api, version, str(request.url.origin())))


async def discovery_list(request: web.Request) -> web.Response:
    """Serve the list of APIs."""
    return web.json_response(documents.directory(str(request.url.origin())))


def routes() -> list[web.RouteDef]:
    """Return the routes of this module."""
    about_people = [
        web.route(verb, path, handler)
        for verb in ("GET", "POST")
        for path, handler in (
            ("/oauth2/v3/userinfo", userinfo),
            ("/v1/userinfo", userinfo),
            ("/oauth2/v1/userinfo", userinfo_v2),
            ("/oauth2/v2/userinfo", userinfo_v2),
            ("/userinfo/v2/me", userinfo_v2),
        )
    ]
    return [
        *about_people,
        web.get("/oauth2/v1/certs", pem_certs),
        web.get("/oauth2/v3/certs", jwks),
        web.get("/.well-known/openid-configuration", configuration),
        web.get("/discovery/v1/apis", discovery_list),
        web.get("/discovery/v1/apis/{api}/{version}/rest", discovery_document),
        web.get("/$discovery/rest", own_discovery),
    ]
