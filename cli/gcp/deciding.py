"""What is there held against what is wanted: a row for each item, and the calls that mend it.

Nothing here deletes, and nothing takes a grant away.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from cli.gcp.wanted import APIS, PUBLISHER, Wanted

Json = dict[str, Any]
State = Literal["ok", "missing", "different", "unknown"]

PUBLISH: Final = "roles/pubsub.publisher"
SUBSCRIBE: Final = "roles/pubsub.subscriber"
SELF: Final = "serviceusage.googleapis.com"
PUBSUB: Final = "pubsub.googleapis.com"
_TOPICS: Final = "pubsub.projects.topics"
_SUBSCRIPTIONS: Final = "pubsub.projects.subscriptions"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Google did not say: `why` it did not."""

    why: str


@dataclass(frozen=True, slots=True)
class Found:
    """What the project has.

    Attributes:
        number: the project's; None: not known.
        apis: whether each is enabled, by name.
        resources: topics and subscriptions by name; None: there is none.
        policies: their access policies, by the same names.
    """

    number: str | None
    apis: Mapping[str, bool] | Unreadable
    resources: Mapping[str, Json | Unreadable | None]
    policies: Mapping[str, Json | Unreadable]


@dataclass(frozen=True, slots=True)
class Step:
    """One call: the method's id in Google's discovery document, and its parameters."""

    method: str
    parameters: Json


@dataclass(frozen=True, slots=True)
class Item:
    """One thing a project needs: how it is, what a person can do, and the calls that do it."""

    name: str
    state: State
    detail: str = ""
    remedy: str = ""
    steps: tuple[Step, ...] = field(default=())


def items(wanted: Wanted, found: Found) -> list[Item]:
    """Return every item, in the order in which they are mended."""
    return [
        *_apis(wanted, found),
        _topic(wanted.topic, "topic", found),
        _grant("Gmail may publish", wanted.topic, PUBLISH, PUBLISHER, found),
        _topic(wanted.dead_topic, "dead-letter topic", found),
        _dead_subscription(wanted, found),
        *_subscription(wanted, found),
        *_agent_grants(wanted, found),
    ]


def _apis(wanted: Wanted, found: Found) -> Iterator[Item]:
    if isinstance(found.apis, Unreadable):
        yield Item(
            "API serviceusage.googleapis.com",
            "unknown",
            found.apis.why,
            f"gcloud services enable {SELF}; then run this again",
        )
        return
    for api in APIS:
        if found.apis.get(api):
            yield Item(f"API {api}", "ok")
        else:
            body = {"serviceIds": [api]}
            parameters = {"parent": wanted.project, "body": body}
            step = Step("serviceusage.services.batchEnable", parameters)
            yield Item(f"API {api}", "missing", "not enabled", _apply(f"enables {api}"), (step,))


def _topic(name: str, what: str, found: Found) -> Item:
    step = Step(f"{_TOPICS}.create", {"name": name, "body": {}})
    return _present(f"{what} {name}", name, found, step)


def _dead_subscription(wanted: Wanted, found: Found) -> Item:
    name = wanted.dead_subscription
    body = {"topic": wanted.dead_topic, "expirationPolicy": {}}
    step = Step(f"{_SUBSCRIPTIONS}.create", {"name": name, "body": body})
    there = found.resources.get(name)
    item = f"dead-letter subscription {name}"
    if isinstance(there, dict) and there.get("topic") != wanted.dead_topic:
        return _of_another_topic(item, there, wanted.dead_topic)
    return _present(item, name, found, step)


def _present(item: str, name: str, found: Found, step: Step) -> Item:
    there = found.resources.get(name)
    if isinstance(there, Unreadable):
        return _unreadable(item, there, found)
    if there is None:
        return Item(item, "missing", "", _apply("creates it"), (step,))
    return Item(item, "ok")


def _unreadable(item: str, there: Unreadable, found: Found) -> Item:
    apis = found.apis
    is_off = not isinstance(apis, Unreadable) and not apis.get(PUBSUB)
    remedy = f"seen once {PUBSUB} is enabled" if is_off else "it takes roles/pubsub.admin"
    return Item(item, "unknown", there.why, remedy)


def _subscription(wanted: Wanted, found: Found) -> Iterator[Item]:
    name = wanted.subscription
    item = f"subscription {name}"
    there = found.resources.get(name)
    body = {"topic": wanted.topic, **wanted.settings}
    if not isinstance(there, dict):
        step = Step(f"{_SUBSCRIPTIONS}.create", {"name": name, "body": body})
        yield _present(item, name, found, step)
        return
    if there.get("topic") != wanted.topic:
        yield _of_another_topic(item, there, wanted.topic)
        return
    yield Item(item, "ok")
    for setting, value in wanted.settings.items():
        yield _setting(name, setting, there.get(setting), value)
    if there.get("filter"):
        yield Item(
            f"{name} filter",
            "different",
            "it has a filter, which cannot be changed",
            "delete the subscription yourself, or choose another with --subscription",
        )


def _of_another_topic(item: str, there: Json, topic: str) -> Item:
    return Item(
        item,
        "different",
        f"belongs to {there.get('topic')}, not to {topic}; that cannot be changed",
        "delete it yourself, or choose another with --subscription",
    )


def _setting(name: str, setting: str, is_now: Any, value: Any) -> Item:
    item = f"{name} {setting}"
    if _SAME.get(setting, _equal)(is_now, value):
        return Item(item, "ok")
    body = {"subscription": {"name": name, setting: value}, "updateMask": setting}
    step = Step(f"{_SUBSCRIPTIONS}.patch", {"name": name, "body": body})
    state: State = "different" if is_now else "missing"
    return Item(item, state, f"is {_said(is_now)}", _apply(f"makes it {_said(value)}"), (step,))


def _equal(is_now: Any, value: Any) -> bool:
    return bool(is_now == value)


def _same_push(is_now: Any, value: Any) -> bool:
    """Tell whether pushes go to the same place, with the same token, in the same form."""
    now = is_now or {}
    if now.get("noWrapper") is not None:
        return False
    kept = {name: now[name] for name in ("pushEndpoint", "oidcToken") if now.get(name)}
    return bool(kept == value)


def _never(is_now: Any, _value: Any) -> bool:
    """Tell whether it never expires: there is a policy, without a time to live."""
    return isinstance(is_now, dict) and not is_now.get("ttl")


def _same_retries(is_now: Any, value: Any) -> bool:
    return is_now is not None and _backoffs(is_now) == _backoffs(value)


def _backoffs(policy: Json) -> list[float]:
    texts = [str(policy.get(name, "0s")) for name in ("minimumBackoff", "maximumBackoff")]
    return [float(text.removesuffix("s")) for text in texts]


_SAME: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "pushConfig": _same_push,
    "expirationPolicy": _never,
    "retryPolicy": _same_retries,
}


def _agent_grants(wanted: Wanted, found: Found) -> Iterator[Item]:
    """What Pub/Sub's own agent needs to move a message to the dead letters."""
    if found.number is None:
        yield Item(
            "grants of Pub/Sub's service agent",
            "unknown",
            "the project's number is not known",
            "see the first rows; then run this again",
        )
        return
    agent = f"serviceAccount:service-{found.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
    grants = (
        ("Pub/Sub may write dead letters", wanted.dead_topic, PUBLISH),
        ("Pub/Sub may move messages", wanted.subscription, SUBSCRIBE),
    )
    for what, resource, role in grants:
        yield _grant(what, resource, role, agent, found)


def _grant(what: str, resource: str, role: str, member: str, found: Found) -> Item:
    item = f"{what} ({role} on {resource})"
    policy = found.policies.get(resource, {})
    if isinstance(found.resources.get(resource), Unreadable):
        return Item(item, "unknown", "the resource cannot be seen", "see its own row")
    if isinstance(policy, Unreadable):
        return _unreadable(item, policy, found)
    if _holds(policy, role, member):
        return Item(item, "ok")
    body = {"policy": _with(policy, role, member)}
    step = Step(_set_policy(resource), {"resource": resource, "body": body})
    who = member.partition(":")[2]
    return Item(item, "missing", f"{who} has no such role", _apply("grants it"), (step,))


def _holds(policy: Json, role: str, member: str) -> bool:
    return any(
        one.get("role") == role and member in one.get("members", ()) and not one.get("condition")
        for one in policy.get("bindings", ())
    )


def _with(policy: Json, role: str, member: str) -> Json:
    """Return the policy with one member more; all else, its etag too, is kept."""
    bindings = [dict(one) for one in policy.get("bindings", ())]
    for one in bindings:
        if one.get("role") == role and not one.get("condition"):
            one["members"] = [*one.get("members", ()), member]
            break
    else:
        bindings.append({"role": role, "members": [member]})
    return {**policy, "bindings": bindings}


def _set_policy(resource: str) -> str:
    return f"{_TOPICS if '/topics/' in resource else _SUBSCRIPTIONS}.setIamPolicy"


def _apply(does: str) -> str:
    return f"`causeway gcp setup --apply` {does}"


def _said(value: Any) -> str:
    if value in (None, {}):
        return "empty"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_said(inner)}" for name, inner in value.items())
    return str(value)
