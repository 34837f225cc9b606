"""Real mail is put into a mailbox of the emulator."""

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from cli.emulator import Loaded, Refused, load
from cli.local.process import LocalStackError
from cli.local.state import Phase, StackState
from emulator.config import Switches
from tests.cli.stacks import own_stack
from tests.emulated import Emulated, running_emulator

ALICE = "alice@example.com"
FEBRUARY = "Thu, 01 Feb 2024 00:00:00 +0000"
FEBRUARY_MS = "1706745600000"

Json = dict[str, Any]


class Loading:
    """An emulator, and what the loaded messages look like through Gmail."""

    def __init__(self, google: Emulated, session: aiohttp.ClientSession) -> None:
        self.google = google
        self.session = session

    async def load(self, path: Path, email: str = ALICE, **options: Any) -> Loaded:
        return await load(self.session, self.google.origin, email, path, **options)

    async def get(self, path: str, **query: str) -> Json:
        scopes = {"scopes": ["https://mail.google.com/"]}
        tokens = await self.google.control("POST", f"people/{ALICE}/tokens", scopes)
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        url = f"{self.google.origin}/gmail/v1/users/me/{path}"
        async with self.session.get(url, params=query, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            found: Json = await answer.json()
            return found

    async def message(self, message_id: str) -> Json:
        return await self.get(f"messages/{message_id}", format="minimal")

    async def raw(self, message_id: str) -> bytes:
        shown = await self.get(f"messages/{message_id}", format="raw")
        return base64.urlsafe_b64decode(shown["raw"])

    async def labels(self, message_id: str) -> list[str]:
        names = {label["id"]: label["name"] for label in (await self.get("labels"))["labels"]}
        return [names[label] for label in (await self.message(message_id)).get("labelIds", [])]


@pytest.fixture
async def loading() -> AsyncIterator[Loading]:
    switches = Switches(check_answers=True)
    async with (
        running_emulator(people=(ALICE,), switches=switches) as google,
        aiohttp.ClientSession() as session,
    ):
        yield Loading(google, session)


def mail(subject: str = "Hi", *, text: str = "Hello.", **headers: str) -> bytes:
    lines = {"From": "bob@example.net", "Subject": subject, "Date": FEBRUARY, **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in lines.items())
    return f"{head}\n{text}\n".encode()


def takeout(folder: Path, *messages: bytes) -> Path:
    """An mbox file as Google Takeout writes it."""
    path = folder / "All mail.mbox"
    postmark = b"From 1789@xxx Thu Feb 01 00:00:00 +0000 2024\n"
    path.write_bytes(b"".join(postmark + message + b"\n" for message in messages))
    return path


async def test_every_message_of_an_export_is_loaded_in_order(
    loading: Loading, tmp_path: Path
) -> None:
    path = takeout(tmp_path, mail("One"), mail("Two", text="From here\n>From there"))
    path.write_bytes(path.read_bytes().replace(b"\nFrom here\n>From", b"\n>From here\n>>From"))
    told: list[tuple[int, int]] = []

    loaded = await loading.load(path, tell=lambda done, total: told.append((done, total)))

    assert loaded.refused == ()
    raws = [await loading.raw(message_id) for message_id in loaded.ids]
    assert raws == [mail("One"), mail("Two", text="From here\n>From there")]
    assert told == [(0, 2), (1, 2), (2, 2)]


@pytest.mark.parametrize(
    ("exported", "labels"),
    [
        ("Inbox,Unread", ["INBOX", "UNREAD"]),
        ("Opened,Inbox,Important", ["INBOX", "IMPORTANT"]),
        ("Sent", ["SENT"]),
        ("Trash,Starred", ["TRASH", "STARRED"]),
        ("Spam,Category Promotions", ["SPAM", "CATEGORY_PROMOTIONS"]),
        ("Archived,Opened", []),
        ('Inbox,"Leads, hot",Work/2024', ["INBOX", "Leads, hot", "Work/2024"]),
        ("=?UTF-8?Q?Inbox,Caf=C3=A9,?=\n =?UTF-8?Q?Opened?=", ["INBOX", "Café"]),
    ],
)
async def test_the_labels_of_an_export_are_kept(
    loading: Loading, tmp_path: Path, exported: str, labels: list[str]
) -> None:
    (message_id,) = (await loading.load(takeout(tmp_path, mail(X_Gmail_Labels=exported)))).ids

    assert await loading.labels(message_id) == labels


async def test_messages_of_an_exported_thread_stay_together(
    loading: Loading, tmp_path: Path
) -> None:
    path = takeout(
        tmp_path,
        mail("One", X_GM_THRID="1789"),
        mail("Two", X_GM_THRID="1789"),
        mail("One", X_GM_THRID="1790"),
    )

    loaded = await loading.load(path)

    one, two, other = [(await loading.message(i))["threadId"] for i in loaded.ids]
    assert one == two != other


async def test_what_the_export_added_to_a_message_is_taken_out(
    loading: Loading, tmp_path: Path
) -> None:
    exported = mail(X_GM_THRID="1789", X_Gmail_Labels="Inbox,\n Unread")

    (message_id,) = (await loading.load(takeout(tmp_path, exported))).ids

    assert await loading.raw(message_id) == mail()


async def test_an_exported_draft_is_a_draft(loading: Loading, tmp_path: Path) -> None:
    (message_id,) = (await loading.load(takeout(tmp_path, mail(X_Gmail_Labels="Draft")))).ids

    (draft,) = (await loading.get("drafts"))["drafts"]
    assert draft["message"]["id"] == message_id


async def test_the_files_of_a_folder_are_loaded_byte_by_byte(
    loading: Loading, tmp_path: Path
) -> None:
    contents = {
        "a.eml": b"Subject: caf\xe9\r\n\r\n\xff\xfe 8-bit\r\n",
        "b/c.EML": b"From bob@example.net Thu Feb 01 00:00:00 2024\nSubject: x\n\nFrom me\n",
        "notes.txt": b"no mail",
    }
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)

    loaded = await loading.load(tmp_path)

    raws = [await loading.raw(message_id) for message_id in loaded.ids]
    assert raws == [contents["a.eml"], b"Subject: x\n\nFrom me\n"]
    assert await loading.labels(loaded.ids[0]) == ["INBOX", "UNREAD"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Date": FEBRUARY},
        {"Date": "Thu, 01 Feb 2024 00:00:00"},
        {"Date": "yesterday", "Received": f"from mx.example.net by mx; {FEBRUARY}"},
        {"Date": "Mon, 01 Jan 1900 00:00:00 +0000", "Received": f"by mx; {FEBRUARY}"},
    ],
)
async def test_a_message_is_as_old_as_its_headers_say(
    loading: Loading, tmp_path: Path, headers: dict[str, str]
) -> None:
    (message_id,) = (await loading.load(takeout(tmp_path, mail(**headers)))).ids

    assert (await loading.message(message_id))["internalDate"] == FEBRUARY_MS


async def test_a_message_without_a_readable_date_arrives_now(
    loading: Loading, tmp_path: Path
) -> None:
    before = (await loading.google.control("GET", "clock"))["now_ms"]

    (message_id,) = (await loading.load(takeout(tmp_path, mail(Date="soon")))).ids

    assert int((await loading.message(message_id))["internalDate"]) >= before


async def test_what_cannot_be_loaded_is_told_and_the_rest_is_loaded(
    loading: Loading, tmp_path: Path
) -> None:
    (tmp_path / "empty.eml").write_bytes(b"\n")
    (tmp_path / "good.eml").write_bytes(mail())
    (tmp_path / "label.eml").write_bytes(mail(X_Gmail_Labels="x" * 300))

    loaded = await loading.load(tmp_path)

    assert len(loaded.ids) == 1
    assert loaded.refused == (
        Refused("empty.eml", "the message is empty"),
        Refused("label.eml", "Invalid label name"),
    )


async def test_a_person_who_is_not_there_yet_is_made(loading: Loading, tmp_path: Path) -> None:
    loaded = await loading.load(takeout(tmp_path, mail()), "bob@example.com")

    shown = await loading.google.control("GET", "people/bob@example.com/mailbox")
    assert [m["id"] for m in shown["messages"]] == list(loaded.ids)


async def test_a_message_too_large_for_gmail_json_is_loaded(
    loading: Loading, tmp_path: Path
) -> None:
    raw = mail() + (b"x" * 998 + b"\n") * 36_000
    (tmp_path / "large.eml").write_bytes(raw)

    (message_id,) = (await loading.load(tmp_path)).ids

    assert (await loading.message(message_id))["sizeEstimate"] == len(raw)


@pytest.mark.parametrize("name", ["missing", "notes.txt", "folder", "empty.mbox"])
async def test_a_path_that_holds_no_mail_is_named(
    loading: Loading, tmp_path: Path, name: str
) -> None:
    (tmp_path / "notes.txt").write_text("no mail")
    (tmp_path / "empty.mbox").touch()
    (tmp_path / "folder").mkdir()

    with pytest.raises(LocalStackError, match=f"{name} is neither"):
        await loading.load(tmp_path / name)


async def test_an_origin_without_an_emulator_is_named(loading: Loading, tmp_path: Path) -> None:
    path = takeout(tmp_path, mail())

    with pytest.raises(LocalStackError, match=r"there is no emulator at http://127\.0\.0\.1:1"):
        await load(loading.session, "http://127.0.0.1:1/", ALICE, path)


async def test_somebody_without_an_address_has_no_mailbox(loading: Loading, tmp_path: Path) -> None:
    with pytest.raises(LocalStackError, match="nobody is no address"):
        await loading.load(takeout(tmp_path, mail()), "nobody")


async def test_the_command_says_how_many_were_loaded_and_why_others_were_not(
    loading: Loading, tmp_path: Path
) -> None:
    (tmp_path / "empty.eml").touch()
    (tmp_path / "good.eml").write_bytes(mail())
    words = ("emulator", "load", str(tmp_path), "--person", ALICE)

    with own_stack() as stack:
        ended = await asyncio.to_thread(stack.run, *words, "--origin", loading.google.origin)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == [
        f"1 loaded into the mailbox of {ALICE}",
        "not loaded: empty.eml: the message is empty",
    ]


async def test_the_command_fails_when_the_path_holds_no_mail(
    loading: Loading, tmp_path: Path
) -> None:
    words = ("emulator", "load", str(tmp_path / "none"), "--person", ALICE)

    with own_stack() as stack:
        ended = await asyncio.to_thread(stack.run, *words, "--origin", loading.google.origin)

    assert ended.returncode == 1
    assert str(tmp_path / "none") in ended.stderr


async def test_the_command_needs_a_running_stack_or_an_origin(tmp_path: Path) -> None:
    with own_stack() as stack:
        ended = await asyncio.to_thread(
            stack.run, "emulator", "load", str(takeout(tmp_path, mail())), "--person", ALICE
        )

    assert ended.returncode == 1
    assert "nothing is running" in ended.stderr


async def test_the_command_finds_the_emulator_of_the_running_stack(
    loading: Loading, tmp_path: Path
) -> None:
    words = ("emulator", "load", str(takeout(tmp_path, mail())), "--person", ALICE)

    with own_stack() as stack:
        stack.home.create()
        stack.home.write(StackState(phase=Phase.READY, supervisor=0))
        stack.home.write_environments(
            {"auth/web": {"CAUSEWAY_GOOGLE_ORIGIN": loading.google.origin}}
        )
        with stack.home.lock():
            ended = await asyncio.to_thread(stack.run, *words)

    assert ended.stdout == f"1 loaded into the mailbox of {ALICE}\n"


@pytest.mark.parametrize(
    "junk",
    [
        b"X-Gmail-Labels: =?nonsense?Q?a?=, caf\xe9\n\nx",
        b'X-Gmail-Labels: "unclosed, Inbox\nDate: \xff\xfe\n\nx',
        b"X-Gmail-Labels:\nX-GM-THRID: caf\xe9\nDate: Fri, 31 Feb 99999 25:00:00 +9999\n\nx",
        b"Date: Mon, 01 Jan 0001 00:00:00 +1400\nReceived: ;;;\n\nx",
        b"X-Gmail-Labels: " + b"a" * 200_000 + b"\n\nx",
        bytes(range(256)),
    ],
)
async def test_whatever_the_headers_hold_the_message_is_judged(
    loading: Loading, tmp_path: Path, junk: bytes
) -> None:
    (tmp_path / "junk.eml").write_bytes(junk)

    loaded = await loading.load(tmp_path)

    assert len(loaded.ids) + len(loaded.refused) == 1
