"""The browser's way through auth: whatever a browser sends, nobody's connection moves."""

from urllib.parse import parse_qs, quote_from_bytes, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from services.auth.domain import secrets
from tests.fuzz.effort import tries
from tests.fuzz.json_strategies import TEXTS
from tests.fuzz.wire import Answer, exchange
from tests.integration.auth.stand import RETURN_URL, Stand, browser

MOVED = """
SELECT (SELECT count(*) FROM accounts) AS accounts, (SELECT count(*) FROM outbox) AS events,
       (SELECT count(*) FROM connections WHERE state <> 'pending' OR account_id IS NOT NULL)
       AS connections
"""
NAMES = (
    *("state", "code", "error", "scope", "ticket", "state", "code", "error"),
    *("authuser", "prompt", "iss", "hd", "STATE", "state[]", "", "\0", "a" * 300),
)
COOKIES = (
    b"x",
    b"",
    b'"',
    b"\xff",
    b"\xed\xa0\x80",
    b"=",
    b"a" * 3000,
    b"\xe2\x82\xac",
    b"a;b",
    b",",
)

values = st.one_of(
    st.sampled_from(TEXTS).map(lambda text: text[:4000].encode("utf-8", "surrogatepass")),
    st.sampled_from([b"access_denied", b"4/0AX", b"server_error", b"<script>", b"\r\nX: y", b"%"]),
    st.binary(max_size=20),
)
fields = st.lists(
    st.tuples(st.one_of(st.sampled_from(NAMES).map(str.encode), st.binary(max_size=8)), values),
    max_size=5,
)


def query(pairs: list[tuple[bytes, bytes]]) -> bytes:
    """Return a query string of any octets."""
    text = "&".join(f"{quote_from_bytes(name)}={quote_from_bytes(value)}" for name, value in pairs)
    return text.encode()


async def get(auth: Stand, path: bytes, pairs: list[tuple[bytes, bytes]], cookie: bytes) -> Answer:
    line = b"GET " + path + b"?" + query(pairs)
    headers = [(b"Cookie", cookie)] if cookie else []
    return await exchange(auth.settings.port, line, headers)


async def assert_unmoved(auth: Stand, answer: Answer) -> None:
    assert answer.status in {302, 400}, answer
    for line in answer.head.split(b"\r\n"):
        if line.startswith(b"Location: "):
            assert line.removeprefix(b"Location: ").startswith(RETURN_URL.encode()), answer
    (row,) = await auth.fetch(MOVED)
    assert tuple(row) == (0, 0, 0)


@tries(60)
@given(fields, st.sampled_from(COOKIES))
async def test_a_callback_of_nobody_moves_nothing(
    auth: Stand, pairs: list[tuple[bytes, bytes]], cookie: bytes
) -> None:
    state = next((value for name, value in pairs if name == b"state"), b"")
    name = secrets.cookie_name(state.decode(errors="replace"), secure=False).encode()
    answer = await get(auth, b"/v1/oauth/callback", pairs, name + b"=" + cookie)

    assert answer.status == 400, answer
    await assert_unmoved(auth, answer)


@tries(25)
@given(fields, st.sampled_from([b"x", b"\xff", b"=%b", b"=%b", b"=%bx"]))
async def test_a_callback_of_one_who_set_out_but_brings_no_code_of_google_moves_nothing(
    auth: Stand, pairs: list[tuple[bytes, bytes]], cookie: bytes
) -> None:
    created = await auth.create()
    async with browser() as mine:
        google = urlsplit(await mine.start(created["connect_url"]))
        (mine_only,) = mine.cookies()
    state = parse_qs(google.query)["state"][0].encode()
    others = [pair for pair in pairs if pair[0] != b"state"]
    sent = mine_only.key.encode() + cookie.replace(b"%b", mine_only.value.encode())
    answer = await get(auth, b"/v1/oauth/callback", [(b"state", state), *others], sent)

    await assert_unmoved(auth, answer)


@tries(60)
@given(fields, st.sampled_from(COOKIES))
async def test_a_start_without_a_ticket_of_ours_leads_nowhere(
    auth: Stand, pairs: list[tuple[bytes, bytes]], cookie: bytes
) -> None:
    answer = await get(auth, b"/v1/oauth/start", pairs, b"causeway_consent_x=" + cookie)

    assert answer.status == 400, answer
    await assert_unmoved(auth, answer)
