"""The authorization page: who are you, and what may this client do?

Source: https://developers.google.com/identity/protocols/oauth2/web-server
"""

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import aiohttp_jinja2
from aiohttp import web
from multidict import MultiMapping

from emulator.keys import ISSUER
from emulator.oauth import forms
from emulator.oauth import scopes as scope_names
from emulator.oauth.grants import AuthorizationRequest, Client
from emulator.people import Person
from emulator.world import WORLD, World

PATH = "/o/oauth2/v2/auth"
CONSENT_PATH = "/o/oauth2/v2/auth/consent"

_KNOWN_PROMPTS = frozenset({"none", "consent", "select_account"})
_SAFE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class PageError(Exception):
    """A fault that is shown to the person, because the redirect address cannot be trusted."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status


class RedirectError(Exception):
    """A fault that goes back to the client on its redirect address."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


async def authorize(request: web.Request) -> web.StreamResponse:
    """Show the consent page, or send an error where Google would send it."""
    world = request.app[WORLD]
    given = await _parameters(request)
    try:
        wanted = _read(given, world)
        try:
            _check(given, wanted)
            if "none" in wanted.prompt:
                return _redirect(wanted, _silently(world, wanted))
        except RedirectError as exc:
            return _redirect(wanted, {"error": exc.error})
        return _page(request, wanted, world.oauth.hold(wanted))
    except PageError as exc:
        return _error_page(request, exc)


async def consent(request: web.Request) -> web.StreamResponse:
    """Take the person's decision and go back to the client with a code or `access_denied`."""
    world = request.app[WORLD]
    form = await forms.fields(request)
    key = form.get("request", "")
    try:
        wanted = _pending(world, key)
        if form.get("decision") != "allow":
            del world.oauth.pending[key]
            return _redirect(wanted, {"error": "access_denied"})
        person = _chosen(world, form)
        ticked = frozenset(form.getall("scope", []))
        del world.oauth.pending[key]
        return _redirect(wanted, _allowed(world, wanted, person, ticked))
    except PageError as exc:
        return _error_page(request, exc)


def _pending(world: World, key: str) -> AuthorizationRequest:
    wanted = world.oauth.find_pending(key)
    if wanted is None:
        raise PageError("invalid_request", "This consent page is too old; start again.")
    return wanted


async def _parameters(request: web.Request) -> MultiMapping[str]:
    return await forms.fields(request) if request.method == "POST" else request.query


def _read(given: MultiMapping[str], world: World) -> AuthorizationRequest:
    client = world.oauth.clients.get(given.get("client_id", ""))
    if not given.get("client_id"):
        raise PageError("invalid_request", "Missing required parameter: client_id")
    if client is None:
        raise PageError("invalid_client", "The OAuth client was not found.", 401)
    redirect_uri = given.get("redirect_uri", "")
    if not redirect_uri:
        raise PageError("invalid_request", "Missing required parameter: redirect_uri")
    if not _may_return_to(client, redirect_uri):
        raise PageError("redirect_uri_mismatch", "The redirect address is not registered.")
    return AuthorizationRequest(
        client_id=client.id,
        redirect_uri=redirect_uri,
        scopes=scope_names.consented(given.get("scope", "")),
        state=given.get("state"),
        nonce=given.get("nonce"),
        prompt=frozenset(given.get("prompt", "").split()),
        offline=given.get("access_type", "online") == "offline",
        include_granted=given.get("include_granted_scopes", "false") == "true",
        login_hint=given.get("login_hint", ""),
        challenge=given.get("code_challenge"),
        challenge_method=given.get("code_challenge_method", "plain"),
        expires_s=world.oauth.pending_until(),
    )


def _may_return_to(client: Client, redirect_uri: str) -> bool:
    try:
        parts = urlsplit(redirect_uri)
    except ValueError:
        return False
    if parts.fragment or not redirect_uri.isprintable():
        return False
    if client.redirect_uris:
        return redirect_uri in client.redirect_uris
    return parts.scheme in {"http", "https"} and bool(parts.netloc)


def _check(given: MultiMapping[str], wanted: AuthorizationRequest) -> None:
    if not given.get("response_type"):
        raise PageError("invalid_request", "Missing required parameter: response_type")
    if given["response_type"] != "code":
        raise RedirectError("unsupported_response_type")
    if not wanted.scopes:
        raise PageError("invalid_request", "Missing required parameter: scope")
    strangers = scope_names.unknown(wanted.scopes)
    if strangers:
        raise PageError("invalid_scope", f"Some requested scopes are invalid: {strangers}")
    if given.get("access_type", "online") not in {"online", "offline"}:
        raise PageError("invalid_request", "Invalid parameter value for access_type")
    if not wanted.prompt <= _KNOWN_PROMPTS or ("none" in wanted.prompt and len(wanted.prompt) > 1):
        raise PageError("invalid_request", "Invalid parameter value for prompt")
    if wanted.challenge_method not in {"plain", "S256"}:
        raise PageError("invalid_request", "Invalid parameter value for code_challenge_method")


def _silently(world: World, wanted: AuthorizationRequest) -> dict[str, str]:
    person = world.people.find(wanted.login_hint) if wanted.login_hint else None
    grant = world.oauth.grants.get((wanted.client_id, person.sub)) if person else None
    if person is None or grant is None or not set(wanted.scopes) <= set(grant.scopes):
        raise RedirectError("interaction_required")
    return _allowed(world, wanted, person, frozenset(wanted.scopes))


def _allowed(
    world: World, wanted: AuthorizationRequest, person: Person, ticked: frozenset[str]
) -> dict[str, str]:
    granted = tuple(s for s in wanted.scopes if s in ticked or s in scope_names.SIGN_IN)
    if not granted:
        return {"error": "access_denied"}
    code = world.oauth.allow(wanted, person.sub, granted, ttl_s=world.switches.code_ttl_s)
    return {
        "iss": ISSUER,
        "code": code.value,
        "scope": " ".join(code.scopes),
        "authuser": "0",
        **({"hd": person.domain} if person.domain else {}),
        "prompt": "none" if "none" in wanted.prompt else "consent",
    }


def _chosen(world: World, form: MultiMapping[str]) -> Person:
    typed = form.get("new_person", "").strip()
    if typed:
        if typed.count("@") != 1 or typed.startswith("@") or typed.endswith("@"):
            raise PageError("invalid_request", "This is not an e-mail address.")
        return world.add_person(typed)
    person = world.people.find(form.get("person", ""))
    if person is None:
        raise PageError("invalid_request", "Choose a person, or type an address.")
    if person.disabled:
        raise PageError("access_denied", "This account is disabled.", 403)
    return person


def _page(request: web.Request, wanted: AuthorizationRequest, key: str) -> web.Response:
    world = request.app[WORLD]
    hinted = world.people.find(wanted.login_hint) if wanted.login_hint else None
    people = [hinted] if hinted else list(world.people)
    context = {
        "action": CONSENT_PATH,
        "request": key,
        "client_id": wanted.client_id,
        "host": urlsplit(wanted.redirect_uri).netloc.rpartition("@")[2],
        "people": people,
        "typed": wanted.login_hint if not hinted and "@" in wanted.login_hint else "",
        "sign_in": [s for s in wanted.scopes if s in scope_names.SIGN_IN],
        "choices": [
            (s, scope_names.DESCRIPTIONS[s]) for s in wanted.scopes if s not in scope_names.SIGN_IN
        ],
    }
    return _render(request, "consent.html", context, 200)


def _error_page(request: web.Request, error: PageError) -> web.Response:
    context = {"error": error.error, "description": error.description}
    return _render(request, "error.html", context, error.status)


def _render(request: web.Request, name: str, context: dict[str, Any], status: int) -> web.Response:
    response = aiohttp_jinja2.render_template(name, request, context, status=status)
    response.headers.update(_SAFE_HEADERS)
    return response


def _redirect(wanted: AuthorizationRequest, values: dict[str, str]) -> web.Response:
    parts = urlsplit(wanted.redirect_uri)
    state = {} if wanted.state is None else {"state": wanted.state}
    query = [*parse_qsl(parts.query, keep_blank_values=True), *state.items(), *values.items()]
    location = urlunsplit(parts._replace(query=urlencode(query)))
    return web.Response(status=302, headers={"Location": location, "Cache-Control": "no-store"})


def routes() -> list[web.RouteDef]:
    """Return the routes of the authorization page."""
    return [
        web.get(PATH, authorize, allow_head=False),
        web.post(PATH, authorize),
        web.post(CONSENT_PATH, consent),
    ]
