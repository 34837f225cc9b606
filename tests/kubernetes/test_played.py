"""The pods of the overlay `dev` run as they are written. See tests/kubernetes/podman.py."""

import os
import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from cli.settings import SERVICES
from libs.common.migrate import pending
from services.auth.app import migrations as auth_migrations
from services.calendar.app import migrations as calendar_migrations
from services.contacts.app import migrations as contacts_migrations
from services.mail.app import migrations as mail_migrations
from tests.databases import connected, run
from tests.kubernetes.manifests import DEPLOY, PROCESSES, UID, configuration
from tests.kubernetes.podman import TREE, WANTED, Cluster, Played, PortTaken, configured, podman
from tests.servers import Servers
from tests.support import bearer, caller_token, eventually

IMAGE = os.environ.get(WANTED)
READY_S = 60
ATTEMPTS = 3
JOBS = tuple(f"{service}-migrate" for service in SERVICES)
MIGRATIONS = {
    "auth": auth_migrations,
    "mail": mail_migrations,
    "calendar": calendar_migrations,
    "contacts": contacts_migrations,
}
STATEMENT = re.compile(r"^[A-Z][^;]*;", re.MULTILINE)
CALLER_KEY = "development-only-caller-key-000000000"
MIB = 1024 * 1024
UNITS = {"Mi": MIB, "Gi": 1024 * MIB}
LOOK = """
import os
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
def writes(path):
    try:
        open(path, "w").close()
    except OSError:
        return False
    return True
print(os.getuid(), os.getgid(), int(status["CapEff"], 16), int(status["NoNewPrivs"]),
      writes("/causeway/x"), writes("/tmp/x"), writes("/run/secrets/causeway/x"))
"""

pytestmark = [
    pytest.mark.skipif(IMAGE is None, reason="pods are run by `make k8s-check`, with podman"),
    pytest.mark.timeout(300),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def databases(servers: Servers) -> AsyncIterator[Servers]:
    """The databases that the overlay's own script makes, on the session's PostgreSQL."""
    script = (DEPLOY / TREE / "postgres-init.sql").read_text()
    names = [f"causeway_{service}" for service in SERVICES]
    async with connected(servers.postgres.url()) as admin:
        for statement in STATEMENT.findall(script):
            await admin.execute(statement)
    yield servers
    async with connected(servers.postgres.url()) as admin:
        for name in names:
            await run(admin, "DROP DATABASE %I WITH (FORCE)", name)
            await run(admin, "DROP ROLE %I", name)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(
    databases: Servers, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[str, Played]]:
    """Every pod of ours, started in the order of the guide; migrations have ended."""
    home = tmp_path_factory.mktemp("kubernetes")
    url = databases.rabbit.url()
    with configured(home):
        for attempt in range(1, ATTEMPTS + 1):
            folder = home / str(attempt)
            folder.mkdir()
            made = Cluster(
                folder, image=str(IMAGE), postgres_port=databases.postgres.port, amqp_url=url
            )
            try:
                played = await start(made)
                break
            except PortTaken:
                if attempt == ATTEMPTS:
                    raise
        yield played
        made.end()


async def start(made: Cluster) -> dict[str, Played]:
    """Start everything, processes after migrations; what a failed start leaves is removed."""
    try:
        played = {name: made.play(name) for name in JOBS}
        for job in played.values():
            await eventually(job.has_ended)
        later = ("emulator", *PROCESSES, *(f"{job}-post" for job in JOBS))
        return played | {name: made.play(name) for name in later}
    except BaseException:
        made.end()
        raise


async def get(url: str, **headers: str) -> tuple[int, Any]:
    """Return status and JSON of an answer; 0 when there is none."""
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(url, headers=headers, timeout=aiohttp.ClientTimeout(5)) as answer,
        ):
            return answer.status, await answer.json()
    except (aiohttp.ClientError, TimeoutError):
        return 0, None


@pytest.mark.parametrize("service", SERVICES)
async def test_migrations_are_done_before_and_after_the_processes(
    cluster: dict[str, Played], databases: Servers, service: str
) -> None:
    sets = MIGRATIONS[service]()
    for name in (f"{service}-migrate", f"{service}-migrate-post"):
        job = cluster[name]
        await eventually(job.has_ended)
        assert job.state()["State"]["ExitCode"] == 0, job.log()

    async with connected(databases.postgres.url(f"causeway_{service}")) as conn:
        assert await pending(conn, *sets, phase="all") == []


@pytest.mark.parametrize("name", PROCESSES)
async def test_a_process_is_ready_with_database_migrations_and_broker(
    cluster: dict[str, Played], name: str
) -> None:
    played = cluster[name]
    (container,) = played.pod.containers

    async def ready() -> bool:
        status, said = await get(played.url + container["readinessProbe"]["httpGet"]["path"])
        return status == 200 and set(said["checks"].values()) == {"ok"}

    await eventually(ready, timeout_s=READY_S, what=played.log())
    status, _ = await get(played.url + container["livenessProbe"]["httpGet"]["path"])
    assert status == 200


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_has_no_rights_and_writes_only_to_tmp(
    cluster: dict[str, Played], name: str
) -> None:
    assert cluster[name].run(LOOK) == f"{UID} {UID} 0 1 False True False"


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_stays_below_what_it_asks_for(cluster: dict[str, Played], name: str) -> None:
    played = cluster[name]
    resources = played.pod.containers[0]["resources"]
    state = played.state()
    resident = int(played.run("print(open('/proc/1/statm').read().split()[1])")) * 4096

    assert state["HostConfig"]["Memory"] == size(resources["limits"]["memory"])
    assert resident < size(resources["requests"]["memory"])


def size(text: str) -> int:
    return int(text[:-2]) * UNITS[text[-2:]]


async def test_google_takes_auth_with_the_secret_of_its_file(cluster: dict[str, Played]) -> None:
    played = cluster["auth-web"]
    settings = configuration(TREE, played.pod)
    token = caller_token(
        key=CALLER_KEY,
        issuer=settings["CAUSEWAY_CALLER_ISSUER"],
        audience=settings["CAUSEWAY_CALLER_AUDIENCE"],
    )

    status, said = await get(f"{played.url}/v1/google/health", **bearer(token))

    assert status == 200
    assert said["client"]["accepted"] is True, said
    assert said["certs"]["reachable"] is True, said


async def test_the_emulator_pushes_to_mail(cluster: dict[str, Played]) -> None:
    mail, emulator = cluster["mail-web"], cluster["emulator"]
    settings = configuration(TREE, mail.pod)
    subscription = settings["CAUSEWAY_GMAIL_TOPIC"].replace("/topics/", "/subscriptions/") + "-push"

    _, said = await get(f"{emulator.url}/v1/{subscription}")

    assert said["pushConfig"]["oidcToken"] == {
        "serviceAccountEmail": settings["CAUSEWAY_PUSH_SERVICE_ACCOUNT"],
        "audience": settings["CAUSEWAY_PUSH_AUDIENCE"],
    }
    assert (
        said["pushConfig"]["pushEndpoint"] == f"http://mail-web:{mail.port}/webhooks/google/gmail"
    )


@pytest.mark.parametrize("name", [f"{service}-web" for service in SERVICES])
async def test_a_web_process_that_ends_is_unready_first_and_answers_on(
    cluster: dict[str, Played], name: str
) -> None:
    played = cluster[name]
    podman("kill", "--signal=TERM", played.container)

    async def unready() -> bool:
        return (await get(f"{played.url}/readyz"))[0] == 503

    await eventually(unready, timeout_s=3)
    assert (await get(f"{played.url}/healthz"))[0] == 200
    await ended(played)


@pytest.mark.parametrize("name", [f"{service}-worker" for service in SERVICES])
async def test_a_worker_ends_when_it_is_told_to(cluster: dict[str, Played], name: str) -> None:
    podman("kill", "--signal=TERM", cluster[name].container)

    await ended(cluster[name])


async def ended(played: Played) -> None:
    grace = played.pod.spec["terminationGracePeriodSeconds"]
    await eventually(played.has_ended, timeout_s=grace)
    assert played.state()["State"]["ExitCode"] == 0, played.log()
