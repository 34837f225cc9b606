import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import Field, ValidationError

from libs.common.settings import CommaSeparated, CommonSettings, PostgresUrl, documented

ROOT = Path(__file__).parents[3]
GOOD = {
    "CAUSEWAY_AMQP_URL": "amqp://guest:pw-of-the-broker@127.0.0.1:5672/",
    "CAUSEWAY_PUBLIC_URL": "https://causeway.example/",
    "CAUSEWAY_SERVICE_KEY": "s" * 32,
    "CAUSEWAY_CALLER_KEY": "c" * 32,
    "CAUSEWAY_CALLER_ISSUER": "https://crm.example",
    "CAUSEWAY_CALLER_AUDIENCE": "causeway",
    "CAUSEWAY_TEST_DATABASE_URL": "postgresql://app:pw-of-the-database@127.0.0.1/mail",
}


class ServiceSettings(CommonSettings):
    """Settings as a service declares them."""

    database_url: PostgresUrl = Field(
        validation_alias="CAUSEWAY_TEST_DATABASE_URL", description="The database"
    )
    port: int = Field(default=8099, validation_alias="CAUSEWAY_TEST_PORT", description="The port")
    names: CommaSeparated = Field(
        default=(), validation_alias="CAUSEWAY_TEST_NAMES", description="Some names"
    )


def load(**changes: str | None) -> subprocess.CompletedProcess[str]:
    """Load the settings in a process with exactly this environment."""
    environment = {name: value for name, value in (GOOD | changes).items() if value is not None}
    program = (
        "from libs.common.settings import load_settings\n"
        "from tests.unit.common.test_settings import ServiceSettings\n"
        "s = load_settings(ServiceSettings)\n"
        "print(s.port, s.names, s.public_url, s.cors_origins, s.pool_size, s.amqp_url)\n"
    )
    return subprocess.run(  # noqa: S603 - our own program, in an environment of our own
        [sys.executable, "-c", program],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_settings_are_read_from_the_environment() -> None:
    done = load(CAUSEWAY_TEST_PORT="8123", CAUSEWAY_TEST_NAMES="a, b,,c", CAUSEWAY_POOL_SIZE="3")

    assert done.stderr == ""
    assert done.stdout == ("8123 ('a', 'b', 'c') https://causeway.example () 3 **********\n")


def test_a_variable_called_like_a_field_is_somebody_elses() -> None:
    done = load(PORT="1", POOL_SIZE="9", PUBLIC_URL="https://evil.example", NAMES="x")

    assert done.stdout == "8099 () https://causeway.example () 8 **********\n"


def test_each_missing_setting_gets_one_line_that_says_what_it_is_for() -> None:
    done = load(CAUSEWAY_AMQP_URL=None, CAUSEWAY_TEST_DATABASE_URL="")

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "CAUSEWAY_AMQP_URL: missing (RabbitMQ address, amqp://user:password@host:port/vhost)",
        "CAUSEWAY_TEST_DATABASE_URL: missing (The database)",
    ]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CAUSEWAY_SERVICE_KEY", "short-secret"),
        ("CAUSEWAY_CALLER_KEY", "short-secret"),
        ("CAUSEWAY_CALLER_KEY", "s" * 32),
        ("CAUSEWAY_CALLER_KEY", ""),
        ("CAUSEWAY_CALLER_JWKS_URL", "https://crm.example/jwks"),
        ("CAUSEWAY_CALLER_ISSUER", ""),
        ("CAUSEWAY_AMQP_URL", "http://broker.example"),
        ("CAUSEWAY_AMQP_URL", "not-an-address"),
        ("CAUSEWAY_TEST_DATABASE_URL", "mysql://secret-host/db"),
        ("CAUSEWAY_PUBLIC_URL", "causeway.internal"),
        ("CAUSEWAY_PUBLIC_URL", "https://user:secret@causeway.example"),
        ("CAUSEWAY_CORS_ORIGINS", "https://crm.example/path"),
        ("CAUSEWAY_CORS_ORIGINS", "*"),
        ("CAUSEWAY_GOOGLE_ORIGIN", "localhost:9000"),
        ("CAUSEWAY_CLOCK_OFFSET", "nan"),
        ("CAUSEWAY_SECRETS_DIR", "/nowhere"),
        ("CAUSEWAY_DRAIN_DELAY", "-1"),
        ("CAUSEWAY_POOL_SIZE", "0"),
        ("CAUSEWAY_LOG_LEVEL", "chatty"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line_without_its_value(variable: str, value: str) -> None:
    done = load(**{variable: value})

    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    name = (
        "CAUSEWAY_CALLER_JWKS_URL" if (variable, value) == ("CAUSEWAY_CALLER_KEY", "") else variable
    )
    assert line.startswith(f"{name}: ")
    assert not value or value in {"0", "*", "nan", "-1"} or value not in line


def test_secrets_are_read_from_the_files_of_a_directory(tmp_path: Path) -> None:
    (tmp_path / "CAUSEWAY_AMQP_URL").write_text("amqp://guest:pw@broker.example/\n")
    (tmp_path / "CAUSEWAY_TEST_NAMES").write_text("a,b\n")
    (tmp_path / "CAUSEWAY_TEST_PORT").write_text("8123\n")

    done = load(
        CAUSEWAY_SECRETS_DIR=str(tmp_path), CAUSEWAY_AMQP_URL=None, CAUSEWAY_TEST_PORT="8124"
    )

    assert done.stderr == ""
    assert done.stdout == "8124 ('a', 'b') https://causeway.example () 8 **********\n"


def test_a_wrong_secret_is_named_in_one_line_without_its_value(tmp_path: Path) -> None:
    (tmp_path / "CAUSEWAY_SERVICE_KEY").write_text("short-secret")

    done = load(CAUSEWAY_SECRETS_DIR=str(tmp_path), CAUSEWAY_SERVICE_KEY=None)

    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("CAUSEWAY_SERVICE_KEY: must have at least 32 bytes")
    assert "short-secret" not in line


def test_settings_can_be_given_by_name_and_never_change() -> None:
    settings = ServiceSettings(
        amqp_url="amqp://h/",
        public_url="http://localhost",
        service_key="s" * 32,
        caller_key="c" * 32,
        caller_issuer="i",
        caller_audience="a",
        database_url="postgresql://h/db",
        cors_origins=("https://crm.example",),
    )

    assert settings.cors_origins == ("https://crm.example",)
    with pytest.raises(ValidationError):
        settings.host = "0.0.0.0"  # type: ignore[misc] # noqa: S104 - that it is refused is the point


def test_every_setting_is_documented_with_its_variable() -> None:
    docs = {doc.variable: doc for doc in documented(ServiceSettings)}

    assert docs["CAUSEWAY_TEST_DATABASE_URL"].required
    assert docs["CAUSEWAY_TEST_DATABASE_URL"].secret
    assert docs["CAUSEWAY_TEST_PORT"].default == 8099
    assert all(doc.variable.startswith("CAUSEWAY_") for doc in docs.values())
    assert all(doc.description != doc.field for doc in docs.values())


def test_the_inbox_remembers_longer_than_the_log_delivers() -> None:
    done = load(CAUSEWAY_INBOX_RETENTION="1209600")

    assert done.returncode == 2
    assert done.stderr.startswith("CAUSEWAY_INBOX_RETENTION: must be greater than 1209600")
