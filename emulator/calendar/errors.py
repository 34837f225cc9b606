"""The Calendar API's refusals, in the older envelope without a `status`.

Source: https://developers.google.com/workspace/calendar/api/guides/errors
"""

from emulator.errors import ApiError

_NO_STATUS = ""


def refusal(
    code: int,
    reason: str,
    message: str,
    *,
    domain: str = "global",
    parameter: str = "",
    header: str = "",
) -> ApiError:
    """Return an error; `parameter` or `header` is the place that it blames."""
    extra = {}
    if parameter or header:
        kind = "parameter" if parameter else "header"
        extra = {"locationType": kind, "location": parameter or header}
    return ApiError(code, message, reason, domain=domain, extra=extra, status=_NO_STATUS)


def invalid(message: str, *, parameter: str = "") -> ApiError:
    """Return the 400 for a value that cannot be."""
    return refusal(400, "invalid", message, parameter=parameter)


def required(message: str) -> ApiError:
    """Return the 400 for a value that is missing."""
    return refusal(400, "required", message)


def bad_request(message: str = "Bad Request", *, parameter: str = "") -> ApiError:
    """Return the 400 for parameters that do not go together or that cannot be read."""
    return refusal(400, "badRequest", message, parameter=parameter)


def time_range_empty(*, parameter: str = "") -> ApiError:
    """Return the 400 for an end that does not follow its start."""
    message = "The specified time range is empty."
    return refusal(400, "timeRangeEmpty", message, domain="calendar", parameter=parameter)


def not_found() -> ApiError:
    """Return the 404 of what never was, or of what the person may not see."""
    return refusal(404, "notFound", "Not Found")


def deleted() -> ApiError:
    """Return the 410 for deleting once more what is deleted."""
    return refusal(410, "deleted", "Resource has been deleted")


def duplicate() -> ApiError:
    """Return the 409 for an id that is taken, be it by a deleted event."""
    return refusal(409, "duplicate", "The requested identifier already exists.")


def full_sync_required() -> ApiError:
    """Return the 410 for a sync token that is of no use any more."""
    message = "Sync token is no longer valid, a full sync is required."
    return refusal(410, "fullSyncRequired", message, domain="calendar", parameter="syncToken")


def updated_min_too_long_ago() -> ApiError:
    """Return the 410 for changes older than what is remembered."""
    message = "The requested minimum modification time lies too far in the past."
    return refusal(410, "updatedMinTooLongAgo", message, domain="calendar", parameter="updatedMin")


def condition_not_met(header: str) -> ApiError:
    """Return the 412 for an etag that is not the current one."""
    return refusal(412, "conditionNotMet", "Precondition Failed", header=header)


def access_level(role: str) -> ApiError:
    """Return the 403 for a calendar that the person sees, but with too small a role."""
    message = f"You need to have {role} access to this calendar."
    return refusal(403, "requiredAccessLevel", message, domain="calendar")


def for_non_organizer() -> ApiError:
    """Return the 403 for guests that change what belongs to the organizer."""
    message = "Shared properties can only be changed by the organizer of the event."
    return refusal(403, "forbiddenForNonOrganizer", message, domain="calendar")


def forbidden(message: str = "Forbidden") -> ApiError:
    """Return the 403 for what nobody may do."""
    return refusal(403, "forbidden", message)


def usage_limits_exceeded() -> ApiError:
    """Return the 403 of Calendar's own limits, which last for hours."""
    message = "Calendar usage limits exceeded."
    return refusal(403, "quotaExceeded", message, domain="usageLimits")


def push_not_supported() -> ApiError:
    """Return the 400 for a calendar that nobody can watch, such as one of holidays."""
    message = "Push notifications are not supported by this resource."
    reason = "pushNotSupportedForRequestedResource"
    return refusal(400, reason, message, domain="calendar")
