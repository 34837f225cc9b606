"""Calendar's notifications: the channels, what became of messages, their faults, forged ones."""

from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from emulator.calendar.channels import Channel
from emulator.calendar.delivery import DeliverySwitches, Notice
from emulator.control.http import PREFIX, ControlError, body
from emulator.world import WORLD, World

Json = dict[str, Any]


class NotificationSetting(BaseModel):
    """Faults of delivery.

    Attributes:
        reorder: hold so many messages back, then deliver them one by one, the newest first.
        early_sync: the answer of `watch` waits until its `sync` message was delivered.
    """

    model_config = ConfigDict(extra="forbid")
    paused: bool = False
    delay_s: float = Field(default=0, ge=0, le=600)
    drop: int = Field(default=0, ge=0)
    duplicate: int = Field(default=0, ge=0)
    reorder: int = Field(default=0, ge=0)
    early_sync: bool = False


class ForgedNotification(BaseModel):
    """One message, sent at once: of a channel, or to any address; null takes a header away."""

    model_config = ConfigDict(extra="forbid")
    channel: str | None = None
    address: str | None = None
    state: str = "exists"
    headers: dict[str, str | None] = Field(default_factory=dict)


async def get_notifications(request: web.Request) -> web.Response:
    """Show the channels, the last messages with what became of each, and what waits."""
    world = request.app[WORLD]
    notifier = world.notifier
    answer = {
        "channels": channels(world),
        "deliveries": list(notifier.log),
        "announced": world.calendars.channels.announced,
        "delivered": notifier.counts["delivered"],
        "lost": notifier.counts["lost"],
        "retried": notifier.counts["retried"],
        "dropped": notifier.counts["dropped"],
        "waiting": notifier.waiting,
    }
    return web.json_response(answer)


async def set_notifications(request: web.Request) -> web.Response:
    """Set the faults of delivery."""
    wanted = await body(request, NotificationSetting)
    request.app[WORLD].notifier.set_switches(DeliverySwitches(**wanted.model_dump()))
    return web.json_response(wanted.model_dump())


async def forge_notification(request: web.Request) -> web.Response:
    """Send one message and return the receiver's status."""
    wanted = await body(request, ForgedNotification)
    world = request.app[WORLD]
    channel = _channel(world, wanted)
    headers: dict[str, str | None] = {}
    if channel is not None:
        headers |= channel.next_message(wanted.state)
    headers |= wanted.headers
    kept = {name: value for name, value in headers.items() if value is not None}
    address = wanted.address or (channel.address if channel else "")
    return web.json_response({"status": await world.notifier.post(Notice(address, kept))})


def channels(world: World) -> list[Json]:
    """Return the open channels."""
    people = world.people
    return [
        {
            **channel.json(),
            "address": channel.address,
            "person": owner.email if (owner := people.find(channel.sub)) else channel.sub,
            "clientId": channel.client_id,
            "messageNumber": channel.number,
        }
        for channel in world.calendars.channels.live()
    ]


def routes() -> list[web.RouteDef]:
    """Return the routes of this module."""
    return [
        web.get(f"{PREFIX}/notifications", get_notifications),
        web.put(f"{PREFIX}/notifications", set_notifications),
        web.post(f"{PREFIX}/notifications", forge_notification),
    ]


def _channel(world: World, wanted: ForgedNotification) -> Channel | None:
    if wanted.channel is None:
        if wanted.address is None:
            raise ControlError(400, "name a channel or an address")
        return None
    found = world.calendars.channels.open.get(wanted.channel)
    if found is None:
        raise ControlError(404, "there is no such channel")
    return found
