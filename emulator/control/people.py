"""People, their tokens and their grants."""

from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from emulator.calendar.times import known_zone
from emulator.control.http import PREFIX, ControlError, body, person
from emulator.gmail.send_as import send_as
from emulator.oauth import scopes as scope_names
from emulator.oauth.grants import OAuthState
from emulator.people import Alias, Person
from emulator.world import WORLD, World

Json = dict[str, Any]

_ADDRESS = r"^[^@\s]+@[^@\s]+$"


class NewPerson(BaseModel):
    """A person to create; `sub` is made up when it is not given.

    Attributes:
        time_zone: of the person's own calendar.
    """

    model_config = ConfigDict(extra="forbid")
    email: str = Field(pattern=_ADDRESS, max_length=254)
    name: str = ""
    sub: str | None = Field(default=None, pattern=r"^[0-9]{1,255}$")
    time_zone: str = "UTC"


class PersonChange(BaseModel):
    """What may change about a person; absent stays."""

    model_config = ConfigDict(extra="forbid")
    email: str | None = Field(default=None, pattern=_ADDRESS, max_length=254)
    name: str | None = None
    email_verified: bool | None = None
    disabled: bool | None = None
    time_zone: str | None = None


class NewAlias(BaseModel):
    """Another address of a person; `default` makes it the one new mail is sent from."""

    model_config = ConfigDict(extra="forbid")
    email: str = Field(pattern=_ADDRESS, max_length=254)
    name: str = ""
    default: bool = False


class TokenOrder(BaseModel):
    """A token without the consent page."""

    model_config = ConfigDict(extra="forbid")
    scopes: list[str] = Field(min_length=1)
    client_id: str | None = None


class GrantAction(BaseModel):
    """What happens to a person's consents; `scopes` are those whose box is unticked."""

    model_config = ConfigDict(extra="forbid")
    action: Literal["revoke", "expire_access", "untick"]
    scopes: list[str] = Field(default_factory=list)
    client_id: str | None = None


def shown(found: Person) -> Json:
    """Return a person as the control API prints them."""
    return {
        "email": found.email,
        "sub": found.sub,
        "name": found.name,
        "email_verified": found.email_verified,
        "disabled": found.disabled,
        "aliases": [alias.email for alias in found.aliases],
    }


async def add(request: web.Request) -> web.Response:
    """Create a person, or return the one who has the address."""
    wanted = await body(request, NewPerson)
    world = request.app[WORLD]
    known = world.people.find(wanted.email)
    if known_zone(wanted.time_zone) is None:
        raise ControlError(400, "there is no such time zone")
    found = known or world.add_person(wanted.email, wanted.name, sub=wanted.sub)
    world.calendars.primary(found, time_zone=wanted.time_zone)
    return web.json_response(shown(found), status=200 if known else 201)


async def list_all(request: web.Request) -> web.Response:
    """List everyone."""
    return web.json_response({"people": [shown(p) for p in request.app[WORLD].people]})


async def get(request: web.Request) -> web.Response:
    """Show one person with the grants they gave."""
    found = person(request)
    grants = request.app[WORLD].oauth.grants
    given = {client: g.scopes for (client, sub), g in grants.items() if sub == found.sub}
    return web.json_response({**shown(found), "grants": given})


async def change(request: web.Request) -> web.Response:
    """Rename, disable, or take the verified mark away; a new address keeps the mail."""
    found = person(request)
    world = request.app[WORLD]
    wanted = (await body(request, PersonChange)).model_dump(exclude_none=True)
    zone = wanted.pop("time_zone", None)
    if zone is not None:
        _move_zone(world, found, zone)
    if "email" in wanted:
        wanted["email"] = wanted["email"].lower()
        if world.people.find(wanted["email"]) not in (None, found):
            raise ControlError(409, "somebody else has this address")
        if wanted["email"] != found.email:
            world.rename_mailbox(found.email, wanted["email"])
    return web.json_response(shown(world.people.change(found.sub, **wanted)))


async def add_alias(request: web.Request) -> web.Response:
    """Add an address that the person sends from and receives at, or change its name."""
    found = person(request)
    people = request.app[WORLD].people
    wanted = await body(request, NewAlias)
    email = wanted.email.lower()
    if people.find(email) is not None or people.receiver(email) not in (None, found):
        raise ControlError(409, "somebody has this address")
    others = tuple(alias for alias in found.aliases if alias.email != email)
    changed = people.change(
        found.sub,
        aliases=(*others, Alias(email, wanted.name)),
        sends_as=email if wanted.default else found.sends_as,
    )
    return web.json_response({"sendAs": send_as(changed)}, status=201)


async def issue_tokens(request: web.Request) -> web.Response:
    """Return an access and a refresh token for the scopes, as if the person had consented."""
    found = person(request)
    wanted = await body(request, TokenOrder)
    world = request.app[WORLD]
    client_id = wanted.client_id or world.config.client_id
    if client_id not in world.oauth.clients:
        raise ControlError(404, "there is no such client")
    scopes = scope_names.normalise(" ".join(wanted.scopes))
    strangers = scope_names.unknown(scopes)
    if strangers:
        raise ControlError(400, "unknown scopes", strangers)
    switches = world.switches
    access = world.oauth.issue_access(
        client_id, found.sub, scopes, ttl_s=switches.access_token_ttl_s
    )
    refresh = world.oauth.issue_refresh(
        client_id, found.sub, scopes,
        ttl_s=switches.refresh_token_ttl_s, limit=switches.max_refresh_tokens,
    )  # fmt: skip
    answer = {
        "access_token": access.value,
        "refresh_token": refresh.value,
        "expires_in": switches.access_token_ttl_s,
        "scope": " ".join(scopes),
        "token_type": "Bearer",
    }
    return web.json_response(answer, status=201)


async def change_grants(request: web.Request) -> web.Response:
    """Revoke in the person's account settings, take scopes back, or expire access tokens early."""
    found = person(request)
    wanted = await body(request, GrantAction)
    oauth = request.app[WORLD].oauth
    if wanted.action == "expire_access":
        return web.json_response({"expired": oauth.expire_access(found.sub)})
    if wanted.action == "untick":
        return web.json_response({"scopes": _untick(oauth, found, wanted)})
    if wanted.client_id is not None:
        oauth.revoke(wanted.client_id, found.sub)
    else:
        for client_id in list(oauth.clients):
            oauth.revoke(client_id, found.sub)
    return web.json_response({"revoked": True})


def _move_zone(world: World, found: Person, zone: str) -> None:
    if known_zone(zone) is None:
        raise ControlError(400, "there is no such time zone")
    agenda = world.calendars.primary(found)
    agenda.facts.time_zone = zone
    world.calendars.facts_changed(agenda)


def _untick(oauth: OAuthState, found: Person, wanted: GrantAction) -> list[str]:
    """Take scopes out of the person's grants and tokens; return those that are left."""
    gone = frozenset(scope_names.normalise(" ".join(wanted.scopes)))
    if not gone:
        raise ControlError(400, "name the scopes to untick")
    clients = [wanted.client_id] if wanted.client_id is not None else list(oauth.clients)
    left = [oauth.untick(client_id, found.sub, gone) for client_id in clients]
    return list(dict.fromkeys(scope for scopes in left for scope in scopes))


def routes() -> list[web.RouteDef]:
    """Return the routes of this module."""
    one = f"{PREFIX}/people/{{email}}"
    return [
        web.post(f"{PREFIX}/people", add),
        web.get(f"{PREFIX}/people", list_all),
        web.get(one, get),
        web.patch(one, change),
        web.post(f"{one}/aliases", add_alias),
        web.post(f"{one}/tokens", issue_tokens),
        web.post(f"{one}/grants", change_grants),
    ]
