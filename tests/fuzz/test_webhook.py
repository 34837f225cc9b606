"""The door for Gmail's pushes: Google's garbage is kept, a stranger's leaves no trace."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.keys import ISSUER
from services.mail.app import migrations
from tests.databases import NewDatabase
from tests.emulated import Emulated
from tests.fuzz.effort import tries
from tests.fuzz.json_strategies import almost, anything, nested, scalars, written
from tests.fuzz.pushes import KEY, push_claims, push_token
from tests.fuzz.wire import Answer, exchange
from tests.integration.mail.stand import AUDIENCE, PUSHER, Stand, standing_alone
from tests.integration.service_stand import ALICE

LINE = b"POST /webhooks/google/gmail"
COUNTS = """
SELECT (SELECT count(*) FROM dead_items) AS dead, (SELECT count(*) FROM messages) AS messages,
       (SELECT count(*) FROM outbox) AS events, (SELECT count(*) FROM connections) AS connections,
       (SELECT coalesce(sum(generation), 0)::int FROM signals) AS signals
"""
NOTICE = {"emailAddress": ALICE, "historyId": 7}
TYPES = (
    *(b"application/json", b"text/plain", b"", b"application/json; charset=utf-16", b"\xff/\xff"),
    *(b"multipart/form-data; boundary=x", b"application/x-www-form-urlencoded", b"a" * 500),
)


@pytest.fixture
async def door(new_database: NewDatabase, emulator: Emulated) -> AsyncIterator[Stand]:
    """The web role of mail alone: nothing moves but what a request moves."""
    url = await new_database(*migrations())
    async with standing_alone(mail_url=url, google=emulator) as stand:
        yield stand


def bearer(token: bytes | str) -> tuple[bytes, bytes]:
    raw = token if isinstance(token, bytes) else token.encode()
    return b"Authorization", b"Bearer " + raw


async def push(door: Stand, body: bytes, *headers: tuple[bytes, bytes], **how: Any) -> Answer:
    return await exchange(door.settings.port, LINE, headers, body, **how)


async def counts(door: Stand) -> dict[str, int]:
    (row,) = await door.fetch(COUNTS)
    return dict(row)


def wrapped(data: bytes) -> dict[str, Any]:
    return {"message": {"data": base64.b64encode(data).decode(), "messageId": "1"}}


notices = st.one_of(written(almost(NOTICE)), written(anything), nested.map(str.encode))
bodies = st.one_of(
    notices.map(lambda data: json.dumps(wrapped(data)).encode()),
    written(almost(wrapped(json.dumps(NOTICE).encode()))),
    written(anything),
    nested.map(str.encode),
    st.binary(max_size=80),
)


@tries(60)
@given(bodies, st.sampled_from(TYPES))
async def test_whatever_google_signs_is_taken_and_moves_nothing(
    door: Stand, body: bytes, kind: bytes
) -> None:
    """Of an unknown mailbox; what cannot be read is kept once for a person to look at."""
    before = await counts(door)
    token = push_token()
    answer = await push(door, body, bearer(token), (b"Content-Type", kind))

    assert answer.status in {204, 413}, answer
    after = await counts(door)
    assert after["dead"] - before["dead"] in {0, 1}
    assert after | {"dead": 0} == before | {"dead": 0}


SIGNED = {
    "aud": AUDIENCE,
    "email": PUSHER,
    "email_verified": True,
    "exp": 4102444800,
    "iat": 1767225600,
    "iss": ISSUER,
}
HEADER = {"alg": "RS256", "typ": "JWT", "kid": "x"}


def segment(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


@st.composite
def forged(draw: st.DrawFn) -> bytes:
    """Return what looks like a token, more or less: nobody's signature is on it."""
    known = {"kid": draw(st.sampled_from([KEY.kid, "x", "", "\0"]))}
    parts = [
        segment(draw(st.one_of(written(almost(HEADER | known)), nested.map(str.encode)))),
        segment(draw(st.one_of(written(almost(SIGNED)), nested.map(str.encode)))),
        segment(draw(st.binary(max_size=260))),
    ]
    match draw(st.sampled_from(["whole"] * 6 + ["few", "many", "junk", "padded", "long"])):
        case "few":
            parts.pop()
        case "many":
            parts *= 2
        case "junk":
            parts[draw(st.integers(0, 2))] = draw(st.binary(max_size=30))
        case "padded":
            parts = [part + b"==" for part in parts]
        case "long":
            parts[1] = parts[1][:300] * 40
    return b".".join(parts).replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"")


@tries(60)
@given(forged(), bodies)
async def test_a_token_that_google_did_not_sign_leaves_no_trace(
    door: Stand, token: bytes, body: bytes
) -> None:
    before = await counts(door)
    answer = await push(door, body, bearer(token))

    assert answer.status in {0, 400, 401}, answer  # 400, or a closed door: no header holds this
    assert await counts(door) == before


odd = st.one_of(scalars, anything)
no_yes = odd.filter(lambda value: value is not True)
no_time = odd.filter(lambda value: isinstance(value, bool) or not isinstance(value, int | float))
odd_claims = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("aud", "email", "email_verified", "iss"), no_yes),
        **dict.fromkeys(("exp", "iat"), no_time),
    },
)


@tries(60)
@given(odd_claims.filter(bool))
async def test_claims_that_are_not_googles_leave_no_trace(
    door: Stand, changes: dict[str, Any]
) -> None:
    before = await counts(door)
    payload = json.dumps(push_claims() | changes).encode("utf-8", "surrogatepass")
    token = jwt.PyJWS().encode(payload, KEY.private, algorithm="RS256", headers={"kid": KEY.kid})
    answer = await push(door, b"garbage", bearer(token))

    assert answer.status in {0, 400, 401}, (answer, changes)  # 400, 0: too long for a header
    assert await counts(door) == before


lengths = st.sampled_from([b"0", b"1", b"-1", b"", b"x", b"1e3", b"99999999999999999999", b"65537"])
odd_headers = st.sampled_from(
    [
        (b"Content-Encoding", b"gzip"),
        (b"Content-Encoding", b"identity"),
        (b"Transfer-Encoding", b"chunked"),
        (b"Transfer-Encoding", b"x"),
        (b"Expect", b"100-continue"),
        (b"Expect", b"x"),
        (b"Upgrade", b"websocket"),
        (b"X-Request-Id", b"\xff" * 40),
        (b"traceparent", b"00-"),
        (b"Authorization", b"Bearer x"),
        (b"Cookie", b"=;;=\xff"),
        (b"X-Long", b"a" * 9000),
        (b"Content-Length", b"3"),
        (b"Range", b"bytes=0-"),
        (b"a b", b"c"),
    ]
)


@tries(50)
@given(st.lists(odd_headers, max_size=3), st.one_of(st.none(), lengths), st.binary(max_size=30))
async def test_headers_that_lie_are_refused_or_taken_but_break_nothing(
    door: Stand, headers: list[tuple[bytes, bytes]], length: bytes | None, body: bytes
) -> None:
    before = await counts(door)
    token = push_token()
    answer = await push(door, body, bearer(token), *headers, length=length, hang_up=True)

    assert answer.status < 500, answer
    after = await counts(door)
    assert after | {"dead": 0} == before | {"dead": 0}
