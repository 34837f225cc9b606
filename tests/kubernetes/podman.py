"""The pods of the overlay `dev`, really run: by `podman kube play`, on servers of the test's own.

What Kubernetes would add around a pod is not there, and is stood in for: Services by ports of the
loopback interface, which a pod reaches under the Services' names; Secret volumes by directories
(what podman makes of Secrets differs from release to release); probes by the tests, which ask the
same paths. Everything else is played as it is rendered.

The network is podman's user-mode one: no bridge and no firewall rule is made, and a pod reaches
servers that listen on loopback only.
"""

import base64
import json
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from cli.local.process import free_ports
from tests.kubernetes.manifests import UID, Manifest, Pod, configuration, find, of, pods

TREE = "overlays/dev"
WANTED = "CAUSEWAY_PODMAN"
"""Variable: the image to run; without it these tests are skipped."""
GATEWAY = "10.0.2.2"
"""Where podman's user-mode network has the loopback interface of the machine."""
NETWORK = "slirp4netns:allow_host_loopback=true"
SERVERS = ("postgres", "rabbitmq")
CALL_S = 120
HTTP = 80
VARIABLE = re.compile(r"\$\((\w+)\)")
# What podman cannot know on a machine without systemd; a file of its own changes nothing else.
CONFIGURATION = """[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
"""


class PortTaken(RuntimeError):
    """Somebody else took a port between our choice and podman's use of it."""


def podman(*words: str, check: bool = True, errors: bool = False) -> str:
    """Return what podman prints; with `errors`, what it prints to stderr after it.

    Raises:
        PortTaken: a port it was to publish is not free any more.
        RuntimeError: it failed; the message is what it said.
    """
    done = subprocess.run(  # noqa: S603 - our own arguments
        [shutil.which("podman") or "podman", *words],
        capture_output=True,
        text=True,
        timeout=CALL_S,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if check and done.returncode:
        if "address already in use" in done.stderr:
            raise PortTaken(done.stderr)
        raise RuntimeError(f"podman {words[0]}: {done.stderr.strip()[-2000:]}")
    return done.stdout + done.stderr if errors else done.stdout


@contextmanager
def configured(folder: Path) -> Iterator[None]:
    """Let podman work without systemd while this is open."""
    if "CONTAINERS_CONF" in os.environ or Path("/run/systemd/system").is_dir():
        yield
        return
    file = folder / "containers.conf"
    file.write_text(CONFIGURATION)
    os.environ["CONTAINERS_CONF"] = str(file)
    try:
        yield
    finally:
        del os.environ["CONTAINERS_CONF"]


@dataclass
class Played:
    """A pod that podman runs."""

    name: str
    pod: Pod
    port: int | None

    @property
    def container(self) -> str:
        """The name podman gives to the pod's one container."""
        return f"{self.name}-{self.pod.containers[0]['name']}"

    @property
    def url(self) -> str:
        """Where its port is, from this machine."""
        return f"http://127.0.0.1:{self.port}"

    def state(self) -> Manifest:
        """Return what podman says of the container."""
        found: list[Manifest] = json.loads(podman("inspect", "--type=container", self.container))
        return found[0]

    def has_ended(self) -> bool:
        """Tell whether its container no longer runs."""
        return not self.state()["State"]["Running"]

    def run(self, program: str) -> str:
        """Return what a Python program prints inside the container."""
        return podman("exec", self.container, "python", "-c", program).strip()

    def log(self) -> str:
        """Return what it wrote, to either of its outputs: why a process died is in the second."""
        return podman("logs", self.container, check=False, errors=True)


class Cluster:
    """The pods of the tree, as far as they were started."""

    def __init__(self, folder: Path, *, image: str, postgres_port: int, amqp_url: str) -> None:
        """Play `image` in place of the tree's; files of secrets are made in `folder`."""
        self._folder, self._image = folder, image
        self._mark = secrets.token_hex(4)
        self._played: list[Played] = []
        free = free_ports()
        self._ports = {
            pod.owner.split("/")[1]: next(free) for pod in pods(TREE) if pod.is_ours and pod.ports()
        }
        rabbitmq = urlsplit(amqp_url)
        login = rabbitmq.netloc.rpartition("@")[0]
        self._addresses = {
            "@postgres:5432": f"@postgres:{postgres_port}",
            "amqp://causeway:development-only@rabbitmq:5672/": rabbitmq._replace(
                netloc=f"{login}@rabbitmq:{rabbitmq.port}"
            ).geturl(),
            **{
                f"http://{service['metadata']['name']}{port}": f"http://{name}:{self._ports[name]}"
                for service in of(TREE, "Service")
                if (name := service["metadata"]["name"]) in self._ports
                for port in [_shown(service["spec"]["ports"][0]["port"])]
            },
        }

    def play(self, name: str) -> Played:
        """Start the pod of a workload."""
        (pod,) = [one for one in pods(TREE) if one.owner.split("/")[1] == name]
        played = Played(f"causeway-{self._mark}-{name}", pod, self._ports.get(name))
        self._played.append(played)
        file = self._folder / f"{name}.yaml"
        objects = yaml.safe_dump_all([*of(TREE, "ConfigMap"), self._manifest(played)])
        file.write_text(self._reachable(objects))
        podman("kube", "play", f"--network={NETWORK}", str(file))
        return played

    def end(self) -> None:
        """Remove everything that was played."""
        for played in self._played:
            podman("pod", "rm", "--force", "--time=0", played.name, check=False)

    def _reachable(self, text: str) -> str:
        """Return a text whose addresses of Services and servers are those of this machine."""
        for old, new in self._addresses.items():
            text = text.replace(old, new)
        return text

    def _manifest(self, played: Played) -> Manifest:
        spec = deepcopy(played.pod.spec)
        names = [*SERVERS, *self._ports]
        spec |= {"restartPolicy": "Never", "hostAliases": [{"ip": GATEWAY, "hostnames": names}]}
        environment = configuration(TREE, played.pod)
        for container in spec["containers"]:
            container |= {"image": self._image, "imagePullPolicy": "Never"}
            container["command"] = [_expanded(one, environment) for one in container["command"]]
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                container.pop(probe, None)
            for port in container.get("ports", ()):
                port |= {"hostPort": played.port, "hostIP": "127.0.0.1"}
        for volume in spec["volumes"]:
            if "secret" in volume:
                files = self._files(played.name, volume.pop("secret"))
                volume["hostPath"] = {"path": str(files), "type": "Directory"}
        metadata = {"name": played.name, "labels": dict(played.pod.labels)}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}

    def _files(self, owner: str, volume: Manifest) -> Path:
        """Return a directory with the files that a volume has of its Secret."""
        directory = self._folder / f"{owner}-{volume['secretName']}"
        directory.mkdir()
        data = find(TREE, "Secret", volume["secretName"])["data"]
        for key in [item["key"] for item in volume.get("items", ())] or data:
            file = directory / key
            file.write_text(self._reachable(base64.b64decode(data[key]).decode()))
            file.chmod(volume["defaultMode"])
            os.chown(file, 0, UID)
        return directory


def _expanded(word: str, environment: Mapping[str, str]) -> str:
    """Do what Kubernetes does with `$(NAME)`, and this podman does not."""
    return VARIABLE.sub(lambda found: environment[found[1]], word)


def _shown(port: int) -> str:
    return "" if port == HTTP else f":{port}"
