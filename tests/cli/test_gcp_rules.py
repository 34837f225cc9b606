"""What a project needs, and the calls that mend it: tables of facts and decisions."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from cli.gcp.deciding import Found, Item, Unreadable, items
from cli.gcp.wanted import APIS, PUBLISHER, Options, Push, Wanted, from_options
from cli.local.process import LocalStackError

Json = dict[str, Any]

TOPIC = "projects/p/topics/gmail"
SUBSCRIPTION = "projects/p/subscriptions/causeway-mail"
PUSH = Push("https://mail.test/webhooks/google/gmail", "the-audience", "push@p.test")
PUSHED = Wanted(TOPIC, SUBSCRIPTION, PUSH)
PULLED = replace(PUSHED, push=None)
AGENT = "serviceAccount:service-7@gcp-sa-pubsub.iam.gserviceaccount.com"
NOTHING = Found("7", dict.fromkeys(APIS, False), {}, {})


def policy(role: str, *members: str, **more: Any) -> Json:
    return {"etag": "e", "version": 1, "bindings": [{"role": role, "members": members, **more}]}


def complete(wanted: Wanted) -> Found:
    """Return a project that has everything, with what Google adds of its own."""
    subscription = {
        "name": wanted.subscription,
        "topic": wanted.topic,
        "state": "ACTIVE",
        "messageRetentionDuration": "604800s",
        **wanted.settings,
    }
    return Found(
        "7",
        dict.fromkeys(APIS, True),
        {
            wanted.topic: {"name": wanted.topic},
            wanted.dead_topic: {"name": wanted.dead_topic},
            wanted.dead_subscription: {"topic": wanted.dead_topic},
            wanted.subscription: subscription,
        },
        {
            wanted.topic: policy("roles/pubsub.publisher", PUBLISHER),
            wanted.dead_topic: policy("roles/pubsub.publisher", AGENT),
            wanted.subscription: policy("roles/pubsub.subscriber", AGENT),
        },
    )


def with_setting(found: Found, name: str, value: Any) -> Found:
    there = found.resources[SUBSCRIPTION]
    assert isinstance(there, dict)
    kept = {key: one for key, one in there.items() if key != name}
    changed = kept if value is None else {**kept, name: value}
    return replace(found, resources={**found.resources, SUBSCRIPTION: changed})


def faulty(wanted: Wanted, found: Found) -> list[Item]:
    return [one for one in items(wanted, found) if one.state != "ok"]


@pytest.mark.parametrize("wanted", [PUSHED, PULLED])
def test_a_complete_project_needs_nothing(wanted: Wanted) -> None:
    assert faulty(wanted, complete(wanted)) == []


@pytest.mark.parametrize("wanted", [PUSHED, PULLED])
def test_an_empty_project_gets_everything_in_an_order_that_works(wanted: Wanted) -> None:
    found = items(wanted, NOTHING)
    methods = [step.method for one in found for step in one.steps]

    assert {one.state for one in found} == {"missing"}
    assert methods == [
        *["serviceusage.services.batchEnable"] * len(APIS),
        "pubsub.projects.topics.create",
        "pubsub.projects.topics.setIamPolicy",
        "pubsub.projects.topics.create",
        "pubsub.projects.subscriptions.create",
        "pubsub.projects.subscriptions.create",
        "pubsub.projects.topics.setIamPolicy",
        "pubsub.projects.subscriptions.setIamPolicy",
    ]
    (made,) = [
        s.parameters for one in found for s in one.steps if s.parameters.get("name") == SUBSCRIPTION
    ]
    assert made["body"] == {"topic": TOPIC, **wanted.settings}


@pytest.mark.parametrize(
    ("setting", "value", "state"),
    [
        ("ackDeadlineSeconds", 10, "different"),
        ("expirationPolicy", {"ttl": "2678400s"}, "different"),
        ("expirationPolicy", None, "missing"),
        ("retryPolicy", None, "missing"),
        ("retryPolicy", {"minimumBackoff": "10s", "maximumBackoff": "600s"}, "different"),
        ("deadLetterPolicy", None, "missing"),
        ("deadLetterPolicy", {"deadLetterTopic": TOPIC, "maxDeliveryAttempts": 5}, "different"),
        ("pushConfig", {}, "missing"),
        ("pushConfig", {**PUSH.config, "pushEndpoint": "https://else.test"}, "different"),
        ("pushConfig", {**PUSH.config, "noWrapper": {}}, "different"),
        ("pushConfig", {"pushEndpoint": PUSH.endpoint}, "different"),
    ],
)
def test_a_setting_that_differs_is_named_and_patched_alone(
    setting: str, value: Any, state: str
) -> None:
    (item,) = faulty(PUSHED, with_setting(complete(PUSHED), setting, value))

    assert (item.name, item.state) == (f"{SUBSCRIPTION} {setting}", state)
    (step,) = item.steps
    assert step.method == "pubsub.projects.subscriptions.patch"
    body = step.parameters["body"]
    assert body["updateMask"] == setting
    assert body["subscription"] == {"name": SUBSCRIPTION, setting: PUSHED.settings[setting]}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("retryPolicy", {"minimumBackoff": "1.0s", "maximumBackoff": "60.000s"}),
        ("pushConfig", {**PUSH.config, "attributes": {"x-goog-version": "v1"}}),
    ],
)
def test_what_google_only_says_differently_is_no_difference(setting: str, value: Any) -> None:
    assert faulty(PUSHED, with_setting(complete(PUSHED), setting, value)) == []


def test_a_pushed_subscription_becomes_one_to_pull_from() -> None:
    (item,) = faulty(PULLED, with_setting(complete(PULLED), "pushConfig", PUSH.config))

    assert item.steps[0].parameters["body"]["subscription"]["pushConfig"] == {}


@pytest.mark.parametrize(("setting", "value"), [("topic", "projects/p/topics/x"), ("filter", "a")])
def test_what_cannot_be_changed_is_left_to_a_person(setting: str, value: str) -> None:
    (item,) = faulty(PUSHED, with_setting(complete(PUSHED), setting, value))

    assert (item.state, item.steps) == ("different", ())
    assert "yourself" in item.remedy


@pytest.mark.parametrize(
    ("resource", "role", "member"),
    [
        (TOPIC, "roles/pubsub.publisher", PUBLISHER),
        (PUSHED.dead_topic, "roles/pubsub.publisher", AGENT),
        (SUBSCRIPTION, "roles/pubsub.subscriber", AGENT),
    ],
)
@pytest.mark.parametrize("more", [{}, {"condition": {"expression": "false"}}])
def test_a_missing_grant_is_added_to_what_was_granted(
    resource: str, role: str, member: str, more: Mapping[str, Any]
) -> None:
    others = policy(role, "user:ada@p.test" if not more else member, **more)
    found = complete(PUSHED)
    (item,) = faulty(PUSHED, replace(found, policies={**found.policies, resource: others}))

    (step,) = item.steps
    new = step.parameters["body"]["policy"]
    assert new["etag"] == "e"
    plain = [one for one in new["bindings"] if not one.get("condition")]
    assert member in plain[0]["members"]
    kept = [name for one in new["bindings"] for name in one["members"]]
    assert set(others["bindings"][0]["members"]) <= set(kept)


def test_while_pubsub_is_off_it_is_enabled_and_the_rest_is_unknown() -> None:
    off = Unreadable("403: not enabled")
    found = Found(
        "7",
        {**dict.fromkeys(APIS, True), "pubsub.googleapis.com": False},
        dict.fromkeys((TOPIC, SUBSCRIPTION, PUSHED.dead_topic, PUSHED.dead_subscription), off),
        {},
    )
    first, *rest = faulty(PUSHED, found)

    assert (first.name, first.state) == ("API pubsub.googleapis.com", "missing")
    assert {one.state for one in rest} == {"unknown"}
    assert not any(one.steps for one in rest)


def test_without_the_service_usage_api_a_person_has_to_begin() -> None:
    found = replace(complete(PUSHED), apis=Unreadable("403"), number=None)
    first, last = faulty(PUSHED, found)

    assert "gcloud services enable serviceusage" in first.remedy
    assert (first.state, last.state) == ("unknown", "unknown")


GIVEN = {
    "CAUSEWAY_GMAIL_TOPIC": TOPIC,
    "CAUSEWAY_PUBLIC_URL": "https://mail.test/",
    "CAUSEWAY_PUSH_SERVICE_ACCOUNT": "push@p.test",
}


@pytest.mark.parametrize(
    ("options", "environment", "wanted"),
    [
        (Options(audience="the-audience"), GIVEN, PUSHED),
        (Options(pull=True), GIVEN, PULLED),
        (Options(), {**GIVEN, "CAUSEWAY_GMAIL_SUBSCRIPTION": SUBSCRIPTION}, PULLED),
        (
            Options(endpoint=PUSH.endpoint, audience="the-audience"),
            {**GIVEN, "CAUSEWAY_GMAIL_SUBSCRIPTION": "projects/p/subscriptions/pulled"},
            PUSHED,
        ),
        (
            Options(topic=TOPIC, pull=True, subscription=f"{SUBSCRIPTION}-2", ack_deadline_s=60),
            {},
            replace(PULLED, subscription=f"{SUBSCRIPTION}-2", ack_deadline_s=60),
        ),
    ],
)
def test_options_win_over_the_environment(
    options: Options, environment: dict[str, str], wanted: Wanted
) -> None:
    assert from_options(options, environment) == wanted


def test_everything_that_is_missing_is_asked_for_at_once() -> None:
    with pytest.raises(LocalStackError) as raised:
        from_options(Options(), {})

    lines = str(raised.value).splitlines()[1:]
    assert [line.split()[0] for line in lines] == [
        "--topic",
        "--push-endpoint",
        "--push-service-account",
    ]
