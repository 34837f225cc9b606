"""A Docker engine of our own: private data, a private socket, nothing left of it afterwards."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.local.process import wait_until
from tests.containers import host

ENGINE_PACKAGES = ("docker.io", "iptables", "ca-certificates")
PLUGINS = {"docker-compose": "docker-compose", "docker-buildx": "docker-buildx"}
PLUGIN_SUITE = "trixie"
START_S, STOP_S = 60, 60
FORWARD = Path("/proc/sys/net/ipv4/ip_forward")


@contextmanager
def running(folder: Path) -> Iterator[dict[str, str]]:
    """Yield the environment in which `docker`, with Compose, talks to an engine.

    One that runs already is used as it is. Else one is started on `folder` and ended again, with
    the bridge and the firewall's rules it made.

    Raises:
        SystemExit: none can be had here.
    """
    if _answers({}) and _has_compose({}):
        host.say("using the engine that runs here")
        yield {}
        return
    host.require(*ENGINE_PACKAGES)
    folder.mkdir(parents=True, exist_ok=True)
    env = {
        "DOCKER_HOST": f"unix://{folder}/docker.sock",
        "DOCKER_CONFIG": str(folder / "config"),
    }
    rules, forwards = host.run(["iptables-save"]), FORWARD.read_text()
    engine = _start(folder)
    try:
        wait_until(lambda: _answers(env) or engine.poll() is not None, timeout_s=START_S)
        if not _answers(env):
            log = (folder / "engine.log").read_text()[-2000:]
            host.give_up(f"The engine does not start:\n{log}")
        if not _has_compose(env):
            _add_plugins(folder)
        yield env
    finally:
        _stop(engine)
        host.run(["ip", "link", "delete", "docker0"], check=False)
        _restore(rules)
        FORWARD.write_text(forwards)


def _start(folder: Path) -> "subprocess.Popen[bytes]":
    with (folder / "engine.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - our own command
            [
                shutil.which("dockerd") or "/usr/sbin/dockerd",
                f"--data-root={folder}/data",
                f"--exec-root={folder}/exec",
                f"--host=unix://{folder}/docker.sock",
                f"--pidfile={folder}/engine.pid",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, "DOCKER_RAMDISK": ""},
        )


def _stop(engine: "subprocess.Popen[bytes]") -> None:
    if engine.poll() is None:
        engine.send_signal(signal.SIGTERM)
    try:
        engine.wait(STOP_S)
    except subprocess.TimeoutExpired:
        os.killpg(engine.pid, signal.SIGKILL)
        engine.wait()


def _restore(rules: str) -> None:
    subprocess.run(
        ["iptables-restore"],  # noqa: S607 - found in the PATH, as iptables-save was
        input=rules,
        text=True,
        check=True,
        timeout=30,
    )


def _answers(env: dict[str, str]) -> bool:
    if shutil.which("docker") is None:
        return False
    try:
        host.run(["docker", "version", "--format", "{{.Server.Version}}"], env=env, timeout_s=20)
    except (RuntimeError, subprocess.TimeoutExpired):
        return False
    return True


def _has_compose(env: dict[str, str]) -> bool:
    try:
        host.run(["docker", "compose", "version"], env=env, timeout_s=20)
        host.run(["docker", "buildx", "version"], env=env, timeout_s=20)
    except RuntimeError:
        return False
    return True


def _add_plugins(folder: Path) -> None:
    """Unpack Debian's Compose and Buildx beside the engine; this release need not have them."""
    host.say("fetching Compose and Buildx")
    env = host.apt_root(folder / "apt", PLUGIN_SUITE)
    download = folder / "plugins"
    download.mkdir(exist_ok=True)
    host.run(["apt-get", "download", *PLUGINS.values()], env=env, cwd=download)
    for package in download.glob("*.deb"):
        host.run(["dpkg-deb", "--extract", package, download / "unpacked"])
    target = folder / "config" / "cli-plugins"
    target.mkdir(parents=True, exist_ok=True)
    for plugin in (download / "unpacked" / "usr/libexec/docker/cli-plugins").iterdir():
        shutil.copy2(plugin, target / plugin.name)
