"""Which environment the processes of the stack get."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cli.local import environment, realgoogle
from cli.local.environment import Addresses
from cli.local.process import LocalStackError, free_ports
from cli.local.state import Secrets, StateDirectory
from cli.settings import StackSettings

ADMIN = "postgresql://admin:secret@127.0.0.1:5433/postgres"
AMQP = "amqp://u:p@127.0.0.1:5672/%2F"

PULL = {"CAUSEWAY_GMAIL_SUBSCRIPTION": "projects/p/subscriptions/s"}

Build = Callable[[], environment.ByProcess]


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> Build:
    for name in ("CAUSEWAY_MAIL_PORT", "CAUSEWAY_MAIL_DATABASE_URL", "CAUSEWAY_CALLER_JWKS_URL"):
        monkeypatch.delenv(name, raising=False)

    def make() -> environment.ByProcess:
        settings = StackSettings()
        addresses = Addresses.choose(settings, free_ports(), postgres_admin=ADMIN, amqp=AMQP)
        return environment.build(settings, addresses, Secrets())

    return make


def test_each_service_has_a_database_and_role_of_its_own(build: Build) -> None:
    mail = build()["mail", "web"]["CAUSEWAY_MAIL_DATABASE_URL"]

    assert mail.startswith("postgresql://causeway_mail:")
    assert mail.endswith("@127.0.0.1:5433/causeway_mail")


def test_web_and_worker_listen_on_different_ports(build: Build) -> None:
    built = build()

    assert (
        built["mail", "web"]["CAUSEWAY_MAIL_PORT"] != built["mail", "worker"]["CAUSEWAY_MAIL_PORT"]
    )


def test_a_persons_port_is_the_web_roles(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUSEWAY_MAIL_PORT", "9123")
    built = build()

    assert built["mail", "web"]["CAUSEWAY_MAIL_PORT"] == "9123"
    assert built["mail", "worker"]["CAUSEWAY_MAIL_PORT"] != "9123"


def test_an_existing_database_is_used(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUSEWAY_MAIL_DATABASE_URL", "postgresql://me@db.example/mail")

    assert build()["mail", "web"]["CAUSEWAY_MAIL_DATABASE_URL"] == "postgresql://me@db.example/mail"


def test_callers_checked_by_jwks_get_no_shared_key(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAUSEWAY_CALLER_JWKS_URL", "https://crm.example/jwks")

    assert "CAUSEWAY_CALLER_KEY" not in build()["auth", "web"]


def test_a_stack_that_pulls_has_no_push_settings(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed = build()["mail", "web"]
    monkeypatch.setenv(*next(iter(PULL.items())))
    pulled = build()["mail", "web"]

    assert pushed["PUBSUB_EMULATOR_HOST"].startswith("127.0.0.1:")
    assert "CAUSEWAY_PUSH_AUDIENCE" in pushed
    assert pulled["CAUSEWAY_GMAIL_SUBSCRIPTION"] == "projects/p/subscriptions/s"
    assert "CAUSEWAY_PUSH_AUDIENCE" not in pulled


def test_an_address_is_shown_without_its_login() -> None:
    assert environment.without_login(ADMIN) == "postgresql://127.0.0.1:5433/postgres"


def test_secrets_are_made_once_and_kept_private(tmp_path: Path) -> None:
    home = StateDirectory(tmp_path / "state")
    home.create()
    first = home.secrets()

    assert home.secrets() == first
    assert (home.path / "secrets.json").stat().st_mode & 0o077 == 0
    assert home.path.stat().st_mode & 0o007 == 0


def test_no_secret_is_in_a_representation() -> None:
    secrets = Secrets()

    assert secrets.caller_key not in repr(secrets)
    assert secrets.sealing_key not in repr(secrets)


REAL = {"GOOGLE_CLIENT_ID": "id", "GOOGLE_CLIENT_SECRET": "secret"}
PUSH = {
    "CAUSEWAY_GMAIL_TOPIC": "projects/p/topics/t",
    "CAUSEWAY_PUSH_AUDIENCE": "aud",
    "CAUSEWAY_PUSH_SERVICE_ACCOUNT": "push@p.iam.gserviceaccount.com",
}


def give(monkeypatch: pytest.MonkeyPatch, **given: str) -> StackSettings:
    names = (
        *("GOOGLE_CREDENTIALS_FILE", "CAUSEWAY_GOOGLE_ORIGIN", "CAUSEWAY_AUTH_PORT"),
        *("CAUSEWAY_PUBLIC_URL", "CAUSEWAY_CALENDAR_WEBHOOK_URL"),
    )
    for name in (*REAL, *PUSH, *names):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return StackSettings()


def test_with_an_oauth_client_google_is_google(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(monkeypatch, **REAL, **PUSH)

    for process in build().values():
        assert "CAUSEWAY_GOOGLE_ORIGIN" not in process
        assert {name: process[name] for name in (*REAL, *PUSH)} == {**REAL, **PUSH}
    assert build()["auth", "web"]["CAUSEWAY_PUBLIC_URL"] == "http://127.0.0.1:8081"


def test_with_an_origin_an_oauth_client_is_that_servers(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = give(monkeypatch, **REAL, CAUSEWAY_GOOGLE_ORIGIN="http://127.0.0.1:9100")

    assert not settings.uses_real_google()
    assert build()["mail", "web"]["CAUSEWAY_GOOGLE_ORIGIN"] == "http://127.0.0.1:9100"


def test_without_a_client_the_emulator_is_google(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(monkeypatch)

    assert build()["auth", "web"]["CAUSEWAY_GOOGLE_ORIGIN"].startswith("http://127.0.0.1:")


def test_the_real_google_without_push_is_polled(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    realgoogle.check(give(monkeypatch, **REAL))
    built = build()

    assert built["mail", "worker"]["CAUSEWAY_MAIL_POLL_INTERVAL"] == "60"
    assert built["calendar", "worker"]["CAUSEWAY_CALENDAR_POLL_INTERVAL"] == "60"


def test_google_tells_of_calendars_where_it_reaches_us_by_https(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(monkeypatch, **REAL, CAUSEWAY_PUBLIC_URL="https://causeway.example")
    calendar = build()["calendar", "worker"]

    assert "CAUSEWAY_CALENDAR_POLL_INTERVAL" not in calendar
    assert calendar["CAUSEWAY_PUBLIC_URL"] == "https://causeway.example"


def test_the_emulator_tells_of_calendars_at_the_web_process(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(monkeypatch)
    built = build()
    port = built["calendar", "web"]["CAUSEWAY_CALENDAR_PORT"]

    for role in ("web", "worker"):
        assert (
            built["calendar", role]["CAUSEWAY_CALENDAR_WEBHOOK_URL"]
            == f"http://127.0.0.1:{port}/webhooks/google/calendar"
        )


@pytest.mark.parametrize(
    ("given", "asked_for"),
    [
        ({"GOOGLE_CLIENT_ID": "id"}, ["GOOGLE_CLIENT_SECRET"]),
        ({"GOOGLE_CREDENTIALS_FILE": "/client.json"}, []),
        ({**REAL, **PUSH}, []),
        (
            {"GOOGLE_CLIENT_ID": "id", "CAUSEWAY_GMAIL_TOPIC": "projects/p/topics/t"},
            ["GOOGLE_CLIENT_SECRET", "CAUSEWAY_PUSH_AUDIENCE", "CAUSEWAY_PUSH_SERVICE_ACCOUNT"],
        ),
        ({**REAL, **PULL, "CAUSEWAY_GMAIL_TOPIC": "projects/p/topics/t"}, []),
        ({**REAL, **PULL}, ["CAUSEWAY_GMAIL_TOPIC"]),
        ({}, []),
    ],
)
def test_what_the_real_google_needs_is_asked_for_in_a_line_each(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], asked_for: list[str]
) -> None:
    settings = give(monkeypatch, **given)
    said: list[str] = []
    try:
        realgoogle.check(settings)
    except LocalStackError as exc:
        said = str(exc).splitlines()[1:]

    assert [line.strip().partition(":")[0] for line in said] == asked_for
