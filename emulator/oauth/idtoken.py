"""ID tokens.

Source: https://developers.google.com/identity/openid-connect/openid-connect#an-id-tokens-payload
"""

import base64
import hashlib
from collections.abc import Iterable
from typing import Any

from emulator.keys import ISSUER, signing_key
from emulator.oauth.scopes import EMAIL, PROFILE
from emulator.world import World

KEY_NAME = "federated-signon"
_TTL_S = 3600


def issue(
    world: World,
    sub: str,
    client_id: str,
    *,
    scopes: Iterable[str],
    access_token: str,
    nonce: str | None = None,
) -> str:
    """Return a signed ID token that says of the person what the scopes allow."""
    now = world.clock.signing_s()
    digest = hashlib.sha256(access_token.encode()).digest()[:16]
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "azp": client_id,
        "aud": client_id,
        "sub": sub,
        "at_hash": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "iat": now,
        "exp": now + _TTL_S,
    }
    if nonce is not None:
        claims["nonce"] = nonce
    claims.update(profile(world, sub, scopes))
    return signing_key(KEY_NAME).sign(claims)


def profile(world: World, sub: str, scopes: Iterable[str]) -> dict[str, Any]:
    """Return the claims about a person that the scopes allow, without `sub`."""
    person = world.people.find(sub)
    allowed = set(scopes)
    claims: dict[str, Any] = {}
    if person is None:
        return claims
    if EMAIL in allowed:
        claims.update(email=person.email, email_verified=person.email_verified)
        if person.domain:
            claims["hd"] = person.domain
    if PROFILE in allowed:
        claims.update(name=person.name, given_name=person.given_name)
        if person.family_name:
            claims["family_name"] = person.family_name
    return claims
