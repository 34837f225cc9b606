import time
from collections.abc import Awaitable, Callable
from typing import Any

import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from libs.common import clock
from libs.common.errors import Transient, Unauthenticated
from libs.common.web.callers import CallerVerifier, SharedKey
from libs.common.web.jwks import PublishedKeys
from tests.integration.common.webapp import make_app, settings
from tests.support import CALLER_AUDIENCE, CALLER_ISSUER, CALLER_KEY, bearer, caller_token

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
NEW_KEY = ec.generate_private_key(ec.SECP256R1())


class Provider:
    """An identity provider that publishes keys over HTTP, and counts who asks."""

    def __init__(self) -> None:
        """Publish two keys."""
        self.document: Any = {"keys": [_jwk(RSA_KEY, "r"), _jwk(EC_KEY, "e")]}
        self.status = 200
        self.asked = 0
        app = web.Application()
        app.router.add_get("/jwks", self.show, allow_head=False)
        self.server = TestServer(app)

    async def show(self, _request: web.Request) -> web.Response:
        self.asked += 1
        return web.json_response(self.document, status=self.status)

    @property
    def url(self) -> str:
        return str(self.server.make_url("/jwks"))


def _jwk(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, kid: str) -> dict[str, Any]:
    if isinstance(key, rsa.RSAPrivateKey):
        shape = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        shape = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**shape, "kid": kid, "use": "sig"}


def token(key: Any, algorithm: str, kid: str | None, **claims: object) -> str:
    now = int(time.time())
    full = {"iss": CALLER_ISSUER, "aud": CALLER_AUDIENCE, "sub": "ada", "tenant": "acme"}
    headers = {"kid": kid} if kid else {}
    payload = {**full, "exp": now + 300, **claims}
    given = {name: value for name, value in payload.items() if value is not None}
    return jwt.encode(given, key, algorithm=algorithm, headers=headers)


@pytest.fixture
async def provider() -> Any:
    made = Provider()
    await made.server.start_server()
    yield made
    await made.server.close()


@pytest.fixture
async def keys(provider: Provider) -> Any:
    made = PublishedKeys(provider.url)
    yield made
    await made.close()


def verifier(keys: PublishedKeys | SharedKey) -> CallerVerifier:
    return CallerVerifier(keys, issuer=CALLER_ISSUER, audience=CALLER_AUDIENCE)


async def refusal(keys: PublishedKeys | SharedKey, text: str) -> object:
    with pytest.raises(Unauthenticated) as refused:
        await verifier(keys).verify(text, now=clock.now())
    return refused.value.data["reason"]


@pytest.mark.parametrize(
    ("key", "algorithm", "kid"), [(RSA_KEY, "RS256", "r"), (EC_KEY, "ES256", "e")]
)
async def test_a_token_signed_with_a_published_key_names_its_user(
    keys: PublishedKeys, key: Any, algorithm: str, kid: str
) -> None:
    who = await verifier(keys).verify(token(key, algorithm, kid), now=clock.now())

    assert (who.kind, who.user_id, who.tenant_id) == ("user", "ada", "acme")


async def test_a_service_needs_a_tenant_and_no_subject(keys: PublishedKeys) -> None:
    text = token(EC_KEY, "ES256", "e", sub="billing", roles=["service"])

    who = await verifier(keys).verify(text, now=clock.now())

    assert (who.kind, who.user_id, who.subject) == ("service", None, "billing")


async def test_keys_are_fetched_once(provider: Provider, keys: PublishedKeys) -> None:
    for _ in range(3):
        await verifier(keys).verify(token(RSA_KEY, "RS256", "r"), now=clock.now())

    assert provider.asked == 1


async def test_a_new_key_is_found_by_asking_again(provider: Provider) -> None:
    keys = PublishedKeys(provider.url, pause_s=0)
    await verifier(keys).verify(token(RSA_KEY, "RS256", "r"), now=clock.now())
    provider.document["keys"].append(_jwk(NEW_KEY, "new"))

    who = await verifier(keys).verify(token(NEW_KEY, "ES256", "new"), now=clock.now())

    await keys.close()
    assert who.user_id == "ada"


async def test_forged_key_names_cause_no_traffic(provider: Provider, keys: PublishedKeys) -> None:
    for number in range(5):
        text = token(NEW_KEY, "ES256", f"made-up-{number}")
        assert await refusal(keys, text) == "unknown_key"

    assert provider.asked == 1


async def test_known_keys_outlive_a_provider_that_is_away(provider: Provider) -> None:
    keys = PublishedKeys(provider.url, pause_s=0)
    await verifier(keys).verify(token(RSA_KEY, "RS256", "r"), now=clock.now())
    provider.status = 500

    assert await refusal(keys, token(NEW_KEY, "ES256", "new")) == "unknown_key"
    who = await verifier(keys).verify(token(RSA_KEY, "RS256", "r"), now=clock.now())

    await keys.close()
    assert who.user_id == "ada"


@pytest.mark.parametrize("document", [[], {"keys": 1}, {"keys": [1, {}, {"kid": "r"}]}])
async def test_without_keys_nobody_is_called_a_forger(
    provider: Provider, keys: PublishedKeys, document: object
) -> None:
    provider.document = document

    with pytest.raises(Transient):
        await verifier(keys).verify(token(RSA_KEY, "RS256", "r"), now=clock.now())


async def test_keys_we_cannot_use_do_not_hide_the_others(
    provider: Provider, keys: PublishedKeys
) -> None:
    broken = {"kid": "b", "kty": "EC", "crv": "P-256", "x": "?", "y": "?"}
    provider.document["keys"].insert(0, broken)
    provider.document["keys"].insert(0, {"kid": "h", "kty": "oct", "k": "c2VjcmV0"})

    assert await verifier(keys).verify(token(RSA_KEY, "RS256", "r"), now=clock.now())


async def test_a_public_key_is_no_shared_secret(keys: PublishedKeys) -> None:
    header = {"alg": "HS256", "kid": "r"}
    swapped = jwt.api_jws.PyJWS().encode(b"{}", "x" * 32, algorithm="HS256", headers=header)

    assert await refusal(keys, swapped) == "algorithm"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (token(RSA_KEY, "RS256", None), "unknown_key"),
        (token(RSA_KEY, "RS256", "e"), "algorithm"),
        (token(RSA_KEY, "RS512", "r"), "algorithm"),
        (token(NEW_KEY, "ES256", "e"), "signature"),
        ("garbage", "malformed"),
    ],
)
async def test_other_signatures_are_refused(keys: PublishedKeys, text: str, reason: str) -> None:
    assert await refusal(keys, text) == reason


async def test_an_asymmetric_token_means_nothing_to_the_shared_key() -> None:
    assert await refusal(SharedKey(CALLER_KEY), token(RSA_KEY, "RS256", "r")) == "algorithm"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": None}, "claims"),
        ({"iss": None}, "claims"),
        ({"aud": None}, "claims"),
        ({"iss": "https://elsewhere.test"}, "issuer"),
        ({"aud": ["somebody", "else"]}, "audience"),
        ({"exp": "2099-01-01"}, "malformed"),
        ({"nbf": time.time() + 900}, "early"),
        ({"sub": None}, "claims"),
        ({"sub": ""}, "claims"),
        ({"sub": "a\0b"}, "claims"),
        ({"sub": "a" * 256}, "claims"),
        ({"sub": None, "tenant": None, "roles": ["service"]}, "claims"),
        ({"tenant": 7}, "claims"),
        ({"roles": "service"}, "claims"),
        ({"roles": [1]}, "claims"),
    ],
)
async def test_incomplete_or_foreign_claims_are_refused(
    claims: dict[str, object], reason: str
) -> None:
    text = token(CALLER_KEY, "HS256", None, **claims)

    assert await refusal(SharedKey(CALLER_KEY), text) == reason


async def test_an_application_takes_published_keys_from_its_settings(
    provider: Provider,
    aiohttp_client: Callable[
        [web.Application], Awaitable[TestClient[web.Request, web.Application]]
    ],
) -> None:
    published = settings(caller_key=None, caller_jwks_url=provider.url)
    client = await aiohttp_client(make_app(settings=published))

    known = await client.get("/v1/notes", headers=bearer(token(RSA_KEY, "RS256", "r")))
    shared = await client.get("/v1/notes", headers=bearer(caller_token()))

    assert (known.status, shared.status) == (200, 401)
