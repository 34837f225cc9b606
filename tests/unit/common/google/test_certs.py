import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from libs.common.google.certs import parse_keys

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)


def certificate(key: rsa.RSAPrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "federated-signon")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=7))
        .sign(key, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.PEM).decode()


def number(value: int) -> str:
    size = (value.bit_length() + 7) // 8
    return base64.urlsafe_b64encode(value.to_bytes(size, "big")).rstrip(b"=").decode()


def jwk(**changes: object) -> dict[str, object]:
    numbers = KEY.public_key().public_numbers()
    return {
        "kty": "RSA",
        "use": "sig",
        "alg": "RS256",
        "kid": "k1",
        "n": number(numbers.n),
        "e": number(numbers.e),
        **changes,
    }


@pytest.mark.parametrize(
    "document",
    [{"k1": certificate(KEY)}, {"k1": PEM.decode()}, {"keys": [jwk()]}],
    ids=["certificates by id", "public keys by id", "a JWK set"],
)
def test_every_published_shape_gives_the_same_key(document: object) -> None:
    assert parse_keys(json.dumps(document).encode()) == {"k1": KEY.public_key()}


def weak_certificate() -> str:
    return certificate(rsa.generate_private_key(public_exponent=65537, key_size=1024))  # noqa: S505 - weak on purpose


def elliptic_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


@pytest.mark.parametrize(
    "entry",
    [
        jwk(use="enc"),
        jwk(alg="RS512"),
        jwk(kty="oct"),
        jwk(kid=7),
        jwk(n="!!"),
        jwk(n=None),
        jwk(d="AQAB"),
        {"kid": "k1", "kty": "oct", "k": "c2VjcmV0"},
    ],
)
def test_a_jwk_that_is_no_rsa_signing_key_is_left_out(entry: dict[str, object]) -> None:
    assert parse_keys(json.dumps({"keys": [entry, jwk(kid="good")]}).encode()).keys() == {"good"}


@pytest.mark.parametrize("entry", [weak_certificate(), elliptic_key(), "not a key", "", 3, None])
def test_a_certificate_that_is_no_strong_rsa_key_is_left_out(entry: object) -> None:
    document = json.dumps({"bad": entry, "good": PEM.decode()})

    assert parse_keys(document.encode()).keys() == {"good"}


@pytest.mark.parametrize("document", [b"", b"<html>", b"[]", b"3", b'{"keys": {}}', b"\xff"])
def test_a_document_of_another_kind_has_no_keys(document: bytes) -> None:
    assert parse_keys(document) == {}
