"""`causeway emulator`: real mail for the Google stand-in.

Google Takeout adds two headers to every message of its mbox files: X-Gmail-Labels (English names
are understood) and X-GM-THRID. They say where the message goes and are then taken out of it.
"""

import asyncio
import csv
import io
import mailbox
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

import aiohttp
import typer
from rich.console import Console
from rich.progress import Progress

from cli.demo.google import has_control_api
from cli.local.process import LocalStackError
from cli.local.state import StateDirectory
from cli.settings import StackSettings
from cli.takeout import EXPORT_HEADERS, HEAD_END, POSTMARK, QUOTED_POSTMARK, SYSTEM_LABELS

app = typer.Typer(no_args_is_help=True, help="The Google stand-in of the stack.")

_MEDIA_TYPE: Final = "message/rfc822"
_TIMEOUT: Final = aiohttp.ClientTimeout(total=120)
_NO_LABELS: Final = frozenset({"", "opened", "archived"})


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that was not loaded: its file or number, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of the messages: Google's ids of the loaded ones, in order, and the rest."""

    ids: tuple[str, ...]
    refused: tuple[Refused, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    name: str
    read: Callable[[], bytes]


def _untold(_done: int, _total: int) -> None:
    """Tell nobody how far it is."""


@app.command("load")
def load_command(
    path: Annotated[Path, typer.Argument(help="An mbox file, or a folder with .eml files.")],
    *,
    person: Annotated[str, typer.Option(help="Whose mailbox it is; made if there is none.")],
    origin: Annotated[
        str | None, typer.Option(help="The emulator; by default that of the running stack.")
    ] = None,
) -> None:
    """Put real mail, such as a Google Takeout export, into a mailbox of the emulator."""
    console = Console(stderr=True, soft_wrap=True)
    try:
        address = origin or running_origin(StateDirectory(StackSettings().state_dir))
        loaded = asyncio.run(_load_and_show(console, address, person, path))
    except LocalStackError as exc:
        console.print(f"causeway: {exc}", style="red", markup=False, highlight=False)
        raise typer.Exit(1) from exc
    except KeyboardInterrupt as exc:
        raise typer.Exit(130) from exc
    sys.stdout.write(f"{len(loaded.ids)} loaded into the mailbox of {person}\n")
    for refused in loaded.refused:
        sys.stdout.write(f"not loaded: {refused.name}: {refused.why}\n")


def running_origin(home: StateDirectory) -> str:
    """Return where the Google of the running stack is.

    Raises:
        LocalStackError: nothing is running.
    """
    origin = home.environments().get("auth/web", {}).get("CAUSEWAY_GOOGLE_ORIGIN")
    if home.running() is None or origin is None:
        raise LocalStackError("nothing is running: start it with `make up`, or give --origin")
    return origin


async def load(
    session: aiohttp.ClientSession,
    origin: str,
    email: str,
    path: Path,
    *,
    tell: Callable[[int, int], None] = _untold,
) -> Loaded:
    """Load an mbox file, or the .eml files of a folder and the folders in it.

    Args:
        session: used for the control API.
        origin: where the emulator is.
        email: whose mailbox it is; the person is created if there is none.
        path: the file or the folder.
        tell: is called with how many messages are done, and how many there are.

    Raises:
        LocalStackError: `path` is none of both, there is no emulator at `origin`, or it went away.
    """
    origin = origin.rstrip("/")
    with _opened(path) as found:
        if not await has_control_api(session, origin):
            raise LocalStackError(f"there is no emulator at {origin}")
        try:
            return await _load_all(_Mailbox(session, origin, email), found, tell)
        except (aiohttp.ClientError, TimeoutError) as exc:
            raise LocalStackError(f"the emulator at {origin} does not answer") from exc


async def _load_and_show(console: Console, origin: str, email: str, path: Path) -> Loaded:
    bar = Progress(console=console, transient=True, disable=not console.is_terminal)
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
        with bar:
            task = bar.add_task("loading", total=None)
            return await load(
                session,
                origin,
                email,
                path,
                tell=lambda done, total: bar.update(task, completed=done, total=total),
            )


async def _load_all(
    box: "_Mailbox", found: list[_Found], tell: Callable[[int, int], None]
) -> Loaded:
    ids: list[str] = []
    refused: list[Refused] = []
    await box.move_in()
    tell(0, len(found))
    for done, one in enumerate(found, start=1):
        try:
            ids.append(await box.put(await _content(one)))
        except _NotTakenError as exc:
            refused.append(Refused(one.name, str(exc)))
        tell(done, len(found))
    return Loaded(tuple(ids), tuple(refused))


class _NotTakenError(Exception):
    """A message that cannot be read, or that the emulator refused, and why."""


async def _content(one: _Found) -> bytes:
    try:
        return await asyncio.to_thread(one.read)
    except OSError as exc:
        raise _NotTakenError(exc.strerror or "it cannot be read") from exc


class _Mailbox:
    """A person's mailbox behind the control API."""

    def __init__(self, session: aiohttp.ClientSession, origin: str, email: str) -> None:
        self._session = session
        self._people = f"{origin}/_emulator/people"
        self._email = email

    async def move_in(self) -> None:
        """Make the person known."""
        try:
            await self._post(self._people, json={"email": self._email})
        except _NotTakenError as exc:
            raise LocalStackError(f"{self._email} is no address of a person: {exc}") from exc

    async def put(self, raw: bytes) -> str:
        """Store a message and return its id."""
        head, rest = _divided(raw)
        answer = await self._post(
            f"{self._people}/{quote(self._email)}/messages",
            data=io.BytesIO(EXPORT_HEADERS.sub(b"", head) + rest),
            params=_placing(BytesHeaderParser().parsebytes(head)),
            headers={"Content-Type": _MEDIA_TYPE},
        )
        return str(answer["id"])

    async def _post(self, url: str, **request: Any) -> Any:
        async with self._session.post(url, **request) as answer:
            if answer.ok:
                return await answer.json()
            if answer.content_type == "application/json":
                raise _NotTakenError((await answer.json())["error"])
            raise _NotTakenError(f"the emulator answered {answer.status}")


@contextmanager
def _opened(path: Path) -> Iterator[list[_Found]]:
    files = sorted(_eml_files(path)) if path.is_dir() else []
    if files:
        yield [_Found(str(file.relative_to(path)), file.read_bytes) for file in files]
    elif _is_mbox(path):
        box = mailbox.mbox(path, create=False)
        try:
            keys = enumerate(box.keys(), start=1)
            yield [_Found(f"message {n}", partial(_unquoted, box, key)) for n, key in keys]
        finally:
            box.close()
    else:
        raise LocalStackError(f"{path} is neither an mbox file nor a folder with .eml files")


def _eml_files(folder: Path) -> Iterator[Path]:
    return (file for file in folder.rglob("*") if file.suffix.lower() == ".eml" and file.is_file())


def _is_mbox(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(POSTMARK)) == POSTMARK
    except OSError:
        return False


def _unquoted(box: mailbox.mbox, key: str) -> bytes:
    """Return a message of an mbox, whose lines that begin with `From ` are quoted there."""
    return QUOTED_POSTMARK.sub(rb"\1", box.get_bytes(key))


def _divided(raw: bytes) -> tuple[bytes, bytes]:
    """Return the header and the rest of a message."""
    match = HEAD_END.search(raw)
    end = match.end() if match else len(raw)
    return raw[:end], raw[end:]


def _placing(head: Message) -> list[tuple[str, str]]:
    """Return the query that says where the message goes and when it arrived."""
    query = []
    if "X-Gmail-Labels" in head:
        labels = _labels(_decoded(head["X-Gmail-Labels"]))
        query += [("labels", name) for name in labels or [""]]
    if thread := str(head.get("X-GM-THRID", "")).strip():
        query.append(("thread_key", thread))
    arrived_ms = _arrived_ms(head)
    if arrived_ms is not None:
        query.append(("internal_date_ms", str(arrived_ms)))
    return query


def _labels(text: str) -> list[str]:
    """Return the labels of an X-Gmail-Labels header: Google's ids, and the person's own names."""
    try:
        names = next(csv.reader([text], skipinitialspace=True), [])
    except csv.Error:
        names = text.split(",")
    plain = [name.strip() for name in names]
    kept = [name for name in plain if name.lower() not in _NO_LABELS]
    return list(dict.fromkeys(SYSTEM_LABELS.get(name.lower(), name) for name in kept))


def _decoded(value: object) -> str:
    unfolded = re.sub(r"\r?\n(?=[ \t])", "", str(value))
    try:
        text = str(make_header(decode_header(unfolded)))
    except (HeaderParseError, UnicodeError, LookupError, ValueError):
        text = unfolded
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _arrived_ms(head: Message) -> int | None:
    """Return the first readable moment of the Date and Received headers, in Unix milliseconds."""
    received = (str(value).rpartition(";")[2] for value in head.get_all("Received", []))
    for text in (str(head.get("Date", "")), *received):
        try:
            moment = parsedate_to_datetime(text.strip())
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
        known = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if known.timestamp() >= 0:
            return int(known.timestamp() * 1000)
    return None
