"""How Causeway's services prove to each other who they are: a JWT that lives a minute.

HS256 with the key all services share; `aud` is the one service it is meant for, so that a
token which leaks from one opens no other. Callers' tokens are never accepted here, nor
these anywhere else: the two keys must differ.
"""

from datetime import datetime

import jwt

from libs.common import jwt_rules

LIFETIME_S = 60
LEEWAY_S = 30
ALGORITHM = "HS256"


def audience_of(service: str) -> str:
    """Return the name under which a service is addressed: `causeway-auth` for `auth`."""
    return f"causeway-{service}"


def issue(key: str, *, caller: str, audience: str, now: datetime) -> str:
    """Return a token that lets `caller` call one service for 60 seconds.

    Args:
        key: the services' shared key, at least 32 bytes.
        caller: the calling service, such as `mail`.
        audience: the called service, from `audience_of`.
        now: the present moment.
    """
    issued_at = int(now.timestamp())
    claims = {"iss": caller, "aud": audience, "iat": issued_at, "exp": issued_at + LIFETIME_S}
    return jwt.encode(claims, key, algorithm=ALGORITHM)


def verify(key: str, token: str, *, audience: str, now: datetime) -> str:
    """Return the name of the service that issued `token` for `audience`.

    Raises:
        Unauthenticated: forged, over, for somebody else, or made to live too long;
            `reason` in its data says which.
    """
    claims = jwt_rules.decode(token, key, algorithm=ALGORITHM, audience=audience, now=now)
    issued_at, caller = claims.get("iat"), claims["iss"]
    if not jwt_rules.is_time(issued_at) or not isinstance(caller, str) or not caller:
        raise jwt_rules.refused("claims")
    too_long = claims["exp"] - issued_at > LIFETIME_S
    if too_long or issued_at > now.timestamp() + LEEWAY_S:
        raise jwt_rules.refused("lifetime")
    return caller
