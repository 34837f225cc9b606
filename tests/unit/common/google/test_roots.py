from dataclasses import dataclass, fields

import pytest

from libs.common.google.roots import GoogleRoots


@dataclass(frozen=True)
class Settings:
    google_origin: str | None = None
    google_accounts_root: str | None = None
    google_oauth2_root: str | None = None
    google_gmail_root: str | None = None
    google_calendar_root: str | None = None
    google_people_root: str | None = None
    google_certs_root: str | None = None
    google_pubsub_root: str | None = None


def test_without_settings_google_is_where_google_is() -> None:
    roots = GoogleRoots.from_settings(Settings())

    assert roots.authorize_url == "https://accounts.google.com/o/oauth2/v2/auth"
    assert roots.token_url == "https://oauth2.googleapis.com/token"
    assert roots.revoke_url == "https://oauth2.googleapis.com/revoke"
    assert roots.certs_url == "https://www.googleapis.com/oauth2/v1/certs"


def test_an_origin_moves_every_api() -> None:
    roots = GoogleRoots.from_settings(Settings(google_origin="http://127.0.0.1:9000/"))

    assert {getattr(roots, f.name) for f in fields(roots)} == {"http://127.0.0.1:9000"}


def test_an_override_moves_one_api() -> None:
    settings = Settings(google_origin="http://a.test", google_gmail_root="http://b.test/gm/")

    roots = GoogleRoots.from_settings(settings)

    assert (roots.gmail, roots.oauth2) == ("http://b.test/gm", "http://a.test")


@pytest.mark.parametrize("value", ["gmail.test", "ftp://gmail.test", "http://", "http://a.test?x"])
def test_a_root_that_is_no_url_is_refused_by_name(value: str) -> None:
    with pytest.raises(ValueError, match="google_gmail_root"):
        GoogleRoots.from_settings(Settings(google_gmail_root=value))
