"""A backup is restored: what came after it comes again, and nothing that was told is taken back."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.local.postgres import find_binaries
from cli.settings import PROJECT
from tests import messaging
from tests.databases import NewDatabase
from tests.faults.paths import ALICE, Counted, one_mailbox, told_of
from tests.house.building import built
from tests.house.house import House
from tests.house.programs import Program
from tests.house.truth import mailbox_differences
from tests.support import eventually

pytestmark = pytest.mark.timeout(240)
URLS = {"auth": "CAUSEWAY_AUTH_DATABASE_URL", "mail": "CAUSEWAY_MAIL_DATABASE_URL"}


def servers_tool(name: str, *words: str) -> None:
    """Run one of PostgreSQL's programs."""
    command = [str(find_binaries() / name), *words]
    subprocess.run(command, check=True, timeout=60, capture_output=True)  # noqa: S603 - ours


def one_of(house: House, service: str) -> Program:
    return next(one for one in house.programs.values() if one.service == service)


def back_up(house: House, folder: Path) -> None:
    for service, variable in URLS.items():
        url = one_of(house, service).env[variable]
        servers_tool("pg_dump", "--format=custom", f"--file={folder / service}", url)


def restore(house: House, folder: Path) -> None:
    for service, variable in URLS.items():
        url = one_of(house, service).env[variable]
        clean = ("--clean", "--if-exists", "--no-owner", "--single-transaction")
        servers_tool("pg_restore", *clean, f"--dbname={url}", str(folder / service))


def put_right(house: House, since: datetime) -> None:
    for service in URLS:
        words = ["-m", f"services.{service}", "restored", "--since", since.isoformat()]
        subprocess.run(  # noqa: S603 - our own program
            [sys.executable, *words],
            env=one_of(house, service).env,
            cwd=PROJECT,
            check=True,
            timeout=60,
            capture_output=True,
        )


def numbers(house: House) -> dict[str, list[int]]:
    """Return what each aggregate's events were numbered, in the order they came."""
    found: dict[str, list[int]] = {}
    for event in house.events():
        if not event.type.startswith("crm."):
            found.setdefault(event.subject, []).append(int(event.sequence))
    return found


async def same_as_google(house: House) -> bool:
    assert not (wrong := await mailbox_differences(house)), wrong
    return True


async def test_an_older_backup_is_made_up_for_by_the_feeds_and_no_number_is_given_twice(
    new_database: NewDatabase, amqp_url: str, tmp_path: Path
) -> None:
    async with built(new_database, amqp_url) as house:
        await one_mailbox(house)
        starred = await house.deliver(ALICE, subject="starred")
        lost = await house.deliver(ALICE, subject="lost")
        await house.quiet()
        back_up(house, tmp_path)
        since = datetime.now(UTC)
        new = await house.deliver(ALICE, subject="new", **{"from": "lead@example.org"})
        await eventually(Counted(house, {new["id"]: ["received"]}).done)
        await house.edit(ALICE, starred["id"], "star")
        await house.edit(ALICE, lost["id"], "delete")
        lead = told_of("lead")
        await messaging.send(house.amqp_url, lead.to_json(), key=lead.type)
        await eventually(lambda: house.events("mail.activity.logged."))
        await house.quiet()
        before = numbers(house)

        for program in house.programs.values():
            await program.stop()
        restore(house, tmp_path)
        put_right(house, since)
        await house.start()

        await eventually(lambda: same_as_google(house), timeout_s=60)
        await house.edit(ALICE, starred["id"], "unstar")
        await eventually(lambda: same_as_google(house), timeout_s=60)
        await eventually(lambda: entities(house))
        await eventually(lambda: len(house.events("mail.activity.logged.")) > 1)
        await house.quiet()
        after = numbers(house)
        for subject, given in after.items():
            assert given == sorted(set(given)), subject
        assert any(len(after[subject]) > len(given) for subject, given in before.items())


async def entities(house: House) -> bool:
    return bool(await house.mail_db.fetchval("SELECT count(*) FROM entities"))
