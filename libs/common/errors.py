"""Every error the product raises on purpose, by meaning.

AppError
├── InvalidInput 400          the caller sent something we cannot use; names the fields
│   └── TooLarge 413
├── Unauthenticated 401
├── Forbidden 403
├── NotFound 404              also for what belongs to somebody else
├── Conflict 409              the state of things does not allow it
└── UpstreamError 502         somebody we depend on answered in a way that ends the attempt
    ├── AccessRevoked         the person's grant is gone; only they can give it back
    ├── CursorExpired         the cursor is dead; a full comparison must follow
    └── Transient 503         worth another try
        └── RateLimited       worth another try, not before `retry_after_s`

Each edge translates once: HTTP to problem+json, a consumer to a retry, the
Google client from Google's reasons to these classes.
"""

from typing import ClassVar


class AppError(Exception):
    """Base of the errors below; `slug` is the stable name a client may switch on.

    Args:
        message: a constant sentence, safe to show and to log: no secret, address or content.
        slug: overrides the class's, for a cause that has a name of its own.
        data: facts for the answer and the log (ids, field names); the same rule holds.
    """

    status: ClassVar[int] = 500
    slug: str = "internal"

    def __init__(self, message: str, *, slug: str | None = None, **data: object) -> None:
        """Keep the sentence and its facts."""
        super().__init__(message)
        self.message = message
        self.data = data
        if slug is not None:
            self.slug = slug


class InvalidInput(AppError):
    """The request cannot be used; `errors` in `data` lists `{"field", "detail"}`."""

    status = 400
    slug = "invalid-input"

    @classmethod
    def field(cls, field: str, detail: str) -> "InvalidInput":
        """Return the error for one wrong field."""
        return cls("The request is not valid.", errors=[{"field": field, "detail": detail}])


class TooLarge(InvalidInput):
    """The body is larger than the endpoint takes."""

    status = 413
    slug = "too-large"


class Unauthenticated(AppError):
    """Nobody we know is asking; `reason` in `data` is a short constant for metrics."""

    status = 401
    slug = "unauthenticated"


class Forbidden(AppError):
    """We know who asks, and the answer is no."""

    status = 403
    slug = "forbidden"


class NotFound(AppError):
    """There is no such thing for this caller."""

    status = 404
    slug = "not-found"


class Conflict(AppError):
    """The present state does not allow what was asked."""

    status = 409
    slug = "conflict"


class UpstreamError(AppError):
    """A system we depend on refused for good."""

    status = 502
    slug = "upstream"


class AccessRevoked(UpstreamError):
    """The person's grant no longer works."""

    slug = "access-revoked"


class CursorExpired(UpstreamError):
    """The sync cursor is dead: what changed since is unknown."""

    slug = "cursor-expired"


class Transient(UpstreamError):
    """It may work in a moment."""

    status = 503
    slug = "unavailable"


class RateLimited(Transient):
    """It will work again, but not before `retry_after_s` seconds."""

    slug = "rate-limited"

    def __init__(
        self, message: str, *, retry_after_s: float, slug: str | None = None, **data: object
    ) -> None:
        """Keep how long to wait, in seconds (> 0)."""
        super().__init__(message, slug=slug, **data)
        self.retry_after_s = retry_after_s
