"""Entity tags: who edits something says which version of it they saw.

Source: https://www.rfc-editor.org/rfc/rfc9110#section-13.1.1 and RFC 6585 section 3
"""

from typing import ClassVar

from aiohttp import hdrs, web

from libs.common.errors import AppError


class PreconditionRequired(AppError):
    """The edit does not say which version it is of."""

    status: ClassVar[int] = 428
    slug = "precondition-required"


class PreconditionFailed(AppError):
    """Somebody else has changed it since."""

    status: ClassVar[int] = 412
    slug = "precondition-failed"


def etag(version: object) -> str:
    """Return the entity tag of a version."""
    return f'"{version}"'


def check_if_match(request: web.Request, version: object) -> None:
    """Let an edit of this version pass; `*` means any.

    Raises:
        PreconditionRequired: the request has no `If-Match`.
        PreconditionFailed: it names other versions only.
    """
    given = [
        one.strip()
        for value in request.headers.getall(hdrs.IF_MATCH, [])
        for one in value.split(",")
    ]
    if not given:
        raise PreconditionRequired("If-Match must name the version that is edited, or be `*`.")
    if "*" not in given and etag(version) not in given:
        raise PreconditionFailed("It was changed meanwhile: read it again.")
