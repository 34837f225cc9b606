"""The stack as a person meets it: up, status, token, events, down; and after a crash."""

import asyncio
import json
import os
import secrets
import signal
import stat
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from cli.privacy.targets import PREFIXES
from cli.settings import SERVICES
from tests import messaging
from tests.cli.stacks import Stack, own_stack
from tests.databases import connected, run
from tests.logs import PRIVATE
from tests.servers import Servers
from tests.support import bearer, eventually

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def stack() -> Iterator[Stack]:
    with own_stack() as stack:
        yield stack


async def make_databases(servers: Servers, names: dict[str, str]) -> None:
    async with connected(servers.postgres.url()) as admin:
        for name in names.values():
            await run(admin, "CREATE DATABASE %I", name)


@pytest.fixture(scope="module")
def running(servers: Servers) -> Iterator[Stack]:
    """A running stack on the session's servers, to be left as it is."""
    mark = secrets.token_hex(4)  # pytest-xdist may want one in each worker
    names = {service: f"stack_{service}_{mark}" for service in SERVICES}
    asyncio.run(make_databases(servers, names))
    servers.rabbit.add_vhost(f"stack-{mark}")
    existing = {
        f"CAUSEWAY_{service.upper()}_DATABASE_URL": servers.postgres.url(name)
        for service, name in names.items()
    }
    with own_stack(**existing, CAUSEWAY_AMQP_URL=servers.rabbit.url(f"stack-{mark}")) as stack:
        answer = stack.run("up")
        assert answer.returncode == 0, answer.stderr
        yield stack
    servers.rabbit.delete_vhost(f"stack-{mark}")


def parts(answer: "subprocess.CompletedProcess[str]") -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(answer.stdout)["parts"]
    return found


def test_with_nothing_running_status_is_empty_and_fails(stack: Stack) -> None:
    answer = stack.run("status", "--json")

    assert json.loads(answer.stdout) == {"parts": []}
    assert answer.returncode == 1


def test_down_with_nothing_running_is_no_error(stack: Stack) -> None:
    assert stack.run("down").returncode == 0


def test_every_part_is_healthy_and_has_a_version(running: Stack) -> None:
    answer = running.run("status", "--json")

    assert answer.returncode == 0
    assert {(part["name"], part["role"]) for part in parts(answer)} == {
        ("postgres", "database"),
        ("rabbitmq", "broker"),
        ("emulator", "google"),
        *((service, role) for service in SERVICES for role in ("web", "worker")),
    }
    assert all(part["healthy"] for part in parts(answer))


def test_status_shows_no_login(running: Stack) -> None:
    assert "@" not in running.run("status", "--json").stdout


def test_existing_servers_are_used_and_have_no_pid(running: Stack) -> None:
    pids = {part["name"]: part["pid"] for part in parts(running.run("status", "--json"))}

    assert pids["postgres"] is None
    assert pids["rabbitmq"] is None
    assert pids["mail"] is not None


def test_a_second_up_prints_the_addresses_of_the_first(running: Stack) -> None:
    before = parts(running.run("status", "--json"))
    answer = running.run("up")

    assert answer.returncode == 0
    assert all(str(part["url"]) in answer.stdout for part in before)
    assert parts(running.run("status", "--json")) == before


async def test_the_services_accept_the_token(running: Stack) -> None:
    token = running.run("token").stdout.strip()
    state = running.home.read()
    assert state
    url = f"{state.url('auth', 'web')}/v1/connections"

    async with aiohttp.ClientSession() as session, session.get(url, headers=bearer(token)) as seen:
        assert seen.status == 200


async def test_a_crashed_service_comes_back(running: Stack) -> None:
    def mail() -> dict[str, object]:
        found = parts(running.run("status", "--json"))
        return next(p for p in found if (p["name"], p["role"]) == ("mail", "worker"))

    before = mail()["pid"]
    assert isinstance(before, int)
    os.kill(before, signal.SIGKILL)

    await eventually(lambda: mail()["healthy"] and mail()["pid"] != before, timeout_s=60)


@pytest.fixture(scope="module")
def told(running: Stack) -> str:
    """What the demo printed while its story was played on the running stack."""
    answer = running.run("demo", "--once")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def test_the_story_is_played_on_a_running_stack_which_stays(running: Stack, told: str) -> None:
    for kind in ("received", "sent", "updated", "deleted"):
        assert f"mail.message.{kind}.v1" in told
    assert "in the same thread at Google, and was logged once" in told
    assert "33 loaded into Google" in told
    assert "0 missing" in told
    assert running.run("status").returncode == 0
    log = running.run("events", "tail", "--from-start", "--json", "--count", "3").stdout
    assert [json.loads(line)["specversion"] for line in log.splitlines()] == ["1.0"] * 3


def test_no_process_logs_a_secret_a_token_or_an_address(running: Stack, told: str) -> None:
    assert told
    written = {log.name: log.read_text() for log in running.home.logs.glob("*.log")}

    assert any('"event":"request"' in text for text in written.values())
    assert [name for name, text in written.items() if PRIVATE.search(text)] == []


async def test_dead_letters_are_given_another_chance(running: Stack) -> None:
    amqp_url = running.settings["CAUSEWAY_AMQP_URL"]
    await messaging.send(amqp_url, b"{}", key="mail.connections.dead", exchange="")

    answer = running.run("events", "replay", "mail.connections")

    assert answer.stdout == "1 moved back into mail.connections\n"
    assert await messaging.depth(amqp_url, "mail.connections.dead") == 0


def test_a_queue_that_does_not_exist_cannot_be_replayed(running: Stack) -> None:
    answer = running.run("events", "replay", "nobody.nothing")

    assert answer.returncode == 1
    assert "there is no queue nobody.nothing" in answer.stderr


async def test_a_killed_supervisor_leaves_nothing_and_up_works_again(stack: Stack) -> None:
    assert stack.run("up").returncode == 0
    stack.kill_supervisor()
    await eventually(lambda: not stack.processes(), timeout_s=60)
    assert stack.run("status", "--json").returncode == 1

    again = stack.run("up")
    assert again.returncode == 0, again.stderr
    assert stack.run("down").returncode == 0
    assert stack.processes() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
async def test_a_demo_that_ends_takes_everything_with_it(
    stack: Stack, number: signal.Signals
) -> None:
    demo = stack.start("demo")
    await eventually(lambda: stack.home.locked() and len(stack.processes()) > 4, timeout_s=60)
    demo.send_signal(number)

    await eventually(lambda: not stack.processes(), timeout_s=60)
    demo.communicate(timeout=10)


def test_a_wrong_setting_is_named_and_nothing_is_left() -> None:
    with own_stack(CAUSEWAY_SEALING_KEYS="nonsense") as stack:
        answer = stack.run("up")

        assert answer.returncode == 1
        assert "CAUSEWAY_SEALING_KEYS" in answer.stderr
        assert stack.processes() == []


def test_a_person_is_exported_counted_and_erased(running: Stack, told: str, tmp_path: Path) -> None:
    assert told
    them = ("--tenant", "acme", "--address", "bruno.keller@northwind.example")
    file = tmp_path / "bruno.zip"

    shown = running.run("privacy", "export", *them, "--out", str(file))
    assert shown.returncode == 0, shown.stderr
    with zipfile.ZipFile(file) as archive:
        assert {"README.txt", "mail/message.ndjson"} <= set(archive.namelist())
        assert b"bruno.keller@northwind.example" in archive.read("mail/message.ndjson")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    counted = running.run("privacy", "erase", *them)
    assert counted.returncode == 0, counted.stderr
    assert "messages: would go" in counted.stdout
    assert "say --yes" in counted.stdout

    done = running.run("privacy", "erase", *them, "--yes")
    assert done.returncode == 0, done.stderr
    assert "messages: gone" in done.stdout
    assert "nothing is held" in running.run("privacy", "erase", *them).stdout


def test_a_user_is_erased_from_every_service(running: Stack, told: str) -> None:
    assert told
    user = ("--tenant", "acme", "--user", "ada")

    done = running.run("privacy", "erase", *user, "--yes")
    assert done.returncode == 0, done.stderr
    for what in ("connections: gone", "google accounts: gone"):
        assert what in done.stdout
    again = running.run("privacy", "erase", *user)
    assert again.stdout.count("nothing is held") == len(PREFIXES)


def test_a_person_must_be_named(running: Stack) -> None:
    answer = running.run("privacy", "erase", "--tenant", "acme")

    assert (answer.returncode, answer.stdout) == (1, "")
    assert "--user or --address" in answer.stderr


def test_a_service_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("nobody checks it")
    with own_stack() as stack:
        answer = stack.run(
            *("privacy", "erase", "--tenant", "acme", "--user", "ada", "--yes"),
            *("--url", "http://127.0.0.1:1", "--token-file", str(token)),
        )
    assert answer.returncode == 1
    assert f"not done by: {', '.join(PREFIXES)}" in answer.stderr
    assert "can be run again" in answer.stderr
