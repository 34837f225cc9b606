"""The keys that sign ID tokens and pushes, and how their public halves are served."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

ISSUER = "https://accounts.google.com"
_KEY_BITS = 2048


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One RSA key with the id under which its certificate is published."""

    kid: str
    private: rsa.RSAPrivateKey
    certificate_pem: str

    def sign(self, claims: Mapping[str, Any], *, kid: str | None = None) -> str:
        """Return `claims` as a compact RS256 JWT that names this key, or pretends to be `kid`."""
        headers = {"kid": kid or self.kid}
        return jwt.encode(dict(claims), self.private, algorithm="RS256", headers=headers)

    def jwk(self) -> dict[str, str]:
        """Return the public half as a JSON web key. Source: RFC 7517."""
        numbers = self.private.public_key().public_numbers()
        return {
            "kty": "RSA",
            "alg": "RS256",
            "use": "sig",
            "kid": self.kid,
            "n": _base64url_uint(numbers.n),
            "e": _base64url_uint(numbers.e),
        }


@cache
def signing_key(name: str) -> SigningKey:
    """Return the process's key of that name, made at first use (a key takes about 0.1 s)."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    der = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    kid = hashlib.sha256(der).hexdigest()[:40]
    return SigningKey(kid=kid, private=private, certificate_pem=_certificate(name, private))


def unsigned(claims: Mapping[str, Any]) -> str:
    """Return `claims` as a JWT with `alg: none`, for tests of the verifier."""
    return jwt.encode(dict(claims), "", algorithm="none")


def _certificate(name: str, private: rsa.RSAPrivateKey) -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name}.emulator.invalid")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=3650))
        .sign(private, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.PEM).decode()


def _base64url_uint(value: int) -> str:
    raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
