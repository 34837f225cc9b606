"""What Google charges for each method since 2026, and how it refuses."""

import re

import pytest

from emulator.gmail import account, drafts, label_api, messages, send_as, threads, writing
from emulator.rest.call import Operation
from tests.emulator.google import ALICE, BOB, Google, Mail

MODULES = (account, drafts, label_api, messages, send_as, threads, writing)
OPERATIONS: dict[str, Operation] = {k: v for m in MODULES for k, v in m.OPERATIONS.items()}


@pytest.mark.parametrize(
    ("method", "units"),
    [
        ("messages.get", 20),
        ("messages.attachments.get", 20),
        ("messages.list", 5),
        ("messages.modify", 5),
        ("messages.batchModify", 50),
        ("messages.delete", 10),
        ("messages.send", 100),
        ("threads.get", 40),
        ("threads.list", 10),
        ("threads.modify", 10),
        ("threads.trash", 20),
        ("history.list", 2),
        ("getProfile", 1),
        ("labels.list", 1),
        ("labels.get", 1),
        ("drafts.list", 5),
        ("drafts.get", 5),
        ("drafts.create", 10),
        ("drafts.update", 15),
        ("drafts.send", 100),
        ("watch", 100),
        ("stop", 50),
        ("settings.sendAs.list", 1),
        ("settings.sendAs.get", 1),
    ],
)
def test_a_method_costs_what_google_says(method: str, units: int) -> None:
    assert OPERATIONS[f"gmail.users.{method}"].units == units


@pytest.mark.parametrize(
    ("status", "name"), [(403, "PERMISSION_DENIED"), (429, "RESOURCE_EXHAUSTED")]
)
async def test_the_refusal_is_worded_as_google_words_it(
    google: Google, mail: Mail, status: int, name: str
) -> None:
    await google.control("PUT", "settings", {"units_per_minute": 1, "quota_status": status})

    refused = await mail.call("GET", "messages")

    assert (refused.status, refused.reason) == (status, "rateLimitExceeded")
    assert refused.json["error"]["status"] == name
    text = refused.json["error"]["message"]
    when = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    assert re.fullmatch(rf"User-rate limit exceeded\.  Retry after {when}", text)
    assert "Retry-After" not in refused.headers


async def test_a_project_has_one_budget_for_all_its_people(google: Google, mail: Mail) -> None:
    await google.control("POST", "people", {"email": BOB})
    bob = await google.mailbox(email=BOB)
    await google.control("PUT", "settings", {"project_units_per_minute": 5})

    allowed = await mail.call("GET", "messages")
    refused = await bob.call("GET", "messages")
    await google.control("PUT", "clock", {"offset_s": 61})
    later = await bob.call("GET", "messages")

    assert (allowed.status, refused.status, later.status) == (200, 403, 200)
    assert refused.json["error"]["message"].startswith("Quota exceeded for quota metric")
    assert refused.reason == "rateLimitExceeded"


async def test_what_was_refused_costs_nothing(google: Google, mail: Mail) -> None:
    await google.control("PUT", "settings", {"project_units_per_minute": 5})
    await mail.get("messages")

    await mail.call("GET", "messages")

    usage = (await google.control("GET", "usage"))["people"][ALICE]
    assert (usage["units"], usage["refused"]) == (5, 1)


async def test_the_size_of_a_long_list_is_an_estimate(google: Google, mail: Mail) -> None:
    await google.arrive(subject="x", count=123)

    first = await mail.get("messages", maxResults=50)
    second = await mail.get("messages", maxResults=50, pageToken=first["nextPageToken"])
    last = await mail.get("messages", maxResults=50, pageToken=second["nextPageToken"])

    sizes = [page["resultSizeEstimate"] for page in (first, second, last)]
    assert sizes == [120, 120, 123]


async def test_an_estimate_can_end_where_google_often_stops(google: Google, mail: Mail) -> None:
    await google.control("PUT", "settings", {"size_estimate_cap": 201})
    await google.arrive(subject="x", count=300)

    assert (await mail.get("messages", maxResults=10))["resultSizeEstimate"] == 201
