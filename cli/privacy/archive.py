"""The file an export becomes: a ZIP with a page to read first, and a file for each kind."""

import json
import os
import re
import zipfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

README = """What Causeway holds about one person
=====================================

Made {made}, tenant {tenant}, for {whose}.

Each folder is a service; each file in it holds one kind of record, one JSON object a line (UTF-8).
Times are UTC. `mail/message.ndjson` has the messages the person takes part in or is mentioned in,
with all that is stored of them; those with `"traced": true` are traces: ids, a date, and hashes by
which they would be found. `calendar/event.ndjson` has the events they are invited to or named in,
once for every calendar. `contacts/contact.ndjson` has the contacts that have an address of theirs
or name them, and `contacts/person of the address book.ndjson` what address books at Google had of
them. Other people's data may be in them: look before you hand this out (GDPR article 15(4)).

Not in here: tokens and other secrets; what only counts or schedules work; what is at Google, in
the CRM itself, in backups, and in the event log, which keeps events for a fixed time.

{counts}
"""


class Archive:
    """Writes records as they come; the file is there only once it is whole.

    On the way it is a file of its own beside it, readable by its owner alone.
    """

    def __init__(self, path: Path, *, tenant: str, whose: str) -> None:
        self._path, self._draft = path, path.with_name(f".{path.name}.part")
        self._facts = {"tenant": tenant, "whose": whose}
        self.counts: Counter[tuple[str, str]] = Counter()
        self._open: tuple[str, str] | None = None
        self._member: Any = None

    def __enter__(self) -> Self:
        """Begin the file.

        Raises:
            OSError: it cannot be written.
        """
        handle = os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._file = os.fdopen(handle, "wb")
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_DEFLATED)
        return self

    def add(self, service: str, kind: str, data: Any) -> None:
        """Add a record; those of one kind should come together."""
        place = (service, kind)
        if self._open != place:
            self._close_member()
            part = sum(1 for name in self._zip.namelist() if name.startswith(_name(*place)))
            more = f"-{part + 1}" if part else ""
            self._member = self._zip.open(f"{_name(*place)}{more}.ndjson", "w", force_zip64=True)
            self._open = place
        self._member.write(json.dumps(data, ensure_ascii=False).encode() + b"\n")
        self.counts[place] += 1

    def _close_member(self) -> None:
        if self._member is not None:
            self._member.close()
            self._member = self._open = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the file, or leave none."""
        self._close_member()
        if kind is None:
            made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
            lines = [f"{count:8}  {of}: {what}" for (of, what), count in self.counts.items()]
            counts = "\n".join(lines) or "Nothing is held."
            self._zip.writestr("README.txt", README.format(made=made, counts=counts, **self._facts))
        self._zip.close()
        self._file.close()
        if kind is None:
            self._draft.replace(self._path)
        else:
            self._draft.unlink(missing_ok=True)


def _name(service: str, kind: str) -> str:
    return f"{service}/{re.sub(r'[^a-z]+', '-', kind)}"
