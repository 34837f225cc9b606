"""Replays, thieves, strangers and forgeries on the browser's way: refused, and nothing written."""

import asyncio
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from services.auth.domain import secrets
from tests.integration.auth.stand import ALICE, RETURN_URL, Browser, Later, Stand, browser
from tests.support import caller_token

COUNTS = """
SELECT (SELECT count(*) FROM accounts) AS accounts,
       (SELECT count(*) FROM connections WHERE state <> 'pending' OR account_id IS NOT NULL)
       AS advanced,
       (SELECT count(*) FROM outbox) AS events
"""


async def assert_untouched(auth: Stand) -> None:
    [row] = await auth.fetch(COUNTS)
    assert tuple(row) == (0, 0, 0)


async def test_a_ticket_opens_once(auth: Stand) -> None:
    created = await auth.create()
    async with browser() as mine, browser() as thief:
        await mine.start(created["connect_url"])
        again = await thief.open(created["connect_url"])

    assert (again.status, again.problem, again.fields) == (400, "invalid-input", ["ticket"])


async def test_of_many_who_open_a_ticket_at_once_one_gets_through(auth: Stand) -> None:
    created = await auth.create()
    async with browser() as anyone:
        answers = await asyncio.gather(*(anyone.open(created["connect_url"]) for _ in range(12)))

    assert sorted(answer.status for answer in answers) == [302] + [400] * 11
    [row] = await auth.fetch("SELECT count(*) AS consents FROM consents")
    assert row["consents"] == 1


async def test_a_ticket_is_over_after_five_minutes(auth: Stand, later: Later) -> None:
    created = await auth.create()
    later(301)
    async with browser() as mine:
        answer = await mine.open(created["connect_url"])

    assert (answer.status, answer.fields) == (400, ["ticket"])


async def test_an_unknown_ticket_goes_nowhere(auth: Stand) -> None:
    async with browser() as anyone:
        answer = await anyone.open(f"{auth.settings.public_url}/v1/oauth/start?ticket=made-up")

    assert (answer.status, answer.fields) == (400, ["ticket"])
    assert "Location" not in answer.headers


async def test_the_ticket_is_stored_as_a_digest_only(auth: Stand) -> None:
    created = await auth.create()
    ticket = created["connect_url"].partition("ticket=")[2]

    [row] = await auth.fetch("SELECT t::text AS everything FROM tickets AS t")

    for written in (ticket, ticket.encode().hex()):  # bytes are shown as digits
        assert written not in row["everything"]


async def test_the_callback_of_a_foreign_browser_is_refused(auth: Stand) -> None:
    created = await auth.create()
    async with browser() as mine, browser() as foreign:
        callback = await mine.decide(await mine.start(created["connect_url"]), person=ALICE)
        stolen = await foreign.open(callback)

        assert (stolen.status, stolen.fields) == (400, ["state"])
        await assert_untouched(auth)
        # The thief did not spoil it for the owner.
        assert (await mine.open(callback)).status == 302


async def test_a_thief_with_a_cookie_of_his_own_is_refused(auth: Stand) -> None:
    ours = await auth.create()
    his = await auth.create(token=caller_token(user="mallory"))
    async with browser() as mine, browser() as thief:
        callback = await mine.decide(await mine.start(ours["connect_url"]), person=ALICE)
        await thief.start(his["connect_url"])
        stolen = await thief.open(callback)

    assert (stolen.status, stolen.fields) == (400, ["state"])
    await assert_untouched(auth)


async def test_a_state_is_used_once(auth: Stand) -> None:
    created = await auth.create()
    async with browser() as mine:
        callback = await mine.decide(await mine.start(created["connect_url"]), person=ALICE)
        cookies = mine.cookies()
        assert (await mine.open(callback)).status == 302
        mine.restore(cookies)
        replayed = await mine.open(callback)

    assert (replayed.status, replayed.fields) == (400, ["state"])


async def test_of_many_callbacks_with_one_state_at_once_one_gets_through(auth: Stand) -> None:
    created = await auth.create()
    async with browser() as mine:
        callback = await mine.decide(await mine.start(created["connect_url"]), person=ALICE)
        answers = await asyncio.gather(*(mine.open(callback) for _ in range(12)))

    assert sorted(answer.status for answer in answers) == [302] + [400] * 11
    [row] = await auth.fetch("SELECT token_version FROM accounts")
    assert row["token_version"] == 1


@pytest.mark.parametrize("value", [b"\xff", b'"\xff"', b"\xed\xa0\x80"])
async def test_a_cookie_that_is_no_text_is_another_browsers(auth: Stand, value: bytes) -> None:
    name = secrets.cookie_name("made-up", secure=False).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", auth.settings.port)
    writer.write(
        b"GET /v1/oauth/callback?state=made-up&code=x HTTP/1.1\r\nHost: auth\r\n"
        b"Cookie: " + name + b"=" + value + b"\r\nConnection: close\r\n\r\n"
    )
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()

    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_a_state_is_over_after_ten_minutes(auth: Stand, later: Later) -> None:
    created = await auth.create()
    async with browser() as mine:
        callback = await mine.decide(await mine.start(created["connect_url"]), person=ALICE)
        later(601)
        answer = await mine.open(callback)

    assert (answer.status, answer.fields) == (400, ["state"])
    await assert_untouched(auth)


@pytest.mark.parametrize(
    "query",
    [
        {"state": "forged", "code": "forged"},
        {"state": "forged", "error": "access_denied"},
        {"code": "without-state"},
        {},
    ],
)
async def test_a_forged_callback_leaves_no_trace(auth: Stand, query: dict[str, str]) -> None:
    await auth.create()
    async with browser() as anyone:
        answer = await anyone.open(
            f"{auth.settings.public_url}/v1/oauth/callback?{urlencode(query)}"
        )

    assert (answer.status, answer.fields) == (400, ["state"])
    assert "Location" not in answer.headers
    await assert_untouched(auth)


async def test_a_forged_code_is_told_to_the_crm_and_stores_nothing(auth: Stand) -> None:
    created = await auth.create()
    async with browser() as mine:
        answer = await forge(mine, await mine.start(created["connect_url"]), code="4/forged")

    assert answer["status"] == "error"
    assert answer["error"] == "code_refused"
    await assert_untouched(auth)


async def test_an_error_that_is_no_plain_name_is_not_repeated(auth: Stand) -> None:
    created = await auth.create()
    async with browser() as mine:
        google = await mine.start(created["connect_url"])
        answer = await forge(mine, google, error="<script>alice@example.com</script>")

    assert answer["error"] == "google_error"


async def test_errors_made_up_by_a_browser_make_no_metrics_of_their_own(auth: Stand) -> None:
    created = await auth.create()
    async with browser() as mine:
        google = await mine.start(created["connect_url"])
        answer = await forge(mine, google, error="made_up_by_mallory")
    async with auth.session.get(f"{auth.origin}/metrics") as response:
        metrics = await response.text()

    assert answer["error"] == "made_up_by_mallory"
    assert "made_up_by_mallory" not in metrics


async def forge(mine: Browser, google_url: str, **query: str) -> dict[str, str]:
    """Open the callback as if Google had sent `query`; return what the CRM is told."""
    asked = {name: values[0] for name, values in parse_qs(urlsplit(google_url).query).items()}
    url = f"{asked['redirect_uri']}?{urlencode({'state': asked['state'], **query})}"
    answer = await mine.open(url)
    assert answer.status == 302
    location = answer.headers["Location"]
    assert location.startswith(RETURN_URL)
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


async def test_denying_leaves_the_connection_pending_with_the_reason(auth: Stand) -> None:
    created = await auth.create()
    async with browser() as mine:
        back = await mine.consent(created["connect_url"], allow=False)

    assert back == {
        "connection_id": created["id"],
        "status": "error",
        "error": "access_denied",
    }
    shown = await auth.show(created["id"])
    assert (shown["state"], shown["reason"]) == ("pending", "access_denied")
    await assert_untouched(auth)


async def test_unticking_every_box_is_a_clear_error(auth: Stand) -> None:
    created = await auth.create()
    async with browser() as mine:
        back = await mine.consent(created["connect_url"], without="gmail")

    assert (back["status"], back["error"]) == ("error", "no_product_granted")
    assert (await auth.show(created["id"]))["reason"] == "no_product_granted"
    await assert_untouched(auth)


async def test_the_browser_is_bound_by_a_cookie_scripts_cannot_read(auth: Stand) -> None:
    created = await auth.create()
    async with browser() as mine:
        answer = await mine.open(created["connect_url"])

    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie  # http here; see the next test for https


async def test_on_https_the_cookie_is_secure_and_of_this_host_only(auth_on_https: Stand) -> None:
    created = await auth_on_https.create()
    local = created["connect_url"].replace(auth_on_https.settings.public_url, auth_on_https.origin)
    async with browser() as mine:
        answer = await mine.open(local)

    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-")
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie


async def test_google_is_asked_with_pkce_offline_and_a_nonce(auth: Stand) -> None:
    created = await auth.create(access="read", login_hint=ALICE)
    async with browser() as mine:
        query = parse_qs(urlsplit(await mine.start(created["connect_url"])).query)

    assert query["code_challenge_method"] == ["S256"]
    assert len(query["code_challenge"][0]) == 43
    assert query["access_type"] == ["offline"]
    assert query["include_granted_scopes"] == ["true"]
    assert query["login_hint"] == [ALICE]
    assert query["nonce"][0]
    assert query["scope"] == ["openid email https://www.googleapis.com/auth/gmail.readonly"]
