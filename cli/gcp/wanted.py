"""What the project should have, from options and settings."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cli.local.process import LocalStackError

Json = dict[str, Any]

APIS: Final = (
    "serviceusage.googleapis.com",
    "pubsub.googleapis.com",
    "gmail.googleapis.com",
    "calendar-json.googleapis.com",
    "people.googleapis.com",
)
PUBLISHER: Final = "serviceAccount:gmail-api-push@system.gserviceaccount.com"
PUSH_PATH: Final = "/webhooks/google/gmail"
NAME: Final = "causeway-mail"
_TOPIC: Final = re.compile(r"projects/[^/\s]+/topics/[^/\s]+")
_SUBSCRIPTION: Final = re.compile(r"projects/[^/\s]+/subscriptions/[^/\s]+")


@dataclass(frozen=True, slots=True)
class Push:
    """Where notifications are pushed, and what their tokens say."""

    endpoint: str
    audience: str
    service_account: str

    @property
    def config(self) -> Json:
        """Return it as the API has it."""
        token = {"serviceAccountEmail": self.service_account, "audience": self.audience}
        return {"pushEndpoint": self.endpoint, "oidcToken": token}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A project that is ready; `push` is None where notifications are pulled."""

    topic: str
    subscription: str
    push: Push | None
    ack_deadline_s: int = 30
    first_retry_s: int = 1
    longest_retry_s: int = 60
    most_attempts: int = 100

    @property
    def project(self) -> str:
        """Return `projects/<project>`."""
        return self.topic.partition("/topics/")[0]

    @property
    def dead_topic(self) -> str:
        """Return the topic of what could not be delivered."""
        return f"{self.topic}-dead"

    @property
    def dead_subscription(self) -> str:
        """Return the subscription that keeps it: a topic alone keeps nothing."""
        return self.dead_topic.replace("/topics/", "/subscriptions/")

    @property
    def settings(self) -> Json:
        """Return the subscription's settings, as the API has them."""
        return {
            "pushConfig": self.push.config if self.push else {},
            "ackDeadlineSeconds": self.ack_deadline_s,
            "expirationPolicy": {},  # without a ttl: never
            "retryPolicy": {
                "minimumBackoff": f"{self.first_retry_s}s",
                "maximumBackoff": f"{self.longest_retry_s}s",
            },
            "deadLetterPolicy": {
                "deadLetterTopic": self.dead_topic,
                "maxDeliveryAttempts": self.most_attempts,
            },
        }

    def environment(self) -> dict[str, str]:
        """Return the settings that the services need for this."""
        named = {"CAUSEWAY_GMAIL_TOPIC": self.topic}
        if self.push is None:
            return {**named, "CAUSEWAY_GMAIL_SUBSCRIPTION": self.subscription}
        return {
            **named,
            "CAUSEWAY_PUSH_AUDIENCE": self.push.audience,
            "CAUSEWAY_PUSH_SERVICE_ACCOUNT": self.push.service_account,
        }


@dataclass(frozen=True, slots=True)
class Options:
    """What a person said on the command line; None: the environment says it, or nobody."""

    topic: str | None = None
    subscription: str | None = None
    pull: bool = False
    endpoint: str | None = None
    audience: str | None = None
    service_account: str | None = None
    ack_deadline_s: int = 30


def from_options(given: Options, environment: Mapping[str, str]) -> Wanted:
    """Return what is wanted.

    It is pulled when that was said, or when the environment names a subscription to pull from and
    nobody named an endpoint.

    Raises:
        LocalStackError: something is missing or unusable; a line for each.
    """
    pulled = environment.get("CAUSEWAY_GMAIL_SUBSCRIPTION")
    topic = given.topic or environment.get("CAUSEWAY_GMAIL_TOPIC") or ""
    wrong = []
    if not _TOPIC.fullmatch(topic):
        wrong.append("--topic (or CAUSEWAY_GMAIL_TOPIC): projects/<project>/topics/<topic>")
    is_pulled = given.pull or (pulled is not None and given.endpoint is None)
    project = topic.partition("/topics/")[0]
    subscription = given.subscription or (pulled if is_pulled else None)
    subscription = subscription or f"{project}/subscriptions/{NAME}"
    if not wrong and not _SUBSCRIPTION.fullmatch(subscription):
        wrong.append("--subscription: projects/<project>/subscriptions/<subscription>")
    push = None if is_pulled else _push(given, environment, wrong)
    if wrong:
        raise LocalStackError("these are missing or wrong:" + "".join(f"\n  {w}" for w in wrong))
    return Wanted(topic, subscription, push, given.ack_deadline_s)


def _push(given: Options, environment: Mapping[str, str], wrong: list[str]) -> Push:
    public = environment.get("CAUSEWAY_PUBLIC_URL")
    endpoint = given.endpoint or (public.rstrip("/") + PUSH_PATH if public else "")
    if not endpoint.startswith(("https://", "http://")):
        wrong.append(
            "--push-endpoint (or CAUSEWAY_PUBLIC_URL): where Google reaches the mail service; "
            "or --pull"
        )
    account = given.service_account or environment.get("CAUSEWAY_PUSH_SERVICE_ACCOUNT") or ""
    if "@" not in account:
        wrong.append(
            "--push-service-account (or CAUSEWAY_PUSH_SERVICE_ACCOUNT): the e-mail of a service "
            "account of the project"
        )
    audience = given.audience or environment.get("CAUSEWAY_PUSH_AUDIENCE") or endpoint
    return Push(endpoint, audience, account)
