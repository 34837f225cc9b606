"""The identity provider's published keys (a JSON Web Key Set), fetched and remembered."""

import asyncio
import time
from typing import Any

import aiohttp
import jwt
import orjson
import structlog

from libs.common import jwt_rules
from libs.common.errors import Transient
from libs.common.web.callers import PUBLISHED_KEY_ALGORITHMS

FRESH_S = 3600.0
"""How long a fetched set is used without asking again."""
STALE_S = 86_400.0
"""How long a set outlives an identity provider that does not answer."""
PAUSE_S = 30.0
"""Least time between two fetches for keys we do not know: forgeries must not cause traffic."""
FAILURE_PAUSE_S = 1.0
TIMEOUT = aiohttp.ClientTimeout(total=5)
MAX_BYTES = 1_048_576
KEY_TYPES = {"RS256": "RSA", "ES256": "EC"}

log = structlog.stdlib.get_logger(__name__)


class PublishedKeys:
    """The keys at a JWKS address; fetched when first needed, again when they age.

    Close with `close`. One fetch at a time, whatever the number of callers waiting.
    Source: https://www.rfc-editor.org/rfc/rfc7517
    """

    def __init__(self, url: str, *, pause_s: float = PAUSE_S) -> None:
        self._url = url
        self._pause_s = pause_s
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = self._tried_at = -STALE_S
        self._lock = asyncio.Lock()
        self._session: aiohttp.ClientSession | None = None

    async def key_for(self, token: str) -> tuple[jwt.PyJWK, str]:
        """Return the published key that `token` names, and its algorithm.

        Raises:
            Unauthenticated: another algorithm, or a key nobody published.
            Transient: no keys could be fetched.
        """
        algorithm, kid = _header(token)
        await self._refresh(kid)
        if not self._keys or time.monotonic() - self._fetched_at > STALE_S:
            raise Transient("The identity provider's keys cannot be fetched.")
        key = self._keys.get(kid)
        if key is None:
            raise jwt_rules.refused("unknown_key")
        if key.key_type != KEY_TYPES[algorithm] or key.algorithm_name != algorithm:
            raise jwt_rules.refused("algorithm")
        return key, algorithm

    async def _refresh(self, kid: str) -> None:
        if not self._is_due(kid):
            return
        async with self._lock:
            if not self._is_due(kid):
                return
            self._tried_at = time.monotonic()
            try:
                self._keys = _usable(await self._fetch())
                self._fetched_at = time.monotonic()
            except (aiohttp.ClientError, TimeoutError, ValueError) as exc:
                log.warning("caller_keys_unavailable", error=type(exc).__name__)

    def _is_due(self, kid: str) -> bool:
        now = time.monotonic()
        since_try = now - self._tried_at
        if not self._keys:
            return since_try > FAILURE_PAUSE_S
        return (kid not in self._keys or now - self._fetched_at > FRESH_S) and (
            since_try > self._pause_s
        )

    async def _fetch(self) -> Any:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=TIMEOUT)
        async with self._session.get(self._url, allow_redirects=False) as response:
            response.raise_for_status()
            if response.status != 200:  # noqa: PLR2004 - a redirect is not followed
                raise ValueError("not a key set")
            raw = bytearray()
            async for chunk in response.content.iter_any():
                raw += chunk
                if len(raw) > MAX_BYTES:
                    raise ValueError("key set too large")
            return orjson.loads(raw)

    async def close(self) -> None:
        """Give the connections back."""
        if self._session is not None:
            await self._session.close()


def _header(token: str) -> tuple[str, str]:
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError) as exc:
        raise jwt_rules.refused("malformed") from exc
    algorithm, kid = header.get("alg"), header.get("kid")
    if algorithm not in PUBLISHED_KEY_ALGORITHMS:
        raise jwt_rules.refused("algorithm")
    if not isinstance(kid, str):
        raise jwt_rules.refused("unknown_key")
    return algorithm, kid


def _usable(document: Any) -> dict[str, jwt.PyJWK]:
    """Return the signing keys we can use, by id; the others are none of our business.

    Raises:
        ValueError: not a key set.
    """
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("not a key set")  # noqa: TRY004 - the document is wrong, not a type
    keys: dict[str, jwt.PyJWK] = {}
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("kid"), str):
            continue
        if entry.get("use", "sig") != "sig" or entry.get("kty") not in KEY_TYPES.values():
            continue
        try:
            keys[entry["kid"]] = jwt.PyJWK(entry)
        except (jwt.PyJWTError, ValueError):
            log.warning("caller_key_unusable")
    return keys
