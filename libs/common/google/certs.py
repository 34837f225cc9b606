"""The keys Google signs with, fetched when needed and kept as long as Google says."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import orjson
import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509 import load_pem_x509_certificate
from jwt.algorithms import RSAAlgorithm
from jwt.exceptions import InvalidKeyError
from prometheus_client import Counter

from libs.common.errors import AppError, Transient
from libs.common.google.wire import Answer, Outgoing, send

FETCH_TIMEOUT_S = 5.0
MAX_BYTES = 256 * 1024
MIN_RSA_BITS = 2048
DEFAULT_LIFE = timedelta(minutes=5)  # when the answer names no max-age
SHORTEST_LIFE = timedelta(minutes=1)
LONGEST_LIFE = timedelta(days=1)
STALE_LIFE = timedelta(hours=1)  # known keys outlive their max-age while Google is unreachable
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age=(\d{1,9})", re.IGNORECASE)
_DIGITS = re.compile(r"[0-9]{1,9}")

FETCHES = Counter(
    "causeway_google_certs_fetches_total", "Fetches of Google's signing keys.", ["outcome"]
)
log = structlog.get_logger(__name__)


class CertStore:
    """Google's public keys by key id.

    An unknown key id causes one fetch, shared by all who wait for it; then none for
    `refetch_interval_s`, so that forged ids cannot make us hammer Google.

    Args:
        session: shared; closed by its owner.
        url: a document of PEM certificates by key id (/oauth2/v1/certs) or a JWK set
            (/oauth2/v3/certs).
        other_urls: asked in turn when the one before answers, but with no keys.
        refetch_interval_s: seconds between two fetches, at least.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        *other_urls: str,
        refetch_interval_s: float = 10.0,
    ) -> None:
        self._session = session
        self._urls = (url, *other_urls)
        self._interval = timedelta(seconds=refetch_interval_s)
        self._keys: Mapping[str, rsa.RSAPublicKey] = {}
        self._fresh_until: datetime | None = None
        self._tried_at: datetime | None = None
        self._last_try_failed = False
        self._fetching = asyncio.Lock()

    async def key(self, key_id: str, *, now: datetime) -> rsa.RSAPublicKey | None:
        """Return the public key called `key_id`, or None if Google has no such key.

        Raises:
            Transient: Google's keys cannot be had, so nothing can be said about `key_id`.
        """
        if key_id in self._keys and self._is_fresh(now):
            return self._keys[key_id]
        async with self._fetching:
            fresh = key_id in self._keys and self._is_fresh(now)
            if not fresh and self._may_fetch(now):
                await self._fetch(now)
        if key_id in self._keys and self._is_fresh(now, grace=STALE_LIFE):
            return self._keys[key_id]
        if self._last_try_failed:
            raise Transient("Google's signing keys cannot be had.")
        return None

    def _is_fresh(self, now: datetime, *, grace: timedelta = timedelta(0)) -> bool:
        return self._fresh_until is not None and now < self._fresh_until + grace

    def _may_fetch(self, now: datetime) -> bool:
        # abs(): a clock set back must not lock the keys in.
        return self._tried_at is None or abs(now - self._tried_at) >= self._interval

    async def _fetch(self, now: datetime) -> None:
        self._tried_at = now
        self._last_try_failed = True
        try:
            answer, keys = await fetch_keys(self._session, self._urls)
        except AppError as exc:
            FETCHES.labels("failed").inc()
            log.warning("google_certs_unreachable", error=type(exc).__name__)
            return
        FETCHES.labels("ok" if keys else "failed").inc()
        if keys:  # an empty answer must not take away the keys we know
            self._keys = keys
            self._fresh_until = now + _life(answer)
            self._last_try_failed = False


async def fetch_keys(
    session: aiohttp.ClientSession, urls: Sequence[str]
) -> tuple[Answer, dict[str, rsa.RSAPublicKey]]:
    """Return the first answer with keys in it, or the last one, and its keys by id.

    Raises:
        AppError: a server cannot be reached; its other addresses would only cost time.
    """
    for url in urls:
        request = Outgoing(method="GET", url=url, headers={"accept": "application/json"})
        answer = await send(session, request, timeout_s=FETCH_TIMEOUT_S, max_bytes=MAX_BYTES)
        keys = parse_keys(answer.body) if answer.status == 200 else {}  # noqa: PLR2004 - OK
        if keys:
            break
    return answer, keys


def parse_keys(document: bytes) -> dict[str, rsa.RSAPublicKey]:
    """Return RSA public keys by key id from either shape Google publishes.

    Entries that are not RSA signing keys of at least 2048 bits are left out; a document that
    is neither shape gives an empty dict.

    Source: https://www.rfc-editor.org/rfc/rfc7517
        https://developers.google.com/identity/openid-connect/openid-connect#validatinganidtoken
    """
    try:
        content = orjson.loads(document)
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(content, dict):
        return {}
    entries = content.get("keys")
    found = (
        [(entry.get("kid"), _from_jwk(entry)) for entry in entries if isinstance(entry, dict)]
        if isinstance(entries, list)
        else [(key_id, _from_pem(text)) for key_id, text in content.items()]
    )
    return {
        key_id: key
        for key_id, key in found
        if isinstance(key_id, str) and key is not None and key.key_size >= MIN_RSA_BITS
    }


def _from_pem(text: object) -> rsa.RSAPublicKey | None:
    if not isinstance(text, str):
        return None
    data = text.encode("utf-8", "replace")
    try:
        if b"BEGIN CERTIFICATE" in data:
            key: object = load_pem_x509_certificate(data).public_key()
        else:
            key = serialization.load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, rsa.RSAPublicKey) else None


def _from_jwk(entry: dict[str, Any]) -> rsa.RSAPublicKey | None:
    usable = (
        entry.get("kty") == "RSA"
        and entry.get("use", "sig") == "sig"
        and entry.get("alg", "RS256") == "RS256"
        and "d" not in entry
    )
    if not usable:
        return None
    try:
        key = RSAAlgorithm.from_jwk({name: entry[name] for name in ("kty", "n", "e")})
    except (InvalidKeyError, KeyError, ValueError, TypeError):
        return None
    return key if isinstance(key, rsa.RSAPublicKey) else None


def _life(answer: Answer) -> timedelta:
    found = _MAX_AGE.search(answer.headers.get("Cache-Control", ""))
    if not found:
        return DEFAULT_LIFE
    age = _DIGITS.match(answer.headers.get("Age", ""))
    seconds = int(found[1]) - (int(age[0]) if age else 0)
    return min(max(timedelta(seconds=seconds), SHORTEST_LIFE), LONGEST_LIFE)
