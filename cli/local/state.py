"""What the stack remembers in its state directory: a lock, its secrets, what runs where."""

import fcntl
import hashlib
import os
import secrets
import shutil
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from cli.local.process import LocalStackError, ProcessId, unprivileged_account, wait_until

SYSTEM_DATA = Path("/var/lib/causeway-local")
RAW_KEY_BYTES = 32
LOCK_WAIT_S = 1.0


# Product settings of every service process, by "service/role".
Environments = Mapping[str, Mapping[str, str]]
ENVIRONMENTS = TypeAdapter[dict[str, dict[str, str]]](dict[str, dict[str, str]])


class Phase(StrEnum):
    """Where the supervisor is."""

    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    STOPPING = "stopping"


class Part(BaseModel):
    """One process of the stack, or an existing server it was pointed at (no pid then)."""

    model_config = ConfigDict(frozen=True)

    name: str
    role: str
    url: str
    pid: int | None = None
    started: int | None = None

    def process(self) -> ProcessId | None:
        """Return the identity of the part's process, if it is ours."""
        if self.pid is None or self.started is None:
            return None
        return ProcessId(self.pid, self.started)


class StackState(BaseModel):
    """The stack as its supervisor last saw it; holds no secret."""

    model_config = ConfigDict(frozen=True)

    phase: Phase
    message: str = ""
    supervisor: int
    parts: tuple[Part, ...] = ()
    helpers: tuple[Part, ...] = ()  # processes that belong to a part, such as a name mapper

    def url(self, name: str, role: str) -> str:
        """Return the address of a part.

        Raises:
            LocalStackError: the stack has no such part.
        """
        for part in self.parts:
            if (part.name, part.role) == (name, role):
                return part.url
        raise LocalStackError(f"the stack has no {name} ({role})")


def _key() -> str:
    return secrets.token_urlsafe(36)


def _raw_key() -> str:
    return b64encode(secrets.token_bytes(RAW_KEY_BYTES)).decode()


class Secrets(BaseModel):
    """Generated once per state directory, never printed."""

    model_config = ConfigDict(frozen=True)

    postgres: str = Field(default_factory=_key, repr=False)
    rabbitmq: str = Field(default_factory=_key, repr=False)
    roles: str = Field(default_factory=_key, repr=False)
    service_key: str = Field(default_factory=_key, repr=False)
    caller_key: str = Field(default_factory=_key, repr=False)
    google_client: str = Field(default_factory=_key, repr=False)
    sealing_key: str = Field(default_factory=_raw_key, repr=False)
    mail_hash_key: str = Field(default_factory=_raw_key, repr=False)

    def role_password(self, service: str) -> str:
        """Return the password of a service's database role (hexadecimal)."""
        return hashlib.sha256(f"{self.roles}/{service}".encode()).hexdigest()


class StateDirectory:
    """The folder `.causeway/`, private to its owner (and to PostgreSQL's account under root)."""

    def __init__(self, path: Path, *, scratch: bool = False) -> None:
        """With `scratch`, data live in a folder that `wipe` may empty at will."""
        self.path = path.resolve()
        self._scratch = scratch

    @property
    def logs(self) -> Path:
        """The folder of log files, one per process."""
        return self.path / "logs"

    @property
    def rabbitmq(self) -> Path:
        """RabbitMQ's folder."""
        return self._data / "rabbitmq"

    @property
    def postgres(self) -> Path:
        """PostgreSQL's folder: elsewhere when root's clone lies where others cannot go."""
        if not self._elsewhere():
            return self._data / "postgres"
        return SYSTEM_DATA / hashlib.sha256(str(self._data).encode()).hexdigest()[:16]

    @property
    def _data(self) -> Path:
        return self.path / ("scratch" if self._scratch else "data")

    def _elsewhere(self) -> bool:
        return unprivileged_account() is not None and not _others_may_enter(self.path.parent)

    def wipe(self) -> None:
        """Delete what PostgreSQL and RabbitMQ keep; nothing may be running."""
        for folder in (self.postgres, self.rabbitmq):
            shutil.rmtree(folder, ignore_errors=True)

    def create(self) -> None:
        """Create the folder if need be, and close it to others."""
        for folder in (self.path, self.logs, self._data):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
        if self._elsewhere():
            SYSTEM_DATA.mkdir(exist_ok=True)
            SYSTEM_DATA.chmod(0o711)
        elif account := unprivileged_account():
            # root's postgres runs as another account, whose group may pass through
            for folder in (self.path, self._data):
                os.chown(folder, 0, account.gid)
                folder.chmod(0o710)

    def secrets(self) -> Secrets:
        """Return the secrets, generated at first use."""
        file = self.path / "secrets.json"
        kept = Secrets.model_validate_json(file.read_bytes() if file.exists() else b"{}")
        if kept.model_fields_set != set(Secrets.model_fields):  # also those of an older release
            _write(file, kept.model_dump_json())
        return kept

    def read(self) -> StackState | None:
        """Return what the supervisor last wrote; None if there is nothing legible."""
        try:
            return StackState.model_validate_json((self.path / "state.json").read_bytes())
        except (OSError, ValueError):
            return None

    def write(self, state: StackState) -> None:
        """Replace what is remembered, in one step."""
        _write(self.path / "state.json", state.model_dump_json(indent=1))

    def environments(self) -> Environments:
        """Return the settings the services were started with; they hold every secret."""
        try:
            return ENVIRONMENTS.validate_json((self.path / "environment.json").read_bytes())
        except (OSError, ValueError):
            return {}

    def write_environments(self, environments: dict[str, dict[str, str]]) -> None:
        """Remember the settings the services are started with."""
        _write(self.path / "environment.json", ENVIRONMENTS.dump_json(environments).decode())

    def running(self) -> StackState | None:
        """Return the state of the stack that runs here; None if none does."""
        return self.read() if self.locked() else None

    def locked(self) -> bool:
        """Tell whether a supervisor holds this directory (the kernel frees it when it dies)."""
        try:
            with self._lock_file("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the directory for the length of the block.

        Raises:
            LocalStackError: another supervisor holds it.
        """
        with self._lock_file("ab") as file:
            # `locked` holds it for a moment too: one refusal says nothing yet
            if not wait_until(lambda: _try_lock(file), timeout_s=LOCK_WAIT_S):
                raise LocalStackError("the stack is already running")
            yield

    def _lock_file(self, mode: str) -> IO[bytes]:
        return (self.path / "lock").open(mode)


def _try_lock(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write(file: Path, text: str) -> None:
    draft = file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(file)


def _others_may_enter(folder: Path) -> bool:
    return all(path.stat().st_mode & 0o001 for path in (folder, *folder.parents))
