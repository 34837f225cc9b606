"""A private RabbitMQ node: its own name mapper, cookie, ports, user; loopback only, any user."""

import http.client
import json
import secrets
import signal
import socket
import subprocess
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from cli.local.process import LocalStackError, end_child, free_ports, log_tail, spawn, wait_until

# Never /usr/sbin/rabbitmq*: those wrappers change user and use system-wide paths.
DEBIAN_HOME = Path("/usr/lib/rabbitmq/lib")
PACKAGE = "rabbitmq-server"
USER = "causeway"
PROTOCOL_HEADER, CONNECTION_START = b"AMQP\x00\x00\x09\x01", b"\x01"
CONSOLE = "console.log"
# Erlang terms rather than rabbitmq.conf: it skips a translator that costs two seconds.
CONFIG = """[{{rabbit, [{{tcp_listeners, [{{"127.0.0.1", {amqp}}}]}}, {{disk_free_limit, 50000000}},
  {{default_user, <<"{user}">>}}, {{default_pass, <<"{password}">>}},
  {{default_user_tags, [administrator]}}]}},
 {{rabbitmq_management, [{{tcp_config, [{{ip, "127.0.0.1"}}, {{port, {management}}}]}}]}}].
"""
MANAGED = "[rabbitmq_management].\n"
ERLANG_ARGUMENTS = (
    "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none"
)


def find_home() -> Path:
    """Return the folder of the newest installed RabbitMQ.

    Raises:
        LocalStackError: there is none; the message names the package.
    """
    homes = [path for path in DEBIAN_HOME.glob("rabbitmq_server-*") if path.is_dir()]
    if not homes:
        raise LocalStackError(f"RabbitMQ is missing: install {PACKAGE}")
    return max(homes, key=_version)


def _version(home: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in home.name.rpartition("-")[2].split(".") if part.isdigit())


@dataclass
class RabbitServer:
    """One node whose data live in `directory`; its name stays, its ports may change."""

    directory: Path
    management: bool = False  # the HTTP API; with it a clean stop takes five seconds more
    port: int = 0  # 0: chosen at each start
    management_port: int = 0
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    mapper: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def log(self) -> Path:
        """The file that holds what the node prints."""
        return self.directory / CONSOLE

    def url(self, vhost: str = "/") -> str:
        """Return the AMQP address of a virtual host; it holds the password."""
        return f"amqp://{USER}:{self.password}@127.0.0.1:{self.port}/{quote(vhost, safe='')}"

    def start(self, *, timeout_s: float = 120) -> None:
        """Start the node; return once it takes AMQP connections (5 to 20 seconds).

        Raises:
            LocalStackError: it cannot be started; the message ends with its log.
        """
        self.spawn()
        self.wait_ready(timeout_s=timeout_s)

    def spawn(self) -> None:
        """Start the node without waiting for it."""
        home = find_home()
        ports = free_ports()
        self.port = self.port or next(ports)
        self.management_port = self.management_port or next(ports)
        mapper_port, distribution_port = next(ports), next(ports)
        environment = self._prepare(mapper_port, distribution_port)
        # Started by us and on our tether: Erlang's own would outlive the node.
        self.mapper = spawn(
            ["epmd", "-address", "127.0.0.1", "-port", str(mapper_port)],
            env=environment,
            cwd=self.directory,
            log=self.log,
        )
        wait_until(lambda: _listens(mapper_port), timeout_s=10)
        self.process = spawn(
            [str(home / "sbin" / "rabbitmq-server")],
            env=environment,
            cwd=self.directory,
            log=self.log,
            death_signal=signal.SIGKILL,  # it ignores SIGTERM while it boots
        )

    def wait_ready(self, *, timeout_s: float = 120) -> None:
        """Return once the node takes AMQP connections.

        Raises:
            LocalStackError: it ended, or was not ready in `timeout_s` seconds.
        """
        wait_until(lambda: self.answers() or not self.running(), timeout_s=timeout_s)
        if not self.answers():
            self.kill()
            raise LocalStackError(f"RabbitMQ does not start:\n{log_tail(self.log)}")

    def answers(self) -> bool:
        """Tell whether the node greets an AMQP client (an open port alone is too early)."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(PROTOCOL_HEADER)
                return connection.recv(1) == CONNECTION_START
        except OSError:
            return False

    def running(self) -> bool:
        """Tell whether the node we started still runs."""
        return self.process is not None and self.process.poll() is None

    def stop(self, *, timeout_s: float = 30) -> None:
        """End the node cleanly; one that still boots would not listen, and is killed."""
        self._end(signal.SIGTERM if self.answers() else signal.SIGKILL, timeout_s=timeout_s)

    def kill(self) -> None:
        """End the node as `kill -9` does."""
        self._end(signal.SIGKILL, timeout_s=10)

    def add_vhost(self, name: str) -> None:
        """Create a virtual host (needs `management`); our user gets every right on it."""
        self._manage("PUT", f"/api/vhosts/{quote(name, safe='')}", {})
        rights = {"configure": ".*", "write": ".*", "read": ".*"}
        self._manage("PUT", f"/api/permissions/{quote(name, safe='')}/{USER}", rights)

    def delete_vhost(self, name: str) -> None:
        """Delete a virtual host and all that is in it."""
        self._manage("DELETE", f"/api/vhosts/{quote(name, safe='')}", None)

    def _end(self, number: signal.Signals, *, timeout_s: float) -> None:
        for child in (self.process, self.mapper):
            if child:
                end_child(child, first=number, timeout_s=timeout_s)

    def _manage(self, method: str, path: str, body: dict[str, str] | None) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.management_port, timeout=30)
        basic = b64encode(f"{USER}:{self.password}".encode()).decode()
        headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            answer.read()
        finally:
            connection.close()
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            raise LocalStackError(f"RabbitMQ answered {answer.status} to {method} {path}")

    def _prepare(self, mapper_port: int, distribution_port: int) -> dict[str, str]:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        home = self.directory / "home"
        home.mkdir(mode=0o700, exist_ok=True)
        _write_once(home / ".erlang.cookie", secrets.token_hex(20), mode=0o400)
        name = _write_once(self.directory / "name", f"causeway-{secrets.token_hex(4)}@localhost")
        files = {
            "RABBITMQ_CONF_ENV_FILE": ("env.conf", ""),
            "RABBITMQ_ENABLED_PLUGINS_FILE": ("plugins", MANAGED if self.management else "[].\n"),
            "RABBITMQ_CONFIG_FILE": ("rabbitmq.config", self._config()),
        }
        for file_name, text in files.values():
            path = self.directory / file_name
            path.touch(mode=0o600)
            path.write_text(text)
        paths = {
            "RABBITMQ_ADVANCED_CONFIG_FILE": "none.config",
            "RABBITMQ_MNESIA_BASE": "mnesia",
            "RABBITMQ_LOG_BASE": "log",
            "RABBITMQ_GENERATED_CONFIG_DIR": "generated",
            "RABBITMQ_PID_FILE": "pid",
            **{key: file_name for key, (file_name, _) in files.items()},
        }
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "RABBITMQ_NODENAME": name,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(distribution_port),
            "ERL_EPMD_PORT": str(mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            # One process instead of a shell that waits for it: signals and the tether reach it.
            "RUNNING_UNDER_SYSTEMD": "true",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ERLANG_ARGUMENTS,
            **{key: str(self.directory / file_name) for key, file_name in paths.items()},
        }

    def _config(self) -> str:
        return CONFIG.format(
            amqp=self.port, management=self.management_port, user=USER, password=self.password
        )


def _write_once(path: Path, text: str, *, mode: int = 0o600) -> str:
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(text)
        path.chmod(mode)
    return path.read_text()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
