"""Which scopes exist here, what the consent page says of them, and their other spellings."""

from collections.abc import Iterable
from typing import Final

from emulator.rest import documents

_PREFIX = "https://www.googleapis.com/auth/"
OPENID = "openid"
EMAIL = f"{_PREFIX}userinfo.email"
PROFILE = f"{_PREFIX}userinfo.profile"
SIGN_IN: Final = frozenset({OPENID, EMAIL, PROFILE})

_ALIASES: Final = {"email": EMAIL, "profile": PROFILE}
_APIS: Final = (
    ("gmail", "v1"),
    ("calendar", "v3"),
    ("people", "v1"),
    ("pubsub", "v1"),
    ("oauth2", "v2"),
)


def _described() -> dict[str, str]:
    found = {}
    for api, version in _APIS:
        scopes = documents.load(api, version)["auth"]["oauth2"]["scopes"]
        found.update({name: entry["description"] for name, entry in scopes.items()})
    return found


DESCRIPTIONS: Final = _described()


def normalise(text: str) -> tuple[str, ...]:
    """Return the scopes of a space-separated list as Google spells them, each once, in order."""
    return tuple(dict.fromkeys(_ALIASES.get(name, name) for name in text.split()))


def consented(text: str) -> tuple[str, ...]:
    """Return the scopes that a consent covers: whoever asks who somebody is, gets `openid` too."""
    scopes = normalise(text)
    if OPENID not in scopes and SIGN_IN & set(scopes):
        return (*scopes, OPENID)
    return scopes


def unknown(scopes: Iterable[str]) -> list[str]:
    """Return those that no Google API here knows."""
    return [name for name in scopes if name not in DESCRIPTIONS]
