"""What the manifests set is what the services read."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.settings import SERVICES
from libs.common.settings import ServiceSettings, SettingDoc, documented
from libs.common.web.run import STOP_S
from services.auth.settings import AuthSettings
from services.calendar.settings import CalendarSettings
from services.contacts.settings import ContactsSettings
from services.mail.settings import MailSettings
from tests.kubernetes.manifests import TREES, Pod, configuration, find, of, pods, secrets_of
from tests.kubernetes.test_links import documented_secrets

SETTINGS: dict[str, type[ServiceSettings]] = {
    "auth": AuthSettings,
    "mail": MailSettings,
    "calendar": CalendarSettings,
    "contacts": ContactsSettings,
}
MOUNT = "/run/secrets/causeway"
# Something each secret may be, where the tree leaves it to whoever deploys.
SAMPLES = {
    "CAUSEWAY_AMQP_URL": "amqp://user:password@rabbitmq:5672/",
    **{
        f"CAUSEWAY_{name.upper()}_DATABASE_URL": f"postgresql://user:pass@postgres-rw/causeway_{name}"
        for name in SERVICES
    },
    "CAUSEWAY_SERVICE_KEY": "s" * 32,
    "CAUSEWAY_CALLER_KEY": "c" * 32,
    "CAUSEWAY_SEALING_KEYS": "k1:" + base64.b64encode(b"k" * 32).decode(),
    "CAUSEWAY_MAIL_HASH_KEY": base64.b64encode(b"h" * 32).decode(),
    "GOOGLE_CLIENT_SECRET": "client-secret",
}

pytestmark = pytest.mark.parametrize("tree", TREES)


def processes(tree: str) -> Iterator[tuple[Pod, type[ServiceSettings]]]:
    """Yield the pods of services, migrations included, with the settings they read."""
    for pod in pods(tree):
        if pod.service:
            yield pod, SETTINGS[pod.service]


def docs(settings: type[ServiceSettings]) -> dict[str, SettingDoc]:
    return {doc.variable: doc for doc in documented(settings)}


def secret_files(tree: str, pod: Pod) -> dict[str, str]:
    """Return the files a pod finds below its secrets' mount."""
    (name,) = secrets_of(pod)
    if of(tree, "Secret"):
        data = find(tree, "Secret", name)["data"]
        return {key: base64.b64decode(value).decode() for key, value in data.items()}
    return {key: SAMPLES[key] for key in documented_secrets()[name]}


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for settings in SETTINGS.values():
        for variable in docs(settings):
            monkeypatch.delenv(variable, raising=False)
    return monkeypatch


def test_every_process_reads_its_settings_without_a_complaint(
    tree: str, bare_environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for pod, settings in processes(tree):
        with bare_environment.context() as environment:
            directory = tmp_path / pod.owner.replace("/", "-")
            directory.mkdir()
            for name, value in secret_files(tree, pod).items():
                (directory / name).write_text(value)
            for name, value in configuration(tree, pod).items():
                environment.setenv(name, value)
            environment.setenv("CAUSEWAY_SECRETS_DIR", str(directory))

            read = settings()

            assert read.host == "0.0.0.0"  # noqa: S104 - a pod is reached from outside it
            if pod.ports():
                assert pod.ports() == {"http": read.port}


def test_nothing_is_set_that_the_service_does_not_read(tree: str) -> None:
    for pod, settings in processes(tree):
        assert set(configuration(tree, pod)) <= set(docs(settings)), pod.owner


def test_a_service_sees_its_own_secrets_and_nobody_elses(tree: str) -> None:
    for pod, settings in processes(tree):
        secret = {name for name, doc in docs(settings).items() if doc.secret}

        assert set(secret_files(tree, pod)) <= secret, pod.owner


def test_the_keys_that_seal_tokens_reach_only_auth(tree: str) -> None:
    holders = {
        pod.service
        for pod, _ in processes(tree)
        if "CAUSEWAY_SEALING_KEYS" in secret_files(tree, pod)
    }

    assert holders == {"auth"}


def test_a_secret_is_nowhere_but_in_a_secret(tree: str) -> None:
    secret = {
        name for settings in SETTINGS.values() for name, doc in docs(settings).items() if doc.secret
    }
    for config in of(tree, "ConfigMap"):
        assert not secret & set(config["data"]), config["metadata"]["name"]
    for pod in pods(tree):
        for container in pod.containers:
            for variable in container.get("env", ()):
                assert variable["name"] not in secret or "value" not in variable


def test_secrets_are_files(tree: str) -> None:
    for pod, _ in processes(tree):
        (container,) = pod.containers
        mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}

        assert mounts["secrets"] == MOUNT == configuration(tree, pod)["CAUSEWAY_SECRETS_DIR"]
        assert not [v for v in container.get("env", ()) if "valueFrom" in v]


def test_a_consent_counts_only_with_the_secret_its_browser_brought(tree: str) -> None:
    for pod, _ in processes(tree):
        if pod.service == "auth":
            assert configuration(tree, pod)["CAUSEWAY_AUTH_REQUIRE_CONFIRMATION"] == "true"


def test_other_services_reach_auth_by_a_name_that_exists(tree: str) -> None:
    for pod, _ in processes(tree):
        url = configuration(tree, pod)["CAUSEWAY_AUTH_URL"]
        service = find(tree, "Service", url.removeprefix("http://"))

        assert [port["port"] for port in service["spec"]["ports"]] == [80]


def test_a_process_has_the_time_to_drain_and_end(tree: str) -> None:
    for pod, _ in processes(tree):
        if "terminationGracePeriodSeconds" in pod.spec:
            delay = float(configuration(tree, pod).get("CAUSEWAY_DRAIN_DELAY", 0))
            assert delay + STOP_S < pod.spec["terminationGracePeriodSeconds"], pod.owner


def test_what_takes_requests_goes_on_until_no_more_come(tree: str) -> None:
    for pod, _ in processes(tree):
        if pod.labels["app.kubernetes.io/component"] == "web":
            assert float(configuration(tree, pod)["CAUSEWAY_DRAIN_DELAY"]) > 0
