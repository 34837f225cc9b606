"""events.watch, calendarList.watch and channels.stop.

Source: https://developers.google.com/workspace/calendar/api/v3/reference/events/watch
"""

import base64
import hashlib
import ipaddress
from typing import Any, Final
from urllib.parse import quote, urlsplit

from emulator.calendar.access import person, view
from emulator.calendar.channels import Channel
from emulator.calendar.errors import invalid, push_not_supported, refusal, required
from emulator.people import Person
from emulator.rest.call import Call, Operation

Json = dict[str, Any]

_ROOT: Final = "https://www.googleapis.com/calendar/v3/"
_LONGEST_ID: Final = 64
_LONGEST_TOKEN: Final = 256
_DEFAULT_TTL_S: Final = 604_800


def watch_events(call: Call) -> Json:
    """Open a channel to the events of one calendar."""
    seen = view(call)
    if not seen.agenda.is_watchable:
        raise push_not_supported()
    types = call.query.get("eventTypes", [])
    asked = "".join(f"&eventTypes={name}" for name in types)
    uri = f"{_ROOT}calendars/{quote(call.path['calendarId'], safe='')}/events?alt=json{asked}"
    resource = f"events {seen.agenda.id} {sorted(types)}"
    return _open(call, seen.person, uri, resource, target=seen.agenda.id, types=types)


def watch_list(call: Call) -> Json:
    """Open a channel to the person's calendar list."""
    who = person(call)
    uri = f"{_ROOT}users/me/calendarList?alt=json"
    return _open(call, who, uri, "calendarList", target=who.sub)


def stop(call: Call) -> None:
    """Close a channel: only the person and the client that opened it can."""
    channels = call.world.calendars.channels
    wanted = str(call.body.get("id", ""))
    if not wanted or not call.body.get("resourceId"):
        raise required("Missing channel id or resource id.")
    channels.live()
    found = channels.open.get(wanted)
    token = call.token
    if (
        found is None
        or token is None
        or found.resource_id != call.body["resourceId"]
        or (found.sub, found.client_id) != (token.sub, token.client_id)
    ):
        raise refusal(404, "notFound", f"Channel '{wanted}' not found for project '112233445566'")
    channels.stop(found)


def _open(
    call: Call, who: Person, uri: str, resource: str, *, target: str, types: list[str] | None = None
) -> Json:
    channels, body = call.world.calendars.channels, call.body
    channel_id, token = str(body.get("id", "")), body.get("token")
    if not channel_id:
        raise required("Missing channel id.")
    if len(channel_id) > _LONGEST_ID or not channel_id.isascii():
        raise invalid("Invalid channel id.")
    if token is not None and len(token) > _LONGEST_TOKEN:
        raise invalid("Invalid channel token.")
    if body.get("type") not in {"web_hook", "webhook"}:
        raise invalid("Unknown channel type.")
    address = str(body.get("address", ""))
    _check_address(address, call.world.switches.channel_http)
    if channel_id in channels.used:
        raise refusal(400, "channelIdNotUnique", f"Channel id {channel_id} not unique")
    channel = Channel(
        id=channel_id,
        resource_id=_resource_id(who.sub, resource),
        resource_uri=uri,
        address=address,
        target=target,
        sub=who.sub,
        client_id=call.token.client_id if call.token else "",
        expires_ms=_expiry(call),
        token=token,
        event_types=frozenset(types or ()),
    )
    channels.start(channel)
    return channel.json()


def _expiry(call: Call) -> int:
    """Return when the channel ends: the earliest of what is asked for and what is allowed."""
    now, body = call.world.clock.now_ms(), call.body
    ends = [now + call.world.switches.channel_ttl_s * 1000]
    ttl = str(body.get("params", {}).get("ttl", _DEFAULT_TTL_S))
    if not (ttl.isascii() and ttl.isdigit() and int(ttl[:12])):
        raise invalid("Invalid ttl.")
    if "expiration" not in body or "ttl" in body.get("params", {}):
        ends.append(now + int(ttl[:12]) * 1000)
    if "expiration" in body:
        ends.append(int(body["expiration"]))
    if min(ends) <= now:
        raise invalid("Invalid channel expiration.")
    return min(ends)


def _check_address(address: str, allowed: str) -> None:
    if not address:
        raise required("Missing channel address.")
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError as exc:
        raise invalid("Invalid channel address.") from exc
    if not host or parts.scheme not in {"http", "https"}:
        raise refusal(400, "push.webhookUrlNotHttps", f"WebHook callback must be HTTPS: {address}")
    near = allowed == "anywhere" or (allowed == "nearby" and _is_near(host))
    if parts.scheme == "http" and not near:
        raise refusal(400, "push.webhookUrlNotHttps", f"WebHook callback must be HTTPS: {address}")


def _is_near(host: str) -> bool:
    """Return whether a host is this machine, one of a private network, or a bare name in one."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".internal", ".local", ".localhost"))


def _resource_id(sub: str, resource: str) -> str:
    digest = hashlib.sha1(f"{sub} {resource}".encode(), usedforsecurity=False).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


OPERATIONS: Final = {
    "calendar.events.watch": Operation(watch_events, units=1),
    "calendar.calendarList.watch": Operation(watch_list, units=1),
    "calendar.channels.stop": Operation(stop, units=1),
}
