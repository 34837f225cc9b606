"""What requests to the OAuth endpoints carry: text fields and access tokens."""

from aiohttp import web
from multidict import MultiDict


async def fields(request: web.Request) -> MultiDict[str]:
    """Return the text fields of the request's body; a body that cannot be read has none."""
    try:
        posted = await request.post()
    except (ValueError, LookupError):  # no form, or text in an unknown character set
        return MultiDict()
    return MultiDict((name, value) for name, value in posted.items() if isinstance(value, str))


async def access_token(request: web.Request) -> str:
    """Return the access token from the header, the query or the body; empty when there is none."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    body = await fields(request)
    return request.query.get("access_token", "") or body.get("access_token", "")
