"""Development tokens for the running stack: what a CRM would issue to its users and services."""

from datetime import datetime, timedelta

import jwt

from cli.local.process import LocalStackError
from cli.local.state import Environments

SERVICE_ROLE = "service"


def issue(
    environments: Environments,
    *,
    user: str | None,
    tenant: str,
    now: datetime,
    ttl: timedelta = timedelta(hours=12),
) -> str:
    """Return a caller's JWT (HS256) for the stack; without a user, that of a CRM service.

    Raises:
        LocalStackError: nothing was started here, or callers are checked by JWKS.
    """
    settings = environments.get("auth/web")
    if settings is None:
        raise LocalStackError("no stack has been started here: run `make up`")
    key = settings.get("CAUSEWAY_CALLER_KEY")
    if key is None:
        raise LocalStackError("this stack checks callers by JWKS: ask your identity provider")
    claims: dict[str, object] = {
        "iss": settings["CAUSEWAY_CALLER_ISSUER"],
        "aud": settings["CAUSEWAY_CALLER_AUDIENCE"],
        "tenant": tenant,
        "roles": [] if user else [SERVICE_ROLE],
        "iat": now,
        "exp": now + ttl,
    }
    return jwt.encode({**claims, **({"sub": user} if user else {})}, key, algorithm="HS256")
