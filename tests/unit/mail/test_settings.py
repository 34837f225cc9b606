import base64
from typing import Any

import pytest

from libs.common.settings import load_settings
from services.mail.settings import MailSettings
from tests.support import CALLER_KEY, SERVICE_KEY

GIVEN = {
    "CAUSEWAY_AMQP_URL": "amqp://broker/",
    "CAUSEWAY_PUBLIC_URL": "https://causeway.test",
    "CAUSEWAY_SERVICE_KEY": SERVICE_KEY,
    "CAUSEWAY_CALLER_KEY": CALLER_KEY,
    "CAUSEWAY_CALLER_ISSUER": "crm",
    "CAUSEWAY_CALLER_AUDIENCE": "causeway",
    "CAUSEWAY_MAIL_DATABASE_URL": "postgresql://db/mail",
    "CAUSEWAY_PUSH_AUDIENCE": "https://causeway.test/push",
    "CAUSEWAY_PUSH_SERVICE_ACCOUNT": "pusher@p.iam.gserviceaccount.com",
    "CAUSEWAY_GMAIL_TOPIC": "projects/p/topics/gmail",
    "CAUSEWAY_MAIL_HASH_KEY": base64.b64encode(b"k" * 32).decode(),
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_settings_come_from_the_environment(environment: Any) -> None:
    del environment
    settings = load_settings(MailSettings)
    assert settings.port == 8082
    assert settings.policy == "known"
    assert settings.hash_key_bytes == b"k" * 32


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CAUSEWAY_MAIL_DATABASE_URL", ""),
        ("CAUSEWAY_PUSH_AUDIENCE", ""),
        ("CAUSEWAY_PUSH_SERVICE_ACCOUNT", ""),
        ("CAUSEWAY_GMAIL_TOPIC", "gmail"),
        ("CAUSEWAY_MAIL_HASH_KEY", "not base64!"),
        ("CAUSEWAY_MAIL_HASH_KEY", "c2hvcnQ="),
        ("CAUSEWAY_MAIL_POLICY", "everything"),
        ("CAUSEWAY_MAIL_POLL_INTERVAL", "-17.5"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_a_line_that_names_it(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    environment.setenv(name, value)
    with pytest.raises(SystemExit) as exc:
        load_settings(MailSettings)
    assert exc.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{name}: ")
    assert not value or value not in line


def test_without_a_hash_key_one_is_derived_from_the_service_key(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.delenv("CAUSEWAY_MAIL_HASH_KEY")
    first = load_settings(MailSettings).hash_key_bytes
    environment.setenv("CAUSEWAY_SERVICE_KEY", SERVICE_KEY + "-other")

    assert len(first) == 32
    assert load_settings(MailSettings).hash_key_bytes != first


PULLS = {"CAUSEWAY_GMAIL_SUBSCRIPTION": "projects/p/subscriptions/gmail"}


def test_a_service_that_pulls_needs_no_push_settings(environment: pytest.MonkeyPatch) -> None:
    environment.setenv(*next(iter(PULLS.items())))
    environment.delenv("CAUSEWAY_PUSH_AUDIENCE")
    environment.delenv("CAUSEWAY_PUSH_SERVICE_ACCOUNT")

    settings = load_settings(MailSettings)

    assert settings.gmail_subscription == "projects/p/subscriptions/gmail"
    assert settings.push_audience is None


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"CAUSEWAY_GMAIL_SUBSCRIPTION": "gmail"}, ["CAUSEWAY_GMAIL_SUBSCRIPTION"]),
        ({**PULLS, "CAUSEWAY_PUSH_AUDIENCE": ""}, ["CAUSEWAY_PUSH_SERVICE_ACCOUNT"]),
        ({**PULLS, "CAUSEWAY_PUSH_SERVICE_ACCOUNT": ""}, ["CAUSEWAY_PUSH_SERVICE_ACCOUNT"]),
        (
            {"CAUSEWAY_PUSH_AUDIENCE": "", "CAUSEWAY_PUSH_SERVICE_ACCOUNT": ""},
            ["CAUSEWAY_PUSH_AUDIENCE", "CAUSEWAY_PUSH_SERVICE_ACCOUNT"],
        ),
        ({**PULLS, "CAUSEWAY_GOOGLE_ORIGIN": "http://google.test"}, ["PUBSUB_EMULATOR_HOST"]),
        ({"PUBSUB_EMULATOR_HOST": "http://google.test:1"}, ["PUBSUB_EMULATOR_HOST"]),
    ],
)
def test_a_service_that_no_notification_could_reach_does_not_start(
    environment: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    wrong: dict[str, str],
    named: list[str],
) -> None:
    for name, value in wrong.items():
        environment.setenv(name, value)
    with pytest.raises(SystemExit):
        load_settings(MailSettings)
    assert [line.partition(":")[0] for line in capsys.readouterr().err.splitlines()] == named
