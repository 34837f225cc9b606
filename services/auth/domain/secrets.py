"""The one-use secrets of a consent: ticket, state, browser cookie, PKCE verifier, nonce.

Only digests of ticket, state and cookie are stored. Verifier and nonce are derived from
state and cookie, which the browser brings back together, so they are stored nowhere.
"""

import base64
import hashlib
import hmac
import secrets

SECRET_BYTES = 32


def new_secret() -> str:
    """Return a fresh secret for a URL or a cookie: 43 characters of base64url."""
    return secrets.token_urlsafe(SECRET_BYTES)


def digest(secret: str) -> bytes:
    """Return what is stored in place of `secret` (it is random: a plain hash is enough).

    A stranger's cookie may be no text at all: bytes that are not UTF-8 arrive as surrogates.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def cookie_name(state: str, *, secure: bool) -> str:
    """Return the name of the cookie that binds `state` to a browser.

    One cookie for each consent, so that two tabs do not disturb each other. The `__Host-`
    prefix makes browsers refuse the cookie unless this very host set it over https.

    Source: https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis#section-4.1.3.2
    """
    suffix = digest(state).hex()[:16]
    return f"{'__Host-' if secure else ''}causeway_consent_{suffix}"


def verifier(browser: str, state: str) -> str:
    """Return the PKCE code verifier: 43 characters.

    Source: https://www.rfc-editor.org/rfc/rfc7636#section-4.1
    """
    return _derive(browser, "pkce", state)


def challenge(code_verifier: str) -> str:
    """Return the S256 code challenge of `code_verifier`.

    Source: https://www.rfc-editor.org/rfc/rfc7636#section-4.2
    """
    return _base64url(hashlib.sha256(code_verifier.encode()).digest())


def nonce(browser: str, state: str) -> str:
    """Return the nonce the ID token must repeat."""
    return _derive(browser, "nonce", state)


def _derive(key: str, label: str, message: str) -> str:
    return _base64url(hmac.digest(key.encode(), f"{label}:{message}".encode(), "sha256"))


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
