import aiohttp
import pytest

from tests.emulator.google import ALICE, BOB, Google, Mail


async def test_usage_is_counted_in_googles_units(google: Google, mail: Mail) -> None:
    arrived = await google.arrive()
    await mail.get(f"messages/{arrived['id']}")
    await mail.get("messages")

    usage = (await google.control("GET", "usage"))["people"][ALICE]

    assert usage["units"] == 25
    assert usage["methods"]["gmail.users.messages.get"] == {"units": 20, "calls": 1}


async def test_the_budget_of_a_minute_is_enforced_and_comes_back(
    google: Google, mail: Mail
) -> None:
    await google.control("PUT", "settings", {"units_per_minute": 10})
    await mail.get("messages")
    await mail.get("messages")

    refused = await mail.call("GET", "messages")
    await google.control("PUT", "clock", {"offset_s": 61})
    allowed = await mail.call("GET", "messages")

    assert (refused.status, refused.reason) == (403, "rateLimitExceeded")
    assert "Retry after 20" in refused.json["error"]["message"]
    assert "Retry-After" not in refused.headers
    assert allowed.status == 200


async def test_one_persons_budget_is_not_anothers(google: Google, mail: Mail) -> None:
    await google.control("PUT", "settings", {"units_per_minute": 5})
    await google.control("POST", "people", {"email": BOB})
    await mail.get("messages")

    bob = await google.mailbox(email=BOB)

    assert (await bob.call("GET", "messages")).status == 200


async def test_the_budget_can_be_switched_off(google: Google, mail: Mail) -> None:
    await google.control("PUT", "settings", {"units_per_minute": 1, "enforce_quota": False})

    assert (await mail.call("GET", "messages")).status == 200


async def test_a_fault_hits_as_often_as_it_says(google: Google, mail: Mail) -> None:
    rule = {"path_prefix": "/gmail/v1/", "method": "GET", "after": 1, "times": 1, "status": 503}
    await google.control("PUT", "faults", {"rules": [rule]})

    statuses = [(await mail.call("GET", "profile")).status for _ in range(3)]

    assert statuses == [200, 503, 200]
    assert (await google.control("GET", "faults"))["rules"][0]["hits"] == 3


async def test_a_fault_can_be_for_one_person(google: Google, mail: Mail) -> None:
    await google.control("POST", "people", {"email": BOB})
    bob = await google.mailbox(email=BOB)
    await google.control("PUT", "faults", {"rules": [{"person": BOB, "status": 500}]})

    assert (await mail.call("GET", "profile")).status == 200
    assert (await bob.call("GET", "profile")).status == 500


async def test_a_fault_can_answer_with_any_body(google: Google) -> None:
    body = {"error": "invalid_grant", "error_description": "Bad Request"}
    rule = {"path_prefix": "/token", "status": 400, "body": body, "headers": {"X-A": "b"}}
    await google.control("PUT", "faults", {"rules": [rule]})

    answer = await google.request("POST", "/token", data={})

    assert (answer.status, answer.json, answer.headers["X-A"]) == (400, body, "b")


async def test_a_connection_can_be_cut(google: Google, mail: Mail) -> None:
    await google.control("PUT", "faults", {"rules": [{"drop": True, "path_prefix": "/gmail"}]})

    with pytest.raises(aiohttp.ClientConnectionError):
        await mail.call("GET", "profile")


async def test_an_answer_can_be_lost_after_the_work_was_done(google: Google, mail: Mail) -> None:
    rule = {"path_contains": "/labels", "method": "POST", "lose_answer": True}
    await google.control("PUT", "faults", {"rules": [rule]})

    with pytest.raises(aiohttp.ClientConnectionError):
        await mail.call("POST", "labels", json={"name": "CRM"})

    names = {label["name"] for label in (await mail.get("labels"))["labels"]}
    assert "CRM" in names


async def test_garbage_and_delay(google: Google, mail: Mail) -> None:
    rules = [
        {"path_contains": "/profile", "garbage": True},
        {"path_contains": "/labels", "delay_s": 0.01},
    ]
    await google.control("PUT", "faults", {"rules": rules})

    garbage = await mail.call("GET", "profile")
    late = await mail.call("GET", "labels")

    assert garbage.headers["Content-Type"].startswith("text/html")
    assert late.status == 200


async def test_faults_can_be_cleared(google: Google, mail: Mail) -> None:
    await google.control("PUT", "faults", {"rules": [{"status": 500}]})

    await google.control("DELETE", "faults")

    assert (await mail.call("GET", "profile")).status == 200


async def test_new_mail_can_be_missing_when_it_is_fetched_at_once(
    google: Google, mail: Mail
) -> None:
    before = await google.arrive()
    await google.control("PUT", "settings", {"vanish_gets": 2})
    arrived = await google.arrive()

    statuses = [(await mail.call("GET", f"messages/{arrived['id']}")).status for _ in range(3)]

    assert statuses == [404, 404, 200]
    assert (await mail.call("GET", f"messages/{before['id']}")).status == 200


async def test_an_answer_can_break_off(google: Google, mail: Mail) -> None:
    rule = {"path_contains": "/profile", "truncate": 10}
    await google.control("PUT", "faults", {"rules": [rule]})
    headers = {"Authorization": f"Bearer {mail.token}"}

    async with google.session.get(
        f"{google.origin}/gmail/v1/users/me/profile", headers=headers
    ) as answer:
        assert answer.status == 200
        assert await answer.content.readexactly(10) == b'{\n  "email'
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()


async def test_an_answer_shorter_than_the_cut_stays_whole(google: Google, mail: Mail) -> None:
    await google.control("PUT", "faults", {"rules": [{"truncate": 10_000}]})

    assert (await mail.get("profile"))["emailAddress"] == ALICE
