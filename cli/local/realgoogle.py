"""The real Google, which a person chooses by giving an OAuth client: what that takes."""

from collections.abc import Mapping
from typing import Final

from cli.local.process import LocalStackError
from cli.settings import StackSettings

PUSH: Final = {
    "CAUSEWAY_GMAIL_TOPIC": "the Pub/Sub topic, projects/<project>/topics/<topic>",
    "CAUSEWAY_PUSH_AUDIENCE": "the audience of the push subscription",
    "CAUSEWAY_PUSH_SERVICE_ACCOUNT": "the e-mail of the account the subscription signs as",
}
PULL: Final = {
    "CAUSEWAY_GMAIL_TOPIC": PUSH["CAUSEWAY_GMAIL_TOPIC"],
    "CAUSEWAY_GMAIL_SUBSCRIPTION": "the subscription to pull from",
}
# The redirect URI registered with Google and the push subscription name them.
PORTS: Final = {"auth": "8081", "mail": "8082", "calendar": "8083", "contacts": "8084"}
# What nobody at Google can own or sign: Gmail refuses the watch, and mailboxes are polled.
NO_PUSH: Final = {
    "CAUSEWAY_GMAIL_TOPIC": "projects/-/topics/none",
    "CAUSEWAY_PUSH_AUDIENCE": "no-push",
    "CAUSEWAY_PUSH_SERVICE_ACCOUNT": "no-push@invalid",
    "CAUSEWAY_MAIL_POLL_INTERVAL": "60",
}
# Google sends notices of calendars to https alone; without, they are polled.
NO_NOTICES: Final = {"CAUSEWAY_CALENDAR_POLL_INTERVAL": "60"}
NOTICE_ADDRESSES: Final = ("CAUSEWAY_CALENDAR_WEBHOOK_URL", "CAUSEWAY_PUBLIC_URL")


def check(settings: StackSettings) -> None:
    """Return if the real Google is not asked for, or nothing it needs is missing.

    Raises:
        LocalStackError: something is; a line for each setting.
    """
    if settings.uses_real_google() and (lines := _missing(settings.environment())):
        wanted = "".join(f"\n  {line}" for line in lines)
        raise LocalStackError(f"for the real Google these settings are missing:{wanted}")


def own(given: Mapping[str, str]) -> dict[str, str]:
    """Return what the stack adds for the services: nothing but, without push, how they do."""
    mail = {} if any(name in given for name in {*PUSH, *PULL}) else NO_PUSH
    address = next((given[name] for name in NOTICE_ADDRESSES if name in given), "")
    return {**mail, **({} if address.startswith("https://") else NO_NOTICES)}


def _missing(given: Mapping[str, str]) -> list[str]:
    lines = []
    if "GOOGLE_CREDENTIALS_FILE" not in given and "GOOGLE_CLIENT_SECRET" not in given:
        lines.append(
            "GOOGLE_CLIENT_SECRET: the secret of the OAuth client; or GOOGLE_CREDENTIALS_FILE: "
            "the JSON file Google offers for download"
        )
    wanted = PULL if "CAUSEWAY_GMAIL_SUBSCRIPTION" in given else PUSH
    if any(name in given for name in wanted):  # none of them: no push, mailboxes are polled
        lines += [f"{name}: {what}" for name, what in wanted.items() if name not in given]
    return lines
