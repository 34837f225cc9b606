"""Google's own behaviour: the clock, the switches, faults, usage and the whole state."""

import json
from collections import Counter
from importlib import metadata
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emulator.calendar.delivery import DeliverySwitches
from emulator.config import Switches
from emulator.control.calendar import calendar_state
from emulator.control.channels import channels
from emulator.control.contacts import contacts_state
from emulator.control.http import PREFIX, ControlError, body
from emulator.control.people import shown
from emulator.control.pushes import PUSHER
from emulator.faults import FaultRule
from emulator.pubsub.switches import PushSwitches
from emulator.world import WORLD, World

Json = dict[str, Any]


class ClockSetting(BaseModel):
    """Where the clock stands; `signatures` moves the times in signed tokens as well."""

    model_config = ConfigDict(extra="forbid")
    offset_s: float = 0.0
    signatures: bool = False


class FaultList(BaseModel):
    """All fault rules; they replace the ones before."""

    model_config = ConfigDict(extra="forbid")
    rules: list[FaultRule] = Field(default_factory=list)


async def index(_request: web.Request) -> web.Response:
    """Say what there is."""
    return web.json_response(
        {"name": "Google Workspace emulator", "version": _version(), "routes": _INDEX}
    )


def _version() -> str | None:
    """Return the release it came with; None from a tree that is not installed."""
    try:
        return metadata.version("causeway")
    except metadata.PackageNotFoundError:
        return None


async def get_clock(request: web.Request) -> web.Response:
    """Say what time it is at Google."""
    return web.json_response(_clock(request.app[WORLD]))


async def set_clock(request: web.Request) -> web.Response:
    """Move the clock to an offset from the machine's."""
    wanted = await body(request, ClockSetting)
    world = request.app[WORLD]
    world.clock.offset_s = wanted.offset_s
    world.clock.moves_signatures = wanted.signatures
    return web.json_response(_clock(world))


async def get_settings(request: web.Request) -> web.Response:
    """Show the switches."""
    return web.json_response(request.app[WORLD].switches.model_dump())


async def set_settings(request: web.Request) -> web.Response:
    """Change the switches that the body names; the others stay."""
    world = request.app[WORLD]
    try:
        changes = json.loads(await request.read() or b"{}")
        world.switches = Switches.model_validate({**world.switches.model_dump(), **changes})
    except (ValidationError, ValueError, TypeError) as exc:
        raise ControlError(400, f"the body is not valid: {exc}") from exc
    return web.json_response(world.switches.model_dump())


async def get_faults(request: web.Request) -> web.Response:
    """Show the fault rules with how often each was hit."""
    rules = [rule.model_dump() for rule in request.app[WORLD].faults.rules]
    return web.json_response({"rules": rules})


async def set_faults(request: web.Request) -> web.Response:
    """Replace the fault rules."""
    request.app[WORLD].faults.rules = (await body(request, FaultList)).rules
    return await get_faults(request)


async def clear_faults(request: web.Request) -> web.Response:
    """Remove all fault rules."""
    request.app[WORLD].faults.rules = []
    return await get_faults(request)


async def get_usage(request: web.Request) -> web.Response:
    """Show calls and quota units per person and method."""
    usage = request.app[WORLD].usage
    spent = request.app[WORLD].contacts.quotas.spent
    people = {
        email: {
            "units": sum(units.values()),
            "refused": usage.refused[email],
            "apis": _by_api(units),
            "quotas": dict(spent[email]) if email in spent else {},
            "methods": {
                name: {"units": units[name], "calls": usage.calls[email][name]} for name in units
            },
        }
        for email, units in usage.units.items()
    }
    return web.json_response({"people": people})


def _by_api(units: Counter[str]) -> dict[str, int]:
    """Return what each API's methods cost; Calendar counts requests, Gmail its own units."""
    found: Counter[str] = Counter()
    for method, spent in units.items():
        found[method.partition(".")[0]] += spent
    return dict(found)


async def clear_usage(request: web.Request) -> web.Response:
    """Count from zero again."""
    request.app[WORLD].usage.clear()
    request.app[WORLD].contacts.quotas.clear()
    return await get_usage(request)


async def state(request: web.Request) -> web.Response:
    """Dump everything, secrets included: this is a local test tool."""
    world = request.app[WORLD]
    oauth = world.oauth
    agendas = [one for one in world.calendars.agendas.values() if not one.is_deleted]
    return web.json_response(
        {
            "warning": "Live tokens and the client secret are in here.",
            "clock": _clock(world),
            "switches": world.switches.model_dump(),
            "people": [shown(p) for p in world.people],
            "clients": [{"id": c.id, "secret": c.secret} for c in oauth.clients.values()],
            "grants": [
                {"client_id": client, "sub": sub, "scopes": grant.scopes}
                for (client, sub), grant in oauth.grants.items()
            ],
            "access_tokens": [{"value": t.value, "sub": t.sub} for t in oauth.access.values()],
            "refresh_tokens": [{"value": t.value, "sub": t.sub} for t in oauth.refresh.values()],
            "watches": [
                {"email": w.email, "topic": w.topic, "expiration": str(w.expires_ms)}
                for mine in world.watches.active.values()
                for w in mine.values()
            ],
            "calendars": [calendar_state(world, agenda) for agenda in agendas],
            "contacts": {p.email: contacts_state(world, p) for p in world.people},
            "channels": channels(world),
            "invitations": len(world.calendars.invitations.sent),
            "topics": sorted(world.pubsub.topics),
            "subscriptions": [s.resource for s in world.pubsub.subscriptions.values()],
            "mailboxes": {
                p.email: {
                    "historyId": str(world.mailbox(p.email).history_id),
                    "messages": len(world.mailbox(p.email).messages),
                }
                for p in world.people
            },
        }
    )


async def reset(request: web.Request) -> web.Response:
    """Forget everything and start as the process started."""
    request.app[WORLD].reset()
    request.app[PUSHER].set_switches(PushSwitches())
    request.app[PUSHER].log.clear()
    notifier = request.app[WORLD].notifier
    notifier.set_switches(DeliverySwitches())
    await notifier.forget()
    return web.json_response({"reset": True})


def routes() -> list[web.RouteDef]:
    """Return the routes of this module."""
    return [
        web.get(PREFIX, index),
        web.get(f"{PREFIX}/", index),
        web.get(f"{PREFIX}/clock", get_clock),
        web.put(f"{PREFIX}/clock", set_clock),
        web.get(f"{PREFIX}/settings", get_settings),
        web.put(f"{PREFIX}/settings", set_settings),
        web.get(f"{PREFIX}/faults", get_faults),
        web.put(f"{PREFIX}/faults", set_faults),
        web.delete(f"{PREFIX}/faults", clear_faults),
        web.get(f"{PREFIX}/usage", get_usage),
        web.delete(f"{PREFIX}/usage", clear_usage),
        web.get(f"{PREFIX}/state", state),
        web.post(f"{PREFIX}/reset", reset),
    ]


def _clock(world: World) -> Json:
    clock = world.clock
    moved = clock.moves_signatures
    return {"offset_s": clock.offset_s, "signatures": moved, "now_ms": clock.now_ms()}


_INDEX: Final = {
    "GET|POST /_emulator/people": "list; create {email, name?, sub?, time_zone?}",
    "GET|PATCH /_emulator/people/{email}": "{email?, name?, email_verified?, disabled?, "
    "time_zone?}",
    "POST /_emulator/people/{email}/aliases": "{email, name?, default?}: another From address",
    "POST /_emulator/people/{email}/tokens": "{scopes} -> access and refresh token",
    "POST /_emulator/people/{email}/grants": "{action: revoke | expire_access | untick, ...}",
    "POST /_emulator/people/{email}/messages": "mail arrives: {raw} or {from, subject, text, ...}; "
    "or a message/rfc822 file with ?labels=&internal_date_ms=&thread_key=",
    "POST /_emulator/people/{email}/edits": "{message | messages, action, add?, remove?}",
    "GET /_emulator/people/{email}/mailbox": "ids, labels and subjects; with ?header= also that",
    "POST /_emulator/people/{email}/history": "{action: expire}",
    "GET|POST /_emulator/people/{email}/calendars": "{summary?, description?, time_zone?, "
    "holidays?}",
    "DELETE /_emulator/people/{email}/calendars/{calendar}": "a secondary one",
    "POST /_emulator/people/{email}/calendars/{calendar}/sharing": "{person, role, on_list?}",
    "GET|POST /_emulator/people/{email}/events": "?calendar=; {event, calendar?, send_updates?, "
    "count?}, or a text/calendar file",
    "POST /_emulator/people/{email}/event-edits": "{event, action: change | drag | delete | "
    "respond, scope?, changes?, start?, end?, response?, comment?, guest?, calendar?, "
    "send_updates?}",
    "POST /_emulator/people/{email}/sync-tokens": "{action: expire, calendar?} or "
    "{action: expire, of: contacts}",
    "GET|POST /_emulator/people/{email}/contacts": "{contact, groups?, count?, resource_name?, "
    "other?}, or a text/vcard file",
    "POST /_emulator/people/{email}/contact-edits": "{contact, action: change | delete | star | "
    "unstar | label | unlabel | merge | rename, changes?, group?, into?, leads?, trace?, name?}",
    "GET|POST /_emulator/people/{email}/contact-groups": "{name}",
    "PATCH|DELETE /_emulator/people/{email}/contact-groups/{group}": "{name}; ?contacts=true",
    "GET|DELETE /_emulator/invitations": "mails about events; ?event=&to=&kind=",
    "GET|PUT|POST /_emulator/notifications": "Calendar's channels and messages; their faults; "
    "send a forged one",
    "GET|PUT /_emulator/clock": "{offset_s, signatures?}",
    "GET|PUT /_emulator/settings": "switches; a PUT changes those it names",
    "GET|PUT|DELETE /_emulator/faults": "{rules: [...]}",
    "GET|PUT|POST /_emulator/pushes": "deliveries; their faults; send a forged one",
    "GET|DELETE /_emulator/usage": "quota units per person and method",
    "GET /_emulator/state": "everything, secrets included",
    "POST /_emulator/reset": "start again",
}
