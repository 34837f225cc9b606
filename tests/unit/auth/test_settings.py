import base64
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.auth.settings import AuthSettings

KEY = base64.b64encode(b"k" * 32).decode()
GOOD: dict[str, Any] = {
    "database_url": "postgresql://a:b@localhost/auth",
    "amqp_url": "amqp://a:b@localhost/",
    "public_url": "https://causeway.test",
    "google_client_id": "id",
    "google_client_secret": "secret",
    "service_key": "s" * 32,
    "caller_key": "c" * 32,
    "caller_issuer": "crm",
    "caller_audience": "causeway",
    "sealing_keys": f"one:{KEY}",
    "return_urls": "https://crm.test/app, http://localhost:3000/",
}


def test_good_settings_are_taken() -> None:
    settings = AuthSettings(**GOOD)

    assert settings.keys == [("one", b"k" * 32)]
    assert settings.return_urls == ("https://crm.test/app", "http://localhost:3000")
    assert settings.redirect_uri == "https://causeway.test/v1/oauth/callback"
    assert settings.is_secure


def test_https_is_https_however_it_is_written() -> None:
    assert AuthSettings(**{**GOOD, "public_url": "HTTPS://causeway.test"}).is_secure


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sealing_keys", ""),
        ("sealing_keys", KEY),
        ("sealing_keys", "one:short"),
        ("sealing_keys", f"one:{KEY},one:{KEY}"),
        ("return_urls", ""),
        ("return_urls", "crm.test"),
        ("return_urls", "https://me@crm.test/"),
        ("google_client_id", ""),
        ("google_client_secret", ""),
    ],
)
def test_a_wrong_setting_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValidationError):
        AuthSettings(**{**GOOD, name: value})


def test_the_client_may_come_from_googles_file(tmp_path: Path) -> None:
    file = tmp_path / "client_secret.json"
    file.write_text(json.dumps({"web": {"client_id": "from-file", "client_secret": "hush"}}))
    given = {k: v for k, v in GOOD.items() if not k.startswith("google_client")}

    settings = AuthSettings(**given, google_credentials_file=file)

    assert settings.google_client_id == "from-file"
    assert settings.google_client_secret.get_secret_value() == "hush"


@pytest.mark.parametrize("content", ["", "[]", '{"installed": {}}', '{"web": {"client_id": 1}}'])
def test_another_kind_of_file_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "client_secret.json"
    file.write_text(content)
    given = {k: v for k, v in GOOD.items() if not k.startswith("google_client")}

    with pytest.raises(ValidationError, match="GOOGLE_CREDENTIALS_FILE"):
        AuthSettings(**given, google_credentials_file=file)
