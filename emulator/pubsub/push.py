"""Push delivery: one loop per subscription, signed requests, back-off for the whole subscription.

Sources: https://cloud.google.com/pubsub/docs/push and
https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions
"""

import asyncio
import json
import math
from collections.abc import Coroutine, Mapping
from typing import Any, Final

import aiohttp
import structlog

from emulator.clock import Clock
from emulator.keys import ISSUER, signing_key, unsigned
from emulator.oauth.idtoken import KEY_NAME
from emulator.pubsub.state import Delivery, PubSub, Subscription
from emulator.pubsub.switches import PushSwitches

Json = dict[str, Any]
_log = structlog.get_logger(__name__)

ACKED: Final = frozenset({102, 200, 201, 202, 204})
OTHER_KEY_NAME: Final = "stranger"
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 60.0
_IN_FLIGHT: Final = 64
_TOKEN_TTL_S: Final = 3600
_TOKEN_REUSE_S: Final = 60  # Google, too, signs one token for many deliveries
_DROPPED: Final = "dropped"
_AGENT: Final = "CloudPubSub-Google"


class Pusher:
    """Delivers every push subscription's backlog without ever holding up the API."""

    def __init__(self, pubsub: PubSub, clock: Clock) -> None:
        self.log = pubsub.log
        self._pubsub = pubsub
        self._clock = clock
        self._loops: dict[str, asyncio.Task[None]] = {}
        self._resumed = asyncio.Event()
        self._tokens: dict[str, tuple[int, str]] = {}
        self._session: aiohttp.ClientSession | None = None

    @property
    def switches(self) -> PushSwitches:
        """Return the faults in force."""
        return self._pubsub.switches

    async def start(self) -> None:
        """Open the client session and serve the subscriptions there are."""
        connector = aiohttp.TCPConnector(limit=0)
        self._session = aiohttp.ClientSession(connector=connector, auto_decompress=False)
        self._resumed.set()
        self._pubsub.opened = self.serve
        self._pubsub.closed = self.leave
        for subscription in self._pubsub.subscriptions.values():
            self.serve(subscription)

    async def close(self) -> None:
        """Stop all deliveries; what is in flight is cut off."""
        loops = list(self._loops.values())
        for task in loops:
            task.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        self._loops.clear()
        if self._session is not None:
            await self._session.close()

    def set_switches(self, switches: PushSwitches) -> None:
        """Replace the faults; a pause that ends lets waiting messages go."""
        self._pubsub.switches = switches
        self._release()
        if switches.paused:
            self._resumed.clear()
        else:
            self._resumed.set()

    def serve(self, subscription: Subscription) -> None:
        """Start, or start anew, the loop of a subscription that has an endpoint."""
        self.leave(subscription)
        if subscription.push.get("pushEndpoint"):
            subscription.ripen(math.inf)
            task = asyncio.create_task(self._run(subscription), name=subscription.name)
            self._loops[subscription.name] = task

    def leave(self, subscription: Subscription) -> None:
        """Stop the loop of a subscription."""
        task = self._loops.pop(subscription.name, None)
        if task is not None:
            task.cancel()

    def token(self, push: Mapping[str, Any], switches: PushSwitches) -> str | None:
        """Return the bearer token for a push configuration, as the switches want it."""
        oidc = push.get("oidcToken")
        if not oidc or not switches.authorization:
            return None
        now = self._clock.signing_s()
        plain = switches.key == "google" and switches.alg == "RS256" and not switches.claims
        known = self._tokens.get(str(push)) if plain else None
        if known is not None and known[0] <= now < known[0] + _TOKEN_REUSE_S:
            return known[1]
        made = self._make_token(push, switches, now)
        if plain:
            self._tokens[str(push)] = (now, made)
        return made

    @staticmethod
    def _make_token(push: Mapping[str, Any], switches: PushSwitches, now: int) -> str:
        oidc = push["oidcToken"]
        email = oidc.get("serviceAccountEmail", "")
        claims = {
            "aud": oidc.get("audience") or push["pushEndpoint"],
            "azp": "112233445566778899001",
            "email": email,
            "email_verified": True,
            "exp": now + _TOKEN_TTL_S,
            "iat": now,
            "iss": ISSUER,
            "sub": "112233445566778899001",
            **switches.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        if switches.alg == "none":
            return unsigned(claims)
        if switches.key == "other":  # a stranger's signature under Google's key id
            return signing_key(OTHER_KEY_NAME).sign(claims, kid=signing_key(KEY_NAME).kid)
        return signing_key(KEY_NAME).sign(claims)

    async def send(
        self, push: Mapping[str, Any], body: bytes, *, token: str | None, timeout_s: float
    ) -> int:
        """Return the endpoint's status; 0 when no answer came in time."""
        if self._session is None:
            raise RuntimeError("the pusher has not been started")
        headers = {"Content-Type": "application/json", "User-Agent": _AGENT}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        try:
            async with self._session.post(
                push["pushEndpoint"],
                data=body,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=timeout_s),
            ) as response:
                return response.status
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return 0

    async def _run(self, subscription: Subscription) -> None:
        """Deliver until cancelled. A failure pauses the whole subscription, a success ends that."""
        failures = 0
        flying: set[asyncio.Task[bool]] = set()
        try:
            while True:
                await self._resumed.wait()
                while len(flying) < (_IN_FLIGHT if not failures else 1):
                    delivery = subscription.take(self._clock.now_s())
                    if delivery is None:
                        break
                    if work := self._work(subscription, delivery):
                        flying.add(asyncio.create_task(work))
                done = await self._wait(flying, subscription)
                flying -= done
                results = [task.result() for task in done]
                if not all(results):
                    pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**failures)
                    failures = min(failures + 1, 16)
                    await asyncio.sleep(pause_s)
                elif results:
                    failures = 0
        finally:
            for task in flying:
                task.cancel()
            await asyncio.gather(*flying, return_exceptions=True)

    @staticmethod
    async def _wait(
        flying: set[asyncio.Task[bool]], subscription: Subscription
    ) -> set[asyncio.Task[bool]]:
        """Return the deliveries that ended; empty when a new message arrived first."""
        arrival = asyncio.create_task(subscription.arrived.wait())
        try:
            # What already waits was left there because enough is in flight: only an end helps.
            waiting: set[asyncio.Task[Any]] = set(flying)
            if not subscription.backlog:
                waiting.add(arrival)
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            arrival.cancel()
        return {task for task in flying if task in done}

    def _work(
        self, subscription: Subscription, delivery: Delivery
    ) -> Coroutine[Any, Any, bool] | None:
        """Return what is to be done now; None when the message waits to be overtaken."""
        if not self.switches.reorder:
            return self._deliver(subscription, delivery)
        subscription.held.append(delivery)
        if len(subscription.held) < self.switches.reorder:
            return None
        held = list(subscription.held)
        subscription.held.clear()
        self.switches.reorder = 0
        self._release()
        return self._deliver_backwards(subscription, held)

    def _release(self) -> None:
        for subscription in self._pubsub.subscriptions.values():
            subscription.release()

    async def _deliver_backwards(self, subscription: Subscription, held: list[Delivery]) -> bool:
        """Deliver one after the other, the newest first; return whether all were acknowledged."""
        acknowledged = True
        try:
            while held:
                acknowledged &= await self._deliver(subscription, held.pop())
        finally:
            for delivery in held:
                subscription.offer(delivery)
        return acknowledged

    async def _deliver(self, subscription: Subscription, delivery: Delivery) -> bool:
        """Return whether the message was acknowledged; if not, it is back in the backlog."""
        try:
            outcome = await self._attempt(subscription, delivery)
        except asyncio.CancelledError:  # the endpoint was changed meanwhile
            subscription.offer(delivery)
            raise
        self._note(subscription, delivery, outcome)
        if outcome == _DROPPED or outcome in ACKED:
            return True
        self._pubsub.give_back(subscription, delivery)
        return False

    async def _attempt(self, subscription: Subscription, delivery: Delivery) -> int | str:
        switches = self.switches
        if switches.delay_s:
            await asyncio.sleep(switches.delay_s)
        if switches.drop > 0:
            switches.drop -= 1
            return _DROPPED
        if switches.duplicate > 0:
            switches.duplicate -= 1
            subscription.offer(Delivery(delivery.message))
        delivery.attempts += 1
        wrapped = {"message": delivery.message.json(), "subscription": subscription.name}
        push = subscription.push
        return await self.send(
            push,
            json.dumps(wrapped).encode(),
            token=self.token(push, switches),
            timeout_s=subscription.ack_deadline_s,
        )

    def _note(self, subscription: Subscription, delivery: Delivery, outcome: int | str) -> None:
        entry = self._pubsub.note(subscription, delivery, outcome)
        _log.info("push_delivered", **entry)
