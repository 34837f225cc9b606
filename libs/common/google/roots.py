"""Where Google is: one base URL per API, so that another server can stand in."""

from dataclasses import dataclass
from typing import Protocol, Self
from urllib.parse import urlsplit


class RootSettings(Protocol):
    """The settings that move Google elsewhere; None leaves an API where it really is."""

    @property
    def google_origin(self) -> object | None: ...  # noqa: D102 - named by its setting
    @property
    def google_accounts_root(self) -> object | None: ...  # noqa: D102 - named by its setting
    @property
    def google_oauth2_root(self) -> object | None: ...  # noqa: D102 - named by its setting
    @property
    def google_gmail_root(self) -> object | None: ...  # noqa: D102 - named by its setting
    @property
    def google_calendar_root(self) -> object | None: ...  # noqa: D102 - named by its setting
    @property
    def google_people_root(self) -> object | None: ...  # noqa: D102 - named by its setting
    @property
    def google_certs_root(self) -> object | None: ...  # noqa: D102 - named by its setting
    @property
    def google_pubsub_root(self) -> object | None: ...  # noqa: D102 - named by its setting


@dataclass(frozen=True, slots=True, kw_only=True)
class GoogleRoots:
    """Absolute base URLs, without a trailing slash."""

    accounts: str = "https://accounts.google.com"
    oauth2: str = "https://oauth2.googleapis.com"
    gmail: str = "https://gmail.googleapis.com"
    calendar: str = "https://www.googleapis.com"
    people: str = "https://people.googleapis.com"
    certs: str = "https://www.googleapis.com"
    pubsub: str = "https://pubsub.googleapis.com"

    @classmethod
    def at(cls, origin: str) -> Self:
        """Return roots that all point at `origin`, a server that plays every API.

        Raises:
            ValueError: `origin` is not an absolute http(s) URL.
        """
        root = _base_url(origin, setting="origin")
        return cls(
            accounts=root,
            oauth2=root,
            gmail=root,
            calendar=root,
            people=root,
            certs=root,
            pubsub=root,
        )

    @classmethod
    def from_settings(cls, settings: RootSettings) -> Self:
        """Return Google's own addresses, moved by the origin, each overridden by its own setting.

        Raises:
            ValueError: a setting is not an absolute http(s) URL; the message names it.
        """
        origin = settings.google_origin
        base = cls.at(str(origin)) if origin else cls()

        def root(name: str, override: object | None) -> str:
            chosen = override or getattr(base, name)
            return _base_url(str(chosen), setting=f"google_{name}_root")

        return cls(
            accounts=root("accounts", settings.google_accounts_root),
            oauth2=root("oauth2", settings.google_oauth2_root),
            gmail=root("gmail", settings.google_gmail_root),
            calendar=root("calendar", settings.google_calendar_root),
            people=root("people", settings.google_people_root),
            certs=root("certs", settings.google_certs_root),
            pubsub=root("pubsub", settings.google_pubsub_root),
        )

    @property
    def authorize_url(self) -> str:
        """Where a person's browser is sent to give consent."""
        return f"{self.accounts}/o/oauth2/v2/auth"

    @property
    def token_url(self) -> str:
        """Where codes and refresh tokens become access tokens."""
        return f"{self.oauth2}/token"

    @property
    def revoke_url(self) -> str:
        """Where a grant ends."""
        return f"{self.oauth2}/revoke"

    @property
    def certs_url(self) -> str:
        """Where the keys that sign Google's identity tokens are published (PEM by key id)."""
        return f"{self.certs}/oauth2/v1/certs"

    @property
    def jwks_url(self) -> str:
        """Where the same keys are published as a JWK set."""
        return f"{self.certs}/oauth2/v3/certs"


def _base_url(value: str, *, setting: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{setting}: not an absolute http(s) URL without query")
    return value.rstrip("/")
