"""Push deliveries: what became of them, their faults, and forged ones."""

import base64
import json
from typing import Any, Final, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from emulator.clock import rfc3339
from emulator.control.http import PREFIX, ControlError, body
from emulator.pubsub.push import Pusher
from emulator.pubsub.switches import PushSwitches
from emulator.world import WORLD, World

Json = dict[str, Any]

PUSHER: web.AppKey[Pusher] = web.AppKey("pusher", Pusher)
_FORGED_TIMEOUT_S: Final = 30.0


class PushSetting(BaseModel):
    """Faults of delivery. `claims` override the token's; null takes a claim away.

    Attributes:
        reorder: hold so many messages back, then deliver them one by one, the newest first.
    """

    model_config = ConfigDict(extra="forbid")
    paused: bool = False
    delay_s: float = Field(default=0, ge=0, le=600)
    drop: int = Field(default=0, ge=0)
    duplicate: int = Field(default=0, ge=0)
    reorder: int = Field(default=0, ge=0)
    claims: Json = Field(default_factory=dict)
    key: Literal["google", "other"] = "google"
    alg: Literal["RS256", "none"] = "RS256"
    authorization: bool = True


class ForgedPush(PushSetting):
    """One push, sent at once, past topics and subscriptions unless one is named."""

    endpoint: str | None = None
    subscription: str | None = None
    service_account: str = "pusher@emulator.invalid"
    audience: str | None = None
    data: Any = None
    body: str | None = None
    message_id: str = "1"


async def get_pushes(request: web.Request) -> web.Response:
    """Show the last deliveries with what became of each, and what still waits."""
    pusher, world = request.app[PUSHER], request.app[WORLD]
    found = world.pubsub.subscriptions.items()
    waiting = {name: len(s.backlog) + len(s.held) + len(s.later) for name, s in found}
    answer = {
        "deliveries": list(pusher.log),
        "waiting": waiting,
        "leased": {name: len(s.leased) for name, s in found},
        "notifications_dropped": world.watches.dropped,
        "notifications_sent": world.watches.sent,
    }
    return web.json_response(answer)


async def set_pushes(request: web.Request) -> web.Response:
    """Set the faults of delivery."""
    wanted = await body(request, PushSetting)
    request.app[PUSHER].set_switches(PushSwitches(**wanted.model_dump()))
    return web.json_response(wanted.model_dump())


async def forge_push(request: web.Request) -> web.Response:
    """Send one push with a token made to order and return the endpoint's status."""
    wanted = await body(request, ForgedPush)
    world, pusher = request.app[WORLD], request.app[PUSHER]
    push, name = _target(wanted, world)
    setting = wanted.model_dump(include=set(PushSetting.model_fields))
    token = pusher.token(push, PushSwitches(**setting))
    sent = wanted.body.encode() if wanted.body is not None else _wrapped(wanted, world, name)
    status = await pusher.send(push, sent, token=token, timeout_s=_FORGED_TIMEOUT_S)
    return web.json_response({"status": status})


def routes() -> list[web.RouteDef]:
    """Return the routes of this module."""
    return [
        web.get(f"{PREFIX}/pushes", get_pushes),
        web.put(f"{PREFIX}/pushes", set_pushes),
        web.post(f"{PREFIX}/pushes", forge_push),
    ]


def _target(wanted: ForgedPush, world: World) -> tuple[Json, str]:
    if wanted.subscription is not None:
        found = world.pubsub.subscriptions.get(wanted.subscription)
        if found is None or not found.push.get("pushEndpoint"):
            raise ControlError(404, "there is no such push subscription")
        return found.push, found.name
    if wanted.endpoint is None:
        raise ControlError(400, "name an endpoint or a subscription")
    oidc = {"serviceAccountEmail": wanted.service_account}
    if wanted.audience is not None:
        oidc["audience"] = wanted.audience
    name = "projects/emulator/subscriptions/forged"
    return {"pushEndpoint": wanted.endpoint, "oidcToken": oidc}, name


def _wrapped(wanted: ForgedPush, world: World, subscription: str) -> bytes:
    data = wanted.data if isinstance(wanted.data, str) else json.dumps(wanted.data)
    message = {
        "data": base64.b64encode(data.encode()).decode(),
        "messageId": wanted.message_id,
        "message_id": wanted.message_id,
        "publishTime": rfc3339(world.clock.now_s()),
        "publish_time": rfc3339(world.clock.now_s()),
    }
    return json.dumps({"message": message, "subscription": subscription}).encode()
