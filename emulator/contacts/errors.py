"""The People API's refusals. Their envelope has no `errors`; the dispatcher takes it out.

Sources: https://developers.google.com/people/v1/contacts and what people have seen.
"""

from collections.abc import Mapping
from typing import Final, Literal

from emulator.errors import ApiError, Json, invalid_argument

Expiry = Literal["invalid_argument", "failed_precondition", "gone"]

_DOMAIN: Final = "people.googleapis.com"
_CODES: Final = {
    "INVALID_ARGUMENT": 3,
    "NOT_FOUND": 5,
    "ALREADY_EXISTS": 6,
    "RESOURCE_EXHAUSTED": 8,
    "FAILED_PRECONDITION": 9,
}
_REFERENCE: Final = "https://developers.google.com/people/api/rest/v1"


def invalid(message: str) -> ApiError:
    """Return the 400 for a request that cannot be."""
    return invalid_argument(message)


def not_found() -> ApiError:
    """Return the 404 of what never was, or is no more."""
    return ApiError(404, "Requested entity was not found.", "notFound")


def mask_required(name: str, page: str) -> ApiError:
    """Return the 400 for a field mask that is missing."""
    return invalid(
        f"{name} mask is required. Please specify one or more valid paths. "
        f"Valid paths are documented at {_REFERENCE}/{page}."
    )


def mask_path(name: str, path: str, page: str) -> ApiError:
    """Return the 400 for a field that a mask cannot name."""
    return invalid(
        f'Invalid {name} mask path: "{path}". Valid paths are documented at {_REFERENCE}/{page}.'
    )


def etag_required() -> ApiError:
    """Return the 400 for an update that does not say what it is an update of."""
    return invalid(
        "Request must set person.etag or person.metadata.sources.etag for the source that is "
        "being updated."
    )


def etag_differs(what: str = "person") -> ApiError:
    """Return the 400 for an etag of a person, a source or a group that is not the current one."""
    message = (
        f"Request {what}.etag is different than the current {what}.etag. Clear local cache and "
        f"get the latest {what.partition('.')[0]}."
    )
    return ApiError(400, message, "failedPrecondition", status="FAILED_PRECONDITION")


def singleton(name: str) -> ApiError:
    """Return the 400 for several values of what a contact has one of."""
    return invalid(f"Cannot have more than one person.{name} per source.")


def status_of(error: ApiError) -> Json:
    """Return an error as one of several in an answer."""
    shown = error.envelope["error"]
    return {"code": _CODES.get(shown.get("status"), 2), "message": shown["message"]}


def batch_failed(method: str, failed: Mapping[str, ApiError]) -> ApiError:
    """Return the refusal of a whole batch, which names what is wrong with which contact.

    Source: https://developers.google.com/people/api/rest/v1/BatchUpdateContactsErrorDetails
    """
    first = next(iter(failed.values()))
    details: Json = {
        "@type": f"type.googleapis.com/google.people.v1.{method}ErrorDetails",
        "contactErrors": {key: status_of(error) for key, error in failed.items()},
    }
    status = first.envelope["error"]["status"]
    return ApiError(first.code, str(first), "batchFailed", status=status, details=[details])


def sync_token_expired(manner: Expiry) -> ApiError:
    """Return the refusal of an old sync token, in one of the manners that were seen."""
    code, status = {
        "invalid_argument": (400, "INVALID_ARGUMENT"),
        "failed_precondition": (400, "FAILED_PRECONDITION"),
        "gone": (410, "FAILED_PRECONDITION"),
    }[manner]
    message = "Sync token is expired. Clear local cache and retry call without the sync token."
    info: Json = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "EXPIRED_SYNC_TOKEN",
        "domain": _DOMAIN,
    }
    return ApiError(code, message, "expiredSyncToken", status=status, details=[info])


def parameters_differ(token: str) -> ApiError:
    """Return the 400 for a token beside other parameters than it was given out for."""
    return invalid(f"Request parameters do not match those of the request that gave the {token}.")


def group_exists() -> ApiError:
    """Return the 409 for a name that another group has."""
    return ApiError(409, "Contact group name already exists.", "alreadyExists")


def too_many_contacts() -> ApiError:
    """Return the 429 of an account that is full."""
    return ApiError(429, "MY_CONTACTS_OVERFLOW_COUNT", "resourceExhausted")


def concurrent() -> ApiError:
    """Return the 409 for a mutation that did not wait for the one before."""
    message = "The operation was aborted: mutate requests for the same user must be sequential."
    return ApiError(409, message, "aborted", status="ABORTED")


def quota_exceeded(metric: str, limit: str, quota: tuple[str, str, str]) -> ApiError:
    """Return the 429 of a quota.

    Args:
        metric: its name in Google's console.
        limit: the name of the limit there.
        quota: the names of both for programs, and the unit.
    """
    message = (
        f"Quota exceeded for quota metric '{metric}' and limit '{limit}' of service '{_DOMAIN}' "
        "for consumer 'project_number:112233445566'."
    )
    info: Json = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "RATE_LIMIT_EXCEEDED",
        "domain": "googleapis.com",
        "metadata": {
            "service": _DOMAIN,
            "consumer": "projects/112233445566",
            "quota_metric": f"{_DOMAIN}/{quota[0]}",
            "quota_limit": quota[1],
            "quota_unit": quota[2],
        },
    }
    return ApiError(429, message, "rateLimitExceeded", details=[info])
