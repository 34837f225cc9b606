"""What a Google project needs before people can connect, and how much of it is known here.

Auth holds no administrator's credentials of the project. What it says is *done* it has seen: Google
took our client, people came back from Google. Of everything else it says how to look.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from services.auth.domain.model import Access, Product

CONSOLE: Final = "https://console.cloud.google.com"
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
ACCEPTED: Final = "accepted"
UNREACHABLE: Final = frozenset({"google_unreachable", "unexpected_answer"})
CLIENT_REFUSED: Final = frozenset({"invalid_client", "deleted_client"})
REDIRECT_REFUSED: Final = "redirect_uri_mismatch"
MAX_SKEW_S: Final = 10.0
"""As far as our clock may be from Google's before tokens seem too old or too young."""

COMMAND: Final = "Run `causeway gcp check` with credentials of the project"
APIS: Final[Mapping[str, tuple[str, str]]] = {
    "gmail_api": ("Gmail API", "gmail.googleapis.com"),
    "calendar_api": ("Google Calendar API", "calendar-json.googleapis.com"),
    "people_api": ("People API", "people.googleapis.com"),
    "pubsub_api": ("Cloud Pub/Sub API", "pubsub.googleapis.com"),
}


class StepState(StrEnum):
    """What is known of a step."""

    DONE = "done"
    MISSING = "missing"
    UNKNOWN = "cannot_be_checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What auth has seen that says something of the project."""

    client: str
    """`accepted`, or why Google did not take our client; see `google.Health`."""
    certs: str
    """`ok`, or why Google's keys could not be had."""
    clock_skew_s: float | None
    redirect_uri: str
    last_consent: datetime | None
    """When somebody last connected; None: nobody ever has, as far as is remembered."""
    granted: Collection[tuple[Product, Access]] = ()
    """What people have granted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do at Google or here."""

    step: str
    """A constant."""
    title: str
    description: str
    url: str
    """Where it is done."""
    state: StepState
    how_checked: str
    """What was seen; or how a person sees it."""


def steps(seen: Seen) -> tuple[Step, ...]:
    """Return what there is to do, in the order in which it is done."""
    return (
        _reaching(seen),
        _clock(seen),
        _project(seen),
        *(_api(name) for name in APIS),
        _consent_screen(seen),
        _scopes(seen),
        _client(seen),
        _redirect_uri(seen),
        *_pushes(),
        _calendar_notices(),
    )


def _reaching(seen: Seen) -> Step:
    is_reached = seen.certs == "ok" and seen.client not in UNREACHABLE
    how = f"Google's certificates: {seen.certs}; its token endpoint: {_said(seen.client)}."
    return Step(
        step="reach_google",
        title="Let Causeway reach Google",
        description="Outgoing https to *.googleapis.com and accounts.google.com must be allowed.",
        url="https://developers.google.com/identity/protocols/oauth2/web-server",
        state=StepState.DONE if is_reached else StepState.MISSING,
        how_checked=how,
    )


def _said(client: str) -> str:
    return "out of reach" if client in UNREACHABLE else "it answered"


def _clock(seen: Seen) -> Step:
    skew_s = seen.clock_skew_s
    state, how = StepState.UNKNOWN, "Google did not say what time it is: compare with `date -u`."
    if skew_s is not None:
        state = StepState.DONE if abs(skew_s) <= MAX_SKEW_S else StepState.MISSING
        how = f"Google's clock is {skew_s:+.1f} s from ours; {MAX_SKEW_S:.0f} s are allowed."
    return Step(
        step="clock",
        title="Keep the clock right",
        description="Signed tokens seem too old or too young to a machine whose clock is off.",
        url="https://developers.google.com/time",
        state=state,
        how_checked=how,
    )


def _project(seen: Seen) -> Step:
    is_there = _is_accepted(seen)
    return Step(
        step="project",
        title="Create a project",
        description="Client, APIs and Pub/Sub topic must be of one project: Gmail refuses others.",
        url=f"{CONSOLE}/projectcreate",
        state=StepState.DONE if is_there else StepState.UNKNOWN,
        how_checked="Google takes our OAuth client, which belongs to one."
        if is_there
        else "Open the address and choose the project, or create it.",
    )


def _is_accepted(seen: Seen) -> bool:
    return seen.client in (ACCEPTED, REDIRECT_REFUSED)


def _api(name: str) -> Step:
    title, service = APIS[name]
    return Step(
        step=name,
        title=f"Enable the {title}",
        description=f"The service {service} of the project.",
        url=f"{CONSOLE}/apis/library/{service}",
        state=StepState.UNKNOWN,
        how_checked=f"{COMMAND}, or open the address: the button says Manage, not Enable.",
    )


def _consent_screen(seen: Seen) -> Step:
    look = "Open the address: branding and audience must be filled in."
    state, how = _by_consents(seen, look)
    return Step(
        step="consent_screen",
        title="Configure the OAuth consent screen",
        description="For one company choose the audience Internal: nothing has to be verified, and "
        "grants do not end after seven days as those of an External app in testing do.",
        url=f"{CONSOLE}/auth/overview",
        state=state,
        how_checked=how,
    )


def _by_consents(seen: Seen, otherwise: str) -> tuple[StepState, str]:
    """Return what consents say of a step that none could be given without."""
    if seen.last_consent is None:
        return StepState.UNKNOWN, otherwise
    at = f"{seen.last_consent:%Y-%m-%d %H:%M} UTC"
    how = f"Somebody connected, last on {at}. What was changed since has not been seen."
    return StepState.DONE, how


def _scopes(seen: Seen) -> Step:
    products = {product for product, _ in seen.granted}
    is_all = products >= set(Product)
    names = ", ".join(sorted(products)) or "nothing yet"
    return Step(
        step="scopes",
        title="Name the scopes on the consent screen",
        description="Those of the products you offer, see `required_scopes`. Those of mail are "
        "restricted and the others sensitive: an External app in production is verified for them.",
        url=f"{CONSOLE}/auth/scopes",
        state=StepState.DONE if is_all else StepState.UNKNOWN,
        how_checked=f"People have granted: {names}. Of other products open the address.",
    )


def _client(seen: Seen) -> Step:
    state, how = StepState.UNKNOWN, f"Google could not be asked: {seen.client}."
    if _is_accepted(seen):
        state, how = StepState.DONE, "Google takes GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET."
    elif seen.client in CLIENT_REFUSED:
        state = StepState.MISSING
        how = f"Google does not take GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET: {seen.client}."
    return Step(
        step="oauth_client",
        title="Create an OAuth client",
        description="Of the type Web application. Set GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET, "
        "or GOOGLE_CREDENTIALS_FILE.",
        url=f"{CONSOLE}/auth/clients",
        state=state,
        how_checked=how,
    )


def _redirect_uri(seen: Seen) -> Step:
    parts = urlsplit(seen.redirect_uri)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        how = "CAUSEWAY_PUBLIC_URL is not https, which Google wants of all but this machine."
        state = StepState.MISSING
    elif seen.client == REDIRECT_REFUSED:
        state, how = StepState.MISSING, f"Google says: {REDIRECT_REFUSED}."
    else:
        look = "Open the client: its list must have exactly this address."
        state, how = _by_consents(seen, look)
    return Step(
        step="redirect_uri",
        title="Register the redirect URI",
        description=f"{seen.redirect_uri} (CAUSEWAY_PUBLIC_URL and /v1/oauth/callback).",
        url=f"{CONSOLE}/auth/clients",
        state=state,
        how_checked=how,
    )


def _pushes() -> tuple[Step, ...]:
    """Return the steps by which Gmail tells of mail."""
    return (
        _unseen(
            "pubsub_topic",
            "Create a Pub/Sub topic that Gmail may publish to",
            "In the project of the client. serviceAccount:gmail-api-push@system.gserviceaccount.com"
            " needs roles/pubsub.publisher on it. Set CAUSEWAY_GMAIL_TOPIC.",
            f"{CONSOLE}/cloudpubsub/topic/list",
            "GET /v1/mail/status says of each mailbox whether it is watched.",
        ),
        _unseen(
            "push_service_account",
            "Create a service account that pushes are signed as",
            "It needs no role. Set CAUSEWAY_PUSH_SERVICE_ACCOUNT to its e-mail. Not needed where "
            "notifications are pulled.",
            f"{CONSOLE}/iam-admin/serviceaccounts",
            "causeway_push_tokens_total counts pushes by verdict.",
        ),
        _unseen(
            "push_subscription",
            "Create the push subscription",
            "To <CAUSEWAY_PUBLIC_URL>/webhooks/google/gmail, with authentication as that account "
            "and the audience CAUSEWAY_PUSH_AUDIENCE, never expiring. Or one to pull from, named "
            "in CAUSEWAY_GMAIL_SUBSCRIPTION.",
            f"{CONSOLE}/cloudpubsub/subscription/list",
            "causeway_push_tokens_total counts pushes by verdict.",
        ),
    )


def _unseen(step: str, title: str, description: str, url: str, also: str) -> Step:
    return Step(
        step=step,
        title=title,
        description=description,
        url=url,
        state=StepState.UNKNOWN,
        how_checked=f"{COMMAND}. {also}",
    )


def _calendar_notices() -> Step:
    return Step(
        step="calendar_notices",
        title="Let notices of calendars come in",
        description="By https with a valid certificate, at <CAUSEWAY_PUBLIC_URL>/webhooks/google/"
        "calendar or CAUSEWAY_CALENDAR_WEBHOOK_URL. Google no longer wants the domain to be "
        "verified; should it refuse with push.webhookUrlUnauthorized, verify it.",
        url="https://search.google.com/search-console",
        state=StepState.UNKNOWN,
        how_checked="GET /v1/calendar/status says of each calendar whether it is watched, and why "
        "not. Without notices calendars are polled.",
    )
