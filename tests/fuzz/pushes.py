"""Tokens as Google signs them for pushes: by the emulator's key."""

import time
from typing import Any

from emulator.keys import ISSUER, signing_key
from emulator.oauth.idtoken import KEY_NAME
from tests.integration.mail.stand import AUDIENCE, PUSHER

KEY = signing_key(KEY_NAME)
TTL_S = 3600


def push_claims() -> dict[str, Any]:
    """Return what Google claims of a push."""
    now = int(time.time())
    return {
        "aud": AUDIENCE,
        "azp": "1",
        "email": PUSHER,
        "email_verified": True,
        "exp": now + TTL_S,
        "iat": now,
        "iss": ISSUER,
        "sub": "1",
    }


def push_token() -> str:
    """Return a token that opens the door for pushes."""
    return KEY.sign(push_claims())
