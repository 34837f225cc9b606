"""The events that both arms publish."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from libs.common.bus import Subscription
from libs.common.events.base import Event, Origin
from libs.common.events.envelope import Envelope

BODY_BYTES = 900
QUEUE = "bench.consumer"


class Measured(Event):
    """Something was measured."""

    type: ClassVar[str] = "bench.thing.measured.v1"
    source: ClassVar[str] = "/causeway/bench"
    aggregate: ClassVar[str] = "thing"

    text: str = ""


def body() -> bytes:
    """Return an event as it goes over the wire, BODY_BYTES long."""
    bare = len(_envelope(text="").to_json())
    return _envelope(text="x" * (BODY_BYTES - bare)).to_json()


def subscription() -> Subscription:
    """Return a consumer's queue as services declare theirs; nobody consumes it."""

    async def handle(_envelope: Any) -> None:
        """Do nothing."""

    return Subscription(queue=QUEUE, types=(Measured.type,), handler=handle)


def _envelope(*, text: str) -> Envelope:
    return Envelope.of(
        Measured(origin=Origin.LIVE, text=text),
        tenant_id="acme",
        aggregate_id="1",
        sequence=1,
        time=datetime(2026, 11, 22, 12, tzinfo=UTC),
    )
