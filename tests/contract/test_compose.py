"""docker-compose.yml, its proxy and its secrets, held to what the services are."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.reference import ROUTES, SETTINGS
from cli.settings import PROJECT
from libs.common.settings import SettingDoc, documented
from libs.common.web import Access

COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
FOLDER = PROJECT / "deploy" / "compose"
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
ONE_SHOT = {f"{service}-migrate" for service in ROUTES}
OUTSIDE = {Access.PUBLIC, Access.USER, Access.SERVICE, Access.USER_OR_SERVICE, Access.WEBHOOK}


def settings_of(name: str) -> dict[str, SettingDoc]:
    """Return the settings of the service a container runs, by variable."""
    model = dict(SETTINGS)[name.partition("-")[0]]
    return {doc.variable: doc for doc in documented(model)}


def secrets_of(service: dict[str, Any]) -> set[str]:
    return {one if isinstance(one, str) else one["source"] for one in service.get("secrets", ())}


def processes() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the containers that read our settings."""
    yield from ((name, service) for name, service in OURS.items() if name != "emulator")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of secrets as the script makes them."""
    folder = tmp_path_factory.mktemp("secrets")
    command = ["/bin/sh", str(FOLDER / "secrets.sh"), str(folder)]
    subprocess.run(command, check=True, timeout=60)  # noqa: S603 - our own script
    return folder


@pytest.mark.parametrize("name", [name for name, _ in processes()])
def test_a_container_gets_every_setting_it_needs_and_none_that_does_not_exist(name: str) -> None:
    known, service = settings_of(name), SERVICES[name]
    given = set(service["environment"]) | secrets_of(service)
    assert given <= set(known)
    assert {key for key, doc in known.items() if doc.required} <= given


@pytest.mark.parametrize("name", [name for name, _ in processes()])
def test_secrets_are_files_and_never_in_the_environment(name: str) -> None:
    known = settings_of(name)
    for variable in SERVICES[name]["environment"]:
        assert not known[variable].secret, variable
    assert SERVICES[name]["environment"]["CAUSEWAY_SECRETS_DIR"] == "/run/secrets"


def test_only_auth_can_unseal_tokens_and_each_service_knows_its_own_database_alone() -> None:
    for name, service in processes():
        held, own = secrets_of(service), name.partition("-")[0]
        assert ("CAUSEWAY_SEALING_KEYS" in held) == (own == "auth")
        databases = {key for key in held if key.endswith("_DATABASE_URL")}
        assert databases == {f"CAUSEWAY_{own.upper()}_DATABASE_URL"}


def test_every_secret_is_made_by_the_script_and_used_by_somebody(made: Path) -> None:
    declared = set(COMPOSE["secrets"])
    used = set().union(*(secrets_of(service) for service in SERVICES.values()))
    assert declared == used
    assert declared <= {file.name for file in made.iterdir()}


def test_secrets_that_are_there_are_kept(made: Path) -> None:
    before = {file.name: file.read_text() for file in made.iterdir()}
    command = ["/bin/sh", str(FOLDER / "secrets.sh"), str(made)]
    subprocess.run(command, check=True, timeout=60)  # noqa: S603 - our own script
    assert {file.name: file.read_text() for file in made.iterdir()} == before


def test_what_the_script_makes_is_what_the_services_take(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAUSEWAY_SECRETS_DIR", str(made))
    for name, service in processes():
        for variable, value in service["environment"].items():
            if variable != "CAUSEWAY_SECRETS_DIR":
                monkeypatch.setenv(variable, resolved(value))
        dict(SETTINGS)[name.partition("-")[0]]()


def resolved(value: str) -> str:
    """Return a value as Compose gives it when nobody sets a variable."""
    return re.sub(r"\$\{\w+:?-([^}]*)\}", r"\1", value)


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_bounded_and_says_how_it_is(name: str) -> None:
    service = SERVICES[name]
    assert service["logging"]["options"]["max-size"]
    if name in ONE_SHOT:
        assert service["restart"] == "no"
        return
    limits = service["deploy"]["resources"]["limits"]
    assert {"cpus", "memory"} <= set(limits)
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", [*OURS, "proxy"])
def test_what_faces_others_can_change_nothing(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]


def test_a_container_is_given_the_time_it_takes_to_drain_and_end() -> None:
    for _, service in processes():
        drain = float(service["environment"]["CAUSEWAY_DRAIN_DELAY"])
        assert float(service["stop_grace_period"].removesuffix("s")) > drain + 10


def test_published_ports_are_this_machines_alone_by_default() -> None:
    for service in SERVICES.values():
        for port in service.get("ports", ()):
            assert resolved(port).startswith("127.0.0.1:"), port


def test_the_broker_keeps_its_data_under_a_fixed_name() -> None:
    assert SERVICES["rabbitmq"]["hostname"] == "rabbitmq"


def test_the_example_names_every_variable_a_deployment_with_google_chooses() -> None:
    read = set(re.findall(r"\$\{(\w+)", (PROJECT / "docker-compose.yml").read_text()))
    named = set(re.findall(r"^(\w+)=", (FOLDER / "env.example").read_text(), re.MULTILINE))
    assert named <= read
    chosen = {f"CAUSEWAY_{one}" for one in ("PUBLIC_URL", "RETURN_URLS", "PUSH_AUDIENCE")}
    assert chosen | {"GOOGLE_CLIENT_ID", "CAUSEWAY_GOOGLE_ORIGIN"} <= named


def test_every_service_has_its_processes_its_database_and_its_turn_in_a_roll() -> None:
    roles = ("web", "worker", "migrate")
    assert {name for name, _ in processes()} == {
        f"{one}-{role}" for one in ROUTES for role in roles
    }
    listed = {
        "databases.sh": r"^for service in ([a-z ]+); do",
        "secrets.sh": r"^for service in ([a-z ]+); do",
        "roll.sh": r'^services="([a-z ]+)"',
    }
    for script, pattern in listed.items():
        (services,) = re.findall(pattern, (FOLDER / script).read_text(), re.MULTILINE)
        assert services.split() == list(ROUTES), script
    held = secrets_of(SERVICES["postgres"])
    assert held == {"postgres_password", *(f"{one}_database_password" for one in ROUTES)}


def matches(kind: str, value: str, path: str) -> bool:
    """Tell whether HAProxy's test matches a path."""
    if kind == "path_reg":
        return re.search(value, path) is not None
    return path.startswith(value) if kind == "path_beg" else path == value


def backends(path: str) -> list[str]:
    """Return the backends whose rule in haproxy.cfg matches a path, in order."""
    found = []
    for line in (FOLDER / "haproxy.cfg").read_text().splitlines():
        if not (rule := re.fullmatch(r"\s*use_backend (\w+) if (.*)", line)):
            continue
        tests = re.findall(r"\{ (path\w*) (\S+) \}", rule[2])
        assert tests, line
        if any(matches(kind, value, path) for kind, value in tests):
            found.append(rule[1])
    return found


def test_the_proxy_leads_every_public_path_to_its_service() -> None:
    for service, routes in ROUTES.items():
        for route in routes:
            path = re.sub(r"\{\w+\}", "x", route.path)
            wanted = [service] if route.access in OUTSIDE else []
            assert backends(path) == wanted, path


@pytest.mark.parametrize("path", ["/", "/metrics", "/readyz", "/internal/v1/connections", "/v1"])
def test_the_proxy_leads_nobody_to_what_is_ours(path: str) -> None:
    assert backends(path) == []


def test_what_no_rule_names_is_nowhere() -> None:
    config = (FOLDER / "haproxy.cfg").read_text()
    assert re.findall(r"^\s*default_backend (\w+)$", config, re.MULTILINE) == ["nothing"]
    sections = re.split(r"^backend ", config, flags=re.MULTILINE)[1:]
    served = {
        one.split()[0]: re.findall(r"server-template \S+ \d+ (\S+):", one) for one in sections
    }
    assert len(served) == len(sections)
    assert served == {**{one: [f"{one}-web"] for one in ROUTES}, "nothing": []}


def largest_body(path: str) -> int:
    """Return how long a body haproxy.cfg lets through to a path may say it is."""
    config = (FOLDER / "haproxy.cfg").read_text()
    long = [
        (kind, value)
        for kind, values in re.findall(r"acl is_long (path\w*) (.+)", config)
        for value in values.split()
    ]
    bounds = [int(one) for one in re.findall(r"content-length\) gt (\d+) \}", config)]
    return max(bounds) if any(matches(kind, value, path) for kind, value in long) else min(bounds)


def test_the_proxy_lets_every_body_through_that_a_service_takes() -> None:
    for routes in ROUTES.values():
        for route in routes:
            path = re.sub(r"\{\w+\}", "x", route.path)
            if route.access in OUTSIDE:
                assert largest_body(path) >= route.max_body, path


def test_the_proxy_has_room_for_twice_the_replicas() -> None:
    config = (FOLDER / "haproxy.cfg").read_text()
    for room, service in re.findall(r"server-template replica (\d+) (\S+):", config):
        assert int(room) >= 2 * SERVICES[service]["deploy"]["replicas"]
