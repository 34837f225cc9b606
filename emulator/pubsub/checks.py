"""What Pub/Sub demands of names and of a subscription's settings.

Source: https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions
"""

import base64
import re
from typing import Any, Final

from emulator.errors import invalid_argument
from emulator.pubsub.state import DEFAULT_ACK_DEADLINE_S, DEFAULT_RETENTION_S

Json = dict[str, Any]

_ID: Final = re.compile(r"(?!goog)[A-Za-z][\w.~+%-]{2,254}", re.ASCII)
_DURATION: Final = re.compile(r"([0-9]{1,12})(\.[0-9]{1,9})?s")
_SNAKE: Final = re.compile(r"_([a-z])")
_DEADLINES: Final = range(10, 601)
_RETENTIONS: Final = range(600, 31 * 86_400 + 1)
_ATTEMPTS: Final = range(5, 101)
_CHANGEABLE: Final = frozenset(
    {
        "ackDeadlineSeconds",
        "deadLetterPolicy",
        "enableExactlyOnceDelivery",
        "expirationPolicy",
        "labels",
        "messageRetentionDuration",
        "pushConfig",
        "retainAckedMessages",
        "retryPolicy",
    }
)


def resource_id(name: str) -> None:
    """Raise a 400 when the last part of a resource name is not a permitted id."""
    if not _ID.fullmatch(name.rpartition("/")[2]):
        raise invalid_argument(f"Invalid resource name given (name={name}).")


def data_bytes(data: str) -> bytes:
    """Return the bytes of a message's base64, in either alphabet, padded or not; else a 400."""
    plain = data.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError as exc:
        raise invalid_argument("Invalid value at 'messages.data' (TYPE_BYTES)") from exc


def subscription(given: Json) -> Json:
    """Return the settings with the defaults filled in.

    Raises:
        ApiError: 400; ack deadline, retention or attempts are outside their limits.
    """
    settings = {
        "pushConfig": {},
        "messageRetentionDuration": f"{DEFAULT_RETENTION_S}s",
        "expirationPolicy": {"ttl": "2678400s"},
        **given,
        "ackDeadlineSeconds": given.get("ackDeadlineSeconds") or DEFAULT_ACK_DEADLINE_S,
    }
    deadline_s = settings["ackDeadlineSeconds"]
    if deadline_s not in _DEADLINES:
        raise invalid_argument(f"Invalid ack deadline given: {deadline_s}. It must be 10 to 600.")
    retention = _DURATION.fullmatch(settings["messageRetentionDuration"])
    if retention is None or int(retention[1]) not in _RETENTIONS:
        raise invalid_argument(
            "Invalid messageRetentionDuration: it must be 10 minutes to 31 days."
        )
    attempts = (given.get("deadLetterPolicy") or {}).get("maxDeliveryAttempts", 5)
    if attempts not in _ATTEMPTS:
        raise invalid_argument("Invalid maxDeliveryAttempts: it must be 5 to 100.")
    return settings


def changed(old: Json, new: Json, mask: str) -> Json:
    """Return the settings after replacing those that `mask` names by the ones in `new`.

    Args:
        old: the settings before.
        new: those after; what the mask names and this lacks goes back to its default.
        mask: field names with commas between them, in camel or in snake case.

    Raises:
        ApiError: 400; the mask is empty, or names what cannot be changed.
    """
    names = [_SNAKE.sub(lambda m: m[1].upper(), name.strip()) for name in mask.split(",")]
    unfit = [name for name in names if name not in _CHANGEABLE]
    if unfit:
        raise invalid_argument(f"Invalid update_mask provided in the request: {', '.join(unfit)}")
    kept = {name: value for name, value in old.items() if name not in names}
    return subscription({**kept, **{name: new[name] for name in names if name in new}})
