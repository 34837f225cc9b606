"""The commands `causeway privacy export` and `causeway privacy erase`."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import typer
from rich.console import Console
from stamina.instrumentation import set_on_retry_hooks

from cli.local.process import LocalStackError
from cli.local.state import StateDirectory
from cli.privacy.archive import Archive
from cli.privacy.asking import Asker, NotAnswered
from cli.privacy.targets import Target, Where, targets
from cli.settings import StackSettings

app = typer.Typer(no_args_is_help=True, help="One person's data: show it, erase it.")
out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)

AGAIN = "It can be run again at any time: what is done stays done."

Tenant = Annotated[str, typer.Option(help="The CRM tenant.")]
User = Annotated[str | None, typer.Option(help="A CRM user, whose mailboxes these are.")]
Address = Annotated[
    list[str] | None,
    typer.Option(help="An address of somebody who corresponds with the tenant; repeat it."),
]
OnCompose = Annotated[bool, typer.Option("--compose", help="The stack that Docker Compose runs.")]
Url = Annotated[str | None, typer.Option(help="A deployment's origin, such as https://crm.example")]
TokenFile = Annotated[
    Path | None, typer.Option(help="A file with a token of a CRM service of the tenant.")
]


@app.command()
def export(
    *,
    tenant: Tenant,
    user: User = None,
    address: Address = None,
    out_file: Annotated[Path, typer.Option("--out", help="The ZIP file to write.")],
    on_compose: OnCompose = False,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Write all that every service holds about a person into a ZIP file."""
    where = Where(tenant=tenant, on_compose=on_compose, url=url, token_file=token_file)
    with _explained():
        person, asked = _person(user, address), _targets(where)
        with Archive(out_file, tenant=tenant, whose=_whose(person)) as archive:
            asyncio.run(_export(asked, person, archive))
    for (service, kind), count in archive.counts.items():
        out.print(f"{service:10} {count:8}  {kind}", markup=False)
    out.print(f"written to {out_file}", markup=False)


@app.command()
def erase(
    *,
    tenant: Tenant,
    user: User = None,
    address: Address = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; otherwise only say what would be erased.")
    ] = False,
    on_compose: OnCompose = False,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Say what would be erased of a person in every service; with --yes erase it for good."""
    where = Where(tenant=tenant, on_compose=on_compose, url=url, token_file=token_file)
    with _explained():
        person, asked = _person(user, address), _targets(where)
        failed = asyncio.run(_erase(asked, person, dry_run=not yes))
    if failed:
        err.print(f"not done by: {', '.join(failed)}. {AGAIN}", style="red", markup=False)
        raise typer.Exit(1)
    if not yes:
        out.print("Nothing was changed. To erase it for good, say --yes.")


@contextmanager
def _explained() -> Iterator[None]:
    set_on_retry_hooks(())  # they would write to stdout, among the answers
    try:
        yield
    except (LocalStackError, NotAnswered, OSError) as exc:
        err.print(f"causeway: {exc}", style="red", markup=False)
        raise typer.Exit(1) from exc
    except KeyboardInterrupt as exc:
        err.print(AGAIN)
        raise typer.Exit(130) from exc


def _targets(where: Where) -> list[Target]:
    settings = StackSettings()
    return targets(where, settings, StateDirectory(settings.state_dir))


def _person(user: str | None, addresses: list[str] | None) -> dict[str, Any]:
    if user is None and not addresses:
        raise LocalStackError("say whose data: --user or --address")
    return {"user_id": user, "addresses": addresses or []}


def _whose(person: dict[str, Any]) -> str:
    named = [*([f"user {person['user_id']}"] if person["user_id"] else []), *person["addresses"]]
    return ", ".join(named)


async def _export(asked: list[Target], person: dict[str, Any], archive: Archive) -> None:
    async with aiohttp.ClientSession() as session:
        asker = Asker(session, person)
        for target in asked:
            try:
                async for record in asker.export(target):
                    archive.add(target.service, record["record"], record["data"])
            except NotAnswered as exc:
                raise NotAnswered(
                    f"{target.service} ({target.origin}): {exc}. Nothing was written; try again."
                ) from exc


async def _erase(asked: list[Target], person: dict[str, Any], *, dry_run: bool) -> list[str]:
    """Ask every service in turn; return those that could not do it."""
    failed = []
    async with aiohttp.ClientSession() as session:
        asker = Asker(session, person)
        for target in asked:
            try:
                _show(target, await asker.erase(target, dry_run=dry_run))
            except NotAnswered as exc:
                err.print(f"{target.service} ({target.origin}): {exc}", style="red", markup=False)
                failed.append(target.service)
    return failed


def _show(target: Target, ended: dict[str, Any]) -> None:
    verb = "would go" if ended["kind"] == "count" else "gone"
    for kind, count in sorted(ended["found"].items()):
        out.print(f"{target.service:10} {count:8}  {kind}: {verb}", markup=False)
    if not ended["found"]:
        out.print(f"{target.service:10}        0  nothing is held", markup=False)
    for note in ended["notes"]:
        out.print(f"{target.service:10}           {_in_words(note)}", markup=False)


def _in_words(note: str) -> str:
    """Return a note as a sentence."""
    name, _, rest = note.partition(":")
    said = {
        "crm-entity": f"the CRM's own entity {rest} names them: correct or delete it there",
        "events-stay-in-google": "events that name them stay in Google Calendar: change "
        "them there, or their next change brings the person back",
        "people-stay-in-google": "address books at Google still have them: delete them there; "
        "here they are not taken in again",
        "their-calendar-is-read": f"the calendar {rest} is theirs: choose it no more",
        "drafts-stay-in-gmail": "drafts that name them stay in Gmail: delete them there",
        "blocklist-keeps-them-out": "a mailbox's blocklist names them, and keeps their mail out",
        "also-a-user": f"the address is a mailbox of the user {rest}: see --user",
        "account-kept": "a Google account stays: another connection uses it",
    }
    return said.get(name, note)
