"""A private PostgreSQL cluster: loopback TCP only, a generated password, any user, root too."""

import os
import re
import secrets
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from cli.local.process import (
    POLL_S,
    LocalStackError,
    ProcessId,
    end_child,
    free_ports,
    log_tail,
    spawn,
    unprivileged_account,
    wait_until,
)

DEBIAN_VERSIONS = Path("/usr/lib/postgresql")
OLDEST_VERSION = 15
PACKAGE = "postgresql"
ADMIN = "causeway_admin"
PID_LINE, STATUS_LINE = 0, 7  # of postmaster.pid
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
COMMON_SETTINGS = (
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=200",
    "shared_buffers=64MB",
    "jit=off",
)
# What tests need not survive: a power cut.
FAST_SETTINGS = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")


def find_binaries() -> Path:
    """Return the folder of the newest installed PostgreSQL, version 15 or later.

    Raises:
        LocalStackError: there is none; the message names the package.
    """
    found = {
        int(folder.parent.name): folder
        for folder in DEBIAN_VERSIONS.glob("*/bin")
        if folder.parent.name.isdigit() and (folder / "initdb").exists()
    }
    if on_path := shutil.which("postgres"):
        folder = Path(on_path).resolve().parent
        if (version := _version(folder)) and (folder / "initdb").exists():
            found.setdefault(version, folder)
    if not found or max(found) < OLDEST_VERSION:
        raise LocalStackError(f"PostgreSQL {OLDEST_VERSION} or later is missing: install {PACKAGE}")
    return found[max(found)]


def _version(folder: Path) -> int | None:
    answer = subprocess.run(  # noqa: S603 - a fixed program
        [folder / "postgres", "--version"], capture_output=True, text=True, timeout=10, check=False
    )
    match = re.search(r"(\d+)", answer.stdout)
    return int(match[1]) if match else None


@dataclass
class PostgresServer:
    """One cluster in `directory`, which other users must be able to reach if we are root."""

    directory: Path
    durable: bool = True
    port: int = 0  # 0: chosen at each start
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.directory / "data"

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self.directory / "postgres.log"

    def url(self, database: str = "postgres") -> str:
        """Return the administrator's address of a database; it holds the password."""
        return f"postgresql://{ADMIN}:{self.password}@127.0.0.1:{self.port}/{database}"

    def start(self, *, timeout_s: float = 60) -> None:
        """Create the cluster if need be, and start it; return once it takes connections.

        A start may be refused while the children of a killed server still hold its shared
        memory, so it is repeated until `timeout_s` seconds have passed.

        Raises:
            LocalStackError: it cannot be started; the message ends with its log.
        """
        binaries = find_binaries()
        self._create(binaries)
        self._end_orphan()
        self.port = self.port or next(free_ports())
        deadline = time.monotonic() + timeout_s
        while not self._start_once(binaries, deadline=deadline):
            if time.monotonic() >= deadline:
                raise LocalStackError(f"PostgreSQL does not start:\n{log_tail(self.log)}")
            time.sleep(POLL_S)

    def stop(self) -> None:
        """End it cleanly (sessions are cut)."""
        if self.process:
            end_child(self.process, first=signal.SIGINT)

    def kill(self) -> None:
        """End the postmaster as `kill -9` does; its children notice by themselves."""
        if self.process:
            end_child(self.process, first=signal.SIGKILL)

    def running(self) -> bool:
        """Tell whether the postmaster we started still runs."""
        return self.process is not None and self.process.poll() is None

    def _create(self, binaries: Path) -> None:
        if (self.data / "PG_VERSION").exists():
            return
        account = unprivileged_account()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.rmtree(self.data, ignore_errors=True)
        secret = self.directory / "password"
        secret.touch(mode=0o600)
        secret.write_text(self.password)
        if account:
            for path in (self.directory, secret):
                os.chown(path, account.uid, account.gid)
        answer = subprocess.run(  # noqa: S603 - a fixed program
            [
                *(binaries / "initdb", "--pgdata", self.data, "--username", ADMIN),
                *("--auth", "scram-sha-256", "--pwfile", secret),
                *("--encoding", "UTF8", "--locale", "C.UTF-8"),
                *(() if self.durable else ("--no-sync",)),
            ],
            env=ENVIRONMENT,
            cwd=self.directory,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        secret.unlink()
        if answer.returncode:
            shutil.rmtree(self.data, ignore_errors=True)
            raise LocalStackError(f"PostgreSQL cannot be set up:\n{answer.stdout}{answer.stderr}")

    def _start_once(self, binaries: Path, *, deadline: float) -> bool:
        speed = () if self.durable else FAST_SETTINGS
        settings = (*COMMON_SETTINGS, *speed, f"port={self.port}")
        options = [word for setting in settings for word in ("-c", setting)]
        self.process = spawn(
            [str(binaries / "postgres"), "-D", str(self.data), *options],
            env=ENVIRONMENT,
            cwd=self.directory,
            log=self.log,
            death_signal=signal.SIGINT,
            account=unprivileged_account(),
        )
        wait_until(
            lambda: self._ready() or not self.running(),
            timeout_s=max(0, deadline - time.monotonic()),
        )
        return self.running() and self._ready()

    def _ready(self) -> bool:
        lines = self._pid_file()
        return (
            self.process is not None
            and len(lines) > STATUS_LINE
            and lines[PID_LINE].strip() == str(self.process.pid)
            and lines[STATUS_LINE].strip() == "ready"
        )

    def _pid_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _end_orphan(self) -> None:
        """End a server somebody left on these data; forget one whose pid now means another."""
        lines = self._pid_file()
        orphan = ProcessId.find(int(lines[PID_LINE])) if lines else None
        if orphan is None:
            return
        try:
            ours = Path(f"/proc/{orphan.pid}/cwd").resolve(strict=True) == self.data.resolve()
        except OSError:
            ours = False
        if ours:
            orphan.end(first=signal.SIGINT)
        else:
            (self.data / "postmaster.pid").unlink(missing_ok=True)
