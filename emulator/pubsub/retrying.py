"""What becomes of a message that was not acknowledged: again at once, later, or a dead letter.

Sources: https://cloud.google.com/pubsub/docs/handling-failures and
https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions#RetryPolicy
"""

from typing import Any, Final

Json = dict[str, Any]

AGENT_SUFFIX: Final = "@gcp-sa-pubsub.iam.gserviceaccount.com"
_SHORTEST_S: Final = 10.0
_LONGEST_S: Final = 600.0
_MOST_DOUBLINGS: Final = 16


def pause_s(resource: Json, attempts: int) -> float:
    """Return the seconds until a pull subscription delivers it again: 0 without a retry policy."""
    policy = resource.get("retryPolicy")
    if policy is None:
        return 0.0
    first = seconds(policy.get("minimumBackoff"), _SHORTEST_S)
    longest = seconds(policy.get("maximumBackoff"), _LONGEST_S)
    return float(min(longest, first * 2 ** min(max(attempts - 1, 0), _MOST_DOUBLINGS)))


def is_exhausted(resource: Json, attempts: int) -> bool:
    """Return whether the dead-letter policy grants no further attempt."""
    policy = resource.get("deadLetterPolicy") or {}
    most = int(policy.get("maxDeliveryAttempts") or 5)
    return bool(policy.get("deadLetterTopic")) and attempts >= most


def has_agent(policy: Json, role: str) -> bool:
    """Return whether the access policy grants Pub/Sub's own service agent the role."""
    return any(
        binding.get("role") == role
        and any(member.endswith(AGENT_SUFFIX) for member in binding.get("members", ()))
        for binding in policy.get("bindings", ())
    )


def seconds(duration: Any, default: float) -> float:
    """Return a duration as the API prints it (`1.5s`) in seconds."""
    return float(str(duration).removesuffix("s")) if duration else default
