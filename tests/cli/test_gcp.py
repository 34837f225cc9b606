"""`causeway gcp` on the emulator's project."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.emulated import Emulated

TOPIC = "projects/proj-one/topics/gmail"
SUBSCRIPTION = "projects/proj-one/subscriptions/causeway-mail"
PUSH = (
    *("--topic", TOPIC),
    *("--push-endpoint", "https://mail.test/webhooks/google/gmail"),
    *("--push-service-account", "push@proj-one.iam.gserviceaccount.com"),
)
PULL = ("--topic", TOPIC, "--pull")


@pytest.fixture(autouse=True)
def at_the_emulator(monkeypatch: pytest.MonkeyPatch, emulator: Emulated) -> None:
    monkeypatch.setenv("CAUSEWAY_GOOGLE_ORIGIN", emulator.origin)
    for name in ("CAUSEWAY_GMAIL_SUBSCRIPTION", "CAUSEWAY_PUBLIC_URL", "CAUSEWAY_PUSH_AUDIENCE"):
        monkeypatch.delenv(name, raising=False)


async def gcp(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, ["gcp", *arguments])


async def states(*arguments: str) -> dict[str, str]:
    shown = json.loads((await gcp("check", *arguments, "--json")).stdout)
    return {row["item"]: row["state"] for row in shown["items"] if row["state"] != "ok"}


async def state(google: Emulated) -> Any:
    shown = await google.control("GET", "state")
    return {name: shown[name] for name in ("topics", "subscriptions")}


async def pubsub(google: Emulated, method: str, path: str, body: Any = None) -> Any:
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
        session.request(method, f"{google.origin}/v1/{path}", json=body) as answer,
    ):
        assert answer.ok, await answer.text()
        return await answer.json()


async def test_without_apply_nothing_is_changed_and_all_is_said(emulator: Emulated) -> None:
    before = await state(emulator)

    result = await gcp("setup", *PUSH)

    assert result.exit_code == 0, result.output
    assert f"missing    topic {TOPIC}" in result.stdout
    assert "Nothing was changed." in result.stdout
    assert await state(emulator) == before
    assert "API gmail.googleapis.com" in await states(*PUSH)


@pytest.mark.parametrize("wanted", [PUSH, PULL])
async def test_applied_twice_the_second_time_changes_nothing(
    emulator: Emulated, wanted: tuple[str, ...]
) -> None:
    first = await gcp("setup", *wanted, "--apply", "--json")
    made = await state(emulator)
    second = await gcp("setup", *wanted, "--apply", "--json")

    assert (first.exit_code, second.exit_code) == (0, 0), first.output
    assert len(json.loads(first.stdout)["done"]) > 5
    assert json.loads(second.stdout)["done"] == []
    assert await state(emulator) == made
    checked = await gcp("check", *wanted, "--json")
    assert checked.exit_code == 0
    assert json.loads(checked.stdout)["ok"]


async def test_the_settings_of_a_finished_project_are_said() -> None:
    assert (
        "CAUSEWAY_PUSH_AUDIENCE=https://mail.test" in (await gcp("setup", *PUSH, "--apply")).stdout
    )
    pulled = await gcp("setup", *PULL, "--apply")
    assert f"CAUSEWAY_GMAIL_SUBSCRIPTION={SUBSCRIPTION}" in pulled.stdout
    assert "CAUSEWAY_PUSH_AUDIENCE" not in pulled.stdout


def patched(setting: str, value: Any) -> tuple[str, str, Any]:
    subscription = {} if value is None else {setting: value}
    return "PATCH", SUBSCRIPTION, {"subscription": subscription, "updateMask": setting}


DEFECTS: dict[str, tuple[tuple[str, str, Any], str]] = {
    "expires": (
        patched("expirationPolicy", {"ttl": "86400s"}),
        f"{SUBSCRIPTION} expirationPolicy",
    ),
    "deadline": (patched("ackDeadlineSeconds", 10), f"{SUBSCRIPTION} ackDeadlineSeconds"),
    "retries": (patched("retryPolicy", None), f"{SUBSCRIPTION} retryPolicy"),
    "dead letters": (patched("deadLetterPolicy", None), f"{SUBSCRIPTION} deadLetterPolicy"),
    "pulled": (
        ("POST", f"{SUBSCRIPTION}:modifyPushConfig", {"pushConfig": {}}),
        f"{SUBSCRIPTION} pushConfig",
    ),
    "publisher": (
        ("POST", f"{TOPIC}:setIamPolicy", {"policy": {"bindings": []}}),
        f"Gmail may publish (roles/pubsub.publisher on {TOPIC})",
    ),
    "dead letter publisher": (
        ("POST", f"{TOPIC}-dead:setIamPolicy", {"policy": {"bindings": []}}),
        f"Pub/Sub may write dead letters (roles/pubsub.publisher on {TOPIC}-dead)",
    ),
    "subscriber": (
        ("POST", f"{SUBSCRIPTION}:setIamPolicy", {"policy": {"bindings": []}}),
        f"Pub/Sub may move messages (roles/pubsub.subscriber on {SUBSCRIPTION})",
    ),
    "dead letter subscription": (
        ("DELETE", "projects/proj-one/subscriptions/gmail-dead", None),
        "dead-letter subscription projects/proj-one/subscriptions/gmail-dead",
    ),
}


@pytest.mark.parametrize("defect", DEFECTS)
async def test_each_defect_is_found_and_mended(emulator: Emulated, defect: str) -> None:
    await gcp("setup", *PUSH, "--apply")
    (method, path, body), item = DEFECTS[defect]
    await pubsub(emulator, method, path, body)

    assert list(await states(*PUSH)) == [item]
    assert (await gcp("check", *PUSH)).exit_code == 1

    assert (await gcp("setup", *PUSH, "--apply")).exit_code == 0
    assert await states(*PUSH) == {}


async def test_a_deleted_topic_leaves_what_only_a_person_may_delete(emulator: Emulated) -> None:
    await gcp("setup", *PUSH, "--apply")
    await pubsub(emulator, "DELETE", TOPIC)

    again = await gcp("setup", *PUSH, "--apply")

    assert again.exit_code == 1
    assert "delete it yourself" in again.stdout
    assert list(await states(*PUSH)) == [f"subscription {SUBSCRIPTION}"]


async def test_what_may_not_be_seen_is_unknown_and_not_ok(emulator: Emulated) -> None:
    await gcp("setup", *PUSH, "--apply")
    rule = {"path_prefix": "/v1/projects/proj-one/topics/", "status": 403, "message": "No."}
    await emulator.control("PUT", "faults", {"rules": [rule]})

    assert set((await states(*PUSH)).values()) == {"unknown"}
    assert "403: No." in (await gcp("check", *PUSH)).stdout


async def test_a_refusal_ends_with_one_line(emulator: Emulated) -> None:
    rule = {"path_contains": ":batchEnable", "status": 403, "message": "Not you."}
    await emulator.control("PUT", "faults", {"rules": [rule]})

    result = await gcp("setup", *PUSH, "--apply")

    assert result.exit_code == 1
    assert result.stderr.startswith("causeway: serviceusage.services.batchEnable: 403: Not you.")


async def test_without_a_topic_it_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CAUSEWAY_GMAIL_TOPIC", raising=False)
    result = await gcp("check", "--pull")

    assert result.exit_code == 1
    assert "--topic" in result.stderr
