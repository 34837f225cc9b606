import asyncio
import base64
import hashlib
import hmac
import json
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from libs.common.errors import Transient, Unauthenticated
from libs.common.google.oidc import CertStore, PushVerifier, verify_id_token
from tests.integration.common.google.servers import Serve
from tests.support import eventually

AUDIENCE = "https://crm.example/webhooks/google/gmail"
ACCOUNT = "push@project.iam.gserviceaccount.com"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


def pem(key: rsa.RSAPrivateKey) -> str:
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


class Certs:
    """A certs endpoint whose keys, headers and health a test may change."""

    def __init__(self) -> None:
        self.keys = {"k1": pem(KEY)}
        self.headers = {"Cache-Control": "public, max-age=3600, must-revalidate"}
        self.status = 200
        self.fetches = 0
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, _request: web.Request) -> web.StreamResponse:
        self.fetches += 1
        await self.open.wait()
        return web.json_response(self.keys, headers=self.headers, status=self.status)


@pytest.fixture
def certs() -> Certs:
    return Certs()


@pytest.fixture
async def store(certs: Certs, serve: Serve, session: aiohttp.ClientSession) -> CertStore:
    return CertStore(session, f"{await serve(certs)}/oauth2/v1/certs")


@pytest.fixture
def verifier(store: CertStore) -> PushVerifier:
    return PushVerifier(store, audience=AUDIENCE, service_account=ACCOUNT)


def claims(**changes: Any) -> dict[str, Any]:
    return {
        "iss": "https://accounts.google.com",
        "aud": AUDIENCE,
        "azp": "1234",
        "sub": "1234",
        "email": ACCOUNT,
        "email_verified": True,
        "iat": int(NOW.timestamp()),
        "exp": int((NOW + HOUR).timestamp()),
        **changes,
    }


def signed(
    key: rsa.RSAPrivateKey = KEY, *, headers: dict[str, Any] | None = None, **changes: Any
) -> str:
    """A push's token; a claim changed to None is left out."""
    present = {name: value for name, value in claims(**changes).items() if value is not None}
    return jwt.encode(present, key, "RS256", headers={"kid": "k1", **(headers or {})})


def segment(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unsigned() -> str:
    return f"{segment({'alg': 'none', 'kid': 'k1'})}.{segment(claims())}."


def signed_with_the_public_key_as_a_secret() -> str:
    text = f"{segment({'alg': 'HS256', 'kid': 'k1'})}.{segment(claims())}"
    digest = hmac.new(pem(KEY).encode(), text.encode(), hashlib.sha256).digest()
    return f"{text}.{segment(digest)}"


def signed_with_another_algorithm() -> str:
    return jwt.encode(claims(), KEY, "RS512", headers={"kid": "k1"})


def signed_with_an_elliptic_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return jwt.encode(claims(), key, "ES256", headers={"kid": "k1"})


def with_other_claims_under_the_signature() -> str:
    header, _, signature = signed().split(".")
    return f"{header}.{segment(claims(email='mallory@example.com'))}.{signature}"


def with_a_rule_we_do_not_know() -> str:
    header = {"alg": "RS256", "kid": "k1", "crit": ["rule"], "rule": 1}
    text = f"{segment(header)}.{segment(claims())}"
    return f"{text}.{segment(KEY.sign(text.encode(), PKCS1v15(), SHA256()))}"


def with_a_list_for_an_issuer() -> str:
    raw = json.dumps(claims(iss=["https://accounts.google.com"])).encode()
    return jwt.PyJWS().encode(raw, KEY, "RS256", headers={"kid": "k1"})


def ago(**span: float) -> int:
    return int((NOW - timedelta(**span)).timestamp())


FORGERIES: list[tuple[Callable[[], str], str]] = [
    (lambda: "", "missing"),
    (lambda: "no-dots", "malformed"),
    (lambda: "a.b", "malformed"),
    (lambda: "....", "malformed"),
    (lambda: f"{signed()}.", "malformed"),
    (lambda: signed().replace(".", "=.", 1), "malformed"),
    (lambda: f"{signed()}=", "malformed"),
    (lambda: f"{signed()}!", "malformed"),
    (lambda: "a.b.c", "malformed"),
    (lambda: f"{segment([])}.{segment({})}.{segment({})}", "malformed"),
    (lambda: "ä.ö.ü", "malformed"),
    (lambda: f"{segment(b'[' * 3000)}.{segment({})}.{segment({})}", "malformed"),
    (lambda: signed(padding="x" * 9000), "malformed"),
    (with_a_rule_we_do_not_know, "malformed"),
    (lambda: signed(exp="tomorrow"), "malformed"),
    (lambda: signed(iat=None), "malformed"),
    (lambda: signed(exp=True), "malformed"),
    (lambda: signed(exp=10**400), "malformed"),
    (lambda: signed(exp=float("nan")), "malformed"),
    (unsigned, "algorithm"),
    (signed_with_the_public_key_as_a_secret, "algorithm"),
    (signed_with_another_algorithm, "algorithm"),
    (signed_with_an_elliptic_key, "algorithm"),
    (lambda: signed(headers={"kid": "k9"}), "unknown_key"),
    (lambda: signed(headers={"kid": ""}), "unknown_key"),
    (lambda: signed(OTHER_KEY), "signature"),
    (with_other_claims_under_the_signature, "signature"),
    (lambda: signed()[:-6] + "AAAAAA", "signature"),
    (lambda: signed(iss="https://accounts.google.com.evil.example"), "issuer"),
    (lambda: signed(iss=None), "issuer"),
    (with_a_list_for_an_issuer, "issuer"),
    (lambda: signed(aud="https://other.example"), "audience"),
    (lambda: signed(aud=[AUDIENCE, "https://other.example"]), "audience"),
    (lambda: signed(aud=None), "audience"),
    (lambda: signed(iat=ago(hours=2), exp=ago(seconds=15)), "expired"),
    (lambda: signed(iat=ago(seconds=-60)), "expired"),
    (lambda: signed(email="someone@else.example"), "email"),
    (lambda: signed(email=None), "email"),
    (lambda: signed(email_verified=False), "email_unverified"),
    (lambda: signed(email_verified="true"), "email_unverified"),
    (lambda: signed(email_verified=None), "email_unverified"),
]


@pytest.mark.parametrize(("forge", "reason"), FORGERIES)
async def test_a_forged_push_is_refused_with_its_reason(
    verifier: PushVerifier, forge: Callable[[], str], reason: str
) -> None:
    with pytest.raises(Unauthenticated) as caught:
        await verifier.verify(f"Bearer {forge()}", NOW)

    assert caught.value.data["reason"] == reason


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic dXNlcjpwYXNz"])
async def test_a_push_without_a_bearer_token_is_refused(
    verifier: PushVerifier, header: str | None
) -> None:
    with pytest.raises(Unauthenticated) as caught:
        await verifier.verify(header, NOW)

    assert caught.value.data["reason"] == "missing"


@pytest.mark.parametrize("issuer", ["https://accounts.google.com", "accounts.google.com"])
async def test_a_push_signed_by_google_passes(verifier: PushVerifier, issuer: str) -> None:
    await verifier.verify(f"Bearer {signed(iss=issuer)}", NOW)


async def test_a_few_seconds_between_the_clocks_do_no_harm(verifier: PushVerifier) -> None:
    await verifier.verify(f"Bearer {signed(iat=ago(seconds=-5))}", NOW)
    await verifier.verify(f"bearer {signed(iat=ago(hours=1), exp=ago(seconds=5))}", NOW)


async def test_times_are_read_against_the_given_moment(verifier: PushVerifier) -> None:
    next_week = NOW + timedelta(days=7)
    times = (int(moment.timestamp()) for moment in (next_week, next_week + HOUR))

    await verifier.verify(f"Bearer {signed(iat=next(times), exp=next(times))}", next_week)
    with pytest.raises(Unauthenticated):
        await verifier.verify(f"Bearer {signed(jti='now')}", next_week)


CONTENT = b"ada@example.com is no JSON"


@pytest.mark.parametrize(
    "token",
    [signed(aud="https://other.example"), f"{segment(CONTENT)}.{segment({})}.{segment({})}"],
    ids=["another audience", "not JSON"],
)
async def test_a_refusal_does_not_show_the_token(verifier: PushVerifier, token: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        await verifier.verify(f"Bearer {token}", NOW)

    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value.data)
    assert not [part for part in token.split(".") if len(part) > 3 and part in shown]
    assert CONTENT.decode() not in shown
    assert ACCOUNT not in shown


async def test_a_verified_token_is_not_verified_again(verifier: PushVerifier, certs: Certs) -> None:
    token = f"Bearer {signed()}"
    certs.headers = {"Cache-Control": "max-age=60"}
    await verifier.verify(token, NOW)
    certs.keys = {"k2": pem(OTHER_KEY)}

    await verifier.verify(token, NOW + timedelta(minutes=59))

    assert certs.fetches == 1


async def test_a_remembered_token_ends_with_its_expiry(verifier: PushVerifier) -> None:
    token = f"Bearer {signed()}"
    await verifier.verify(token, NOW)

    with pytest.raises(Unauthenticated):
        await verifier.verify(token, NOW + HOUR + timedelta(seconds=11))


async def test_keys_are_fetched_once_for_many_waiting_pushes(
    store: CertStore, certs: Certs
) -> None:
    certs.open.clear()
    waiting = [asyncio.create_task(store.key("k1", now=NOW)) for _ in range(50)]
    await eventually(lambda: certs.fetches)

    certs.open.set()

    assert await asyncio.gather(*waiting) == [KEY.public_key()] * 50
    assert certs.fetches == 1


async def test_keys_are_kept_as_long_as_google_says(store: CertStore, certs: Certs) -> None:
    certs.headers["Age"] = "600"

    await store.key("k1", now=NOW)
    await store.key("k1", now=NOW + timedelta(minutes=49))
    assert certs.fetches == 1

    await store.key("k1", now=NOW + timedelta(minutes=51))
    assert certs.fetches == 2


async def test_a_new_key_is_found_when_google_rotates(store: CertStore, certs: Certs) -> None:
    await store.key("k1", now=NOW)
    certs.keys = {"k1": pem(KEY), "k2": pem(OTHER_KEY)}

    assert await store.key("k2", now=NOW + timedelta(seconds=11)) == OTHER_KEY.public_key()


async def test_made_up_key_ids_do_not_hammer_google(store: CertStore, certs: Certs) -> None:
    keys = [await store.key(f"forged-{n}", now=NOW) for n in range(20)]

    assert keys == [None] * 20
    assert certs.fetches == 1


async def test_keys_are_found_where_only_the_other_address_has_them(
    serve: Serve, session: aiohttp.ClientSession
) -> None:
    served = Certs()

    async def only_v3(request: web.Request) -> web.StreamResponse:
        return (
            await served(request)
            if request.path == "/oauth2/v3/certs"
            else web.Response(status=404)
        )

    origin = await serve(only_v3)
    store = CertStore(session, f"{origin}/oauth2/v1/certs", f"{origin}/oauth2/v3/certs")

    assert await store.key("k1", now=NOW) == KEY.public_key()


async def test_known_keys_outlast_a_failure_of_google_for_an_hour(
    store: CertStore, certs: Certs
) -> None:
    await store.key("k1", now=NOW)
    certs.status = 503

    assert await store.key("k1", now=NOW + timedelta(minutes=119)) == KEY.public_key()
    with pytest.raises(Transient):
        await store.key("k1", now=NOW + timedelta(minutes=121))


async def test_without_any_keys_a_push_is_neither_believed_nor_refused(
    verifier: PushVerifier, certs: Certs
) -> None:
    certs.status = 500

    with pytest.raises(Transient):
        await verifier.verify(f"Bearer {signed()}", NOW)


async def test_an_id_token_says_who_signed_in(store: CertStore) -> None:
    token = signed(aud="client", sub="1001", email="ada@example.com", hd="example.com", nonce="n")

    identity = await verify_id_token(token, certs=store, client_id="client", now=NOW, nonce="n")

    assert (identity.subject, identity.email) == ("1001", "ada@example.com")
    assert (identity.email_verified, identity.hosted_domain) == (True, "example.com")
    assert "ada" not in repr(identity)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"aud": "another-client"}, "audience"),
        ({"nonce": "of-another-sign-in"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"sub": None}, "subject"),
        ({"sub": "9" * 256}, "subject"),
        ({"iss": "https://evil.example"}, "issuer"),
    ],
)
async def test_an_id_token_of_another_sign_in_is_refused(
    store: CertStore, changes: dict[str, Any], reason: str
) -> None:
    token = signed(**{"aud": "client", "nonce": "n", **changes})

    with pytest.raises(Unauthenticated) as caught:
        await verify_id_token(token, certs=store, client_id="client", now=NOW, nonce="n")

    assert caught.value.data["reason"] == reason


async def test_a_verifier_without_an_audience_cannot_be_made(store: CertStore) -> None:
    with pytest.raises(ValueError, match="audience"):
        PushVerifier(store, audience="", service_account=ACCOUNT)
