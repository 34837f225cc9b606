"""The manifests as kustomize renders them, and what can be asked of them."""

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.settings import PROJECT, SERVICES

DEPLOY = PROJECT / "deploy/k8s"
TREES = ("base", "overlays/dev", "overlays/production")
OLDEST, NEWEST = "1.32", "1.37"
"""The releases of Kubernetes that the manifests are held against."""
RENDER_S = 60
ROLES = ("web", "worker")
PROCESSES = tuple(f"{service}-{role}" for service in SERVICES for role in ROLES)
UID = 10001
"""The user, and the group, of the image."""
WORKLOADS = frozenset({"Deployment", "StatefulSet", "Job", "CronJob"})
SERVER = "causeway-server"
"""The label of pods that a database or a broker consists of."""

Manifest = dict[str, Any]
Labels = Mapping[str, str]


def kubectl() -> str:
    """Return the kubectl of the development environment, or the system's.

    Raises:
        Failed: there is none; nothing about the manifests is known then.
    """
    beside = Path(sys.executable).parent / "kubectl"
    found = str(beside) if beside.exists() else shutil.which("kubectl")
    if found is None:
        pytest.fail("NO KUBECTL: THE MANIFESTS WERE NOT CHECKED. `make setup-dev` installs it.")
    return found


@cache
def text(tree: str) -> str:
    """Return what kustomize makes of a folder below deploy/k8s."""
    done = subprocess.run(  # noqa: S603 - our own arguments
        [kubectl(), "kustomize", str(DEPLOY / tree)],
        capture_output=True,
        text=True,
        timeout=RENDER_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "kustomize warns"
    return done.stdout


@cache
def render(tree: str) -> tuple[Manifest, ...]:
    """Return the objects of a tree; they are shared: not to be changed."""
    return tuple(yaml.safe_load_all(text(tree)))


def named(manifest: Manifest) -> str:
    """Return `Kind/name`."""
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def of(tree: str, *kinds: str) -> list[Manifest]:
    """Return the objects of these kinds."""
    return [manifest for manifest in render(tree) if manifest["kind"] in kinds]


def find(tree: str, kind: str, name: str) -> Manifest:
    """Return the object of this name.

    Raises:
        ValueError: there is none, or more than one.
    """
    (only,) = [one for one in of(tree, kind) if one["metadata"]["name"] == name]
    return only


@dataclass(frozen=True)
class Pod:
    """What a workload makes; `owner` is `Kind/name`."""

    owner: str
    labels: Labels
    spec: Manifest

    @property
    def containers(self) -> list[Manifest]:
        """All of its containers, the initial ones included."""
        return [*self.spec.get("initContainers", ()), *self.spec["containers"]]

    @property
    def is_ours(self) -> bool:
        """Whether it runs our image."""
        return any(one["image"].split(":")[0].endswith("causeway") for one in self.containers)

    @property
    def service(self) -> str | None:
        """The service whose process it is; None: it is none."""
        name = self.labels.get("app.kubernetes.io/name")
        return name if name in SERVICES else None

    def ports(self) -> dict[str, int]:
        """Return its ports by name."""
        return {
            port["name"]: port["containerPort"]
            for container in self.containers
            for port in container.get("ports", ())
        }


def pods(tree: str) -> list[Pod]:
    """Return the pods that the workloads of a tree make."""
    return [_pod(workload) for workload in of(tree, *WORKLOADS)]


def _pod(workload: Manifest) -> Pod:
    spec = workload["spec"]
    if workload["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    template = spec["template"]
    return Pod(named(workload), template["metadata"]["labels"], template["spec"])


def operated(tree: str) -> list[Labels]:
    """Return the labels of the pods that operators make of the custom resources of a tree."""
    made: list[Labels] = [
        {"cnpg.io/cluster": one["metadata"]["name"], **one["spec"]["inheritedMetadata"]["labels"]}
        for one in of(tree, "Cluster")
    ]
    for one in of(tree, "RabbitmqCluster"):
        kept = {
            name: value
            for name, value in one["metadata"]["labels"].items()
            if not name.startswith("app.kubernetes.io")  # the operator sets these itself
        }
        made.append({"app.kubernetes.io/name": one["metadata"]["name"], **kept})
    return made


def matches(selector: Manifest, labels: Labels) -> bool:
    """Tell whether a label selector chooses something with these labels.

    Raises:
        ValueError: it uses what this does not know.
    """
    if unknown := set(selector) - {"matchLabels", "matchExpressions"}:
        raise ValueError(f"not a selector: {unknown}")
    wanted = selector.get("matchLabels", {}).items() <= dict(labels).items()
    return wanted and all(
        _expressed(expression, labels) for expression in selector.get("matchExpressions", ())
    )


def _expressed(expression: Manifest, labels: Labels) -> bool:
    if expression["operator"] != "In":
        raise ValueError(f"not understood here: {expression['operator']}")
    return labels.get(expression["key"]) in expression["values"]


def configuration(tree: str, pod: Pod) -> dict[str, str]:
    """Return the environment of a pod's first container, as far as ConfigMaps and text make it."""
    container = pod.containers[0]
    env: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        env |= find(tree, "ConfigMap", source["configMapRef"]["name"])["data"]
    return env | {one["name"]: one["value"] for one in container.get("env", ()) if "value" in one}


def secrets_of(pod: Pod) -> Iterator[str]:
    """Yield the names of the Secrets a pod sees, by mount or by variable."""
    for volume in pod.spec.get("volumes", ()):
        if "secret" in volume:
            yield volume["secret"]["secretName"]
    for container in pod.containers:
        for variable in container.get("env", ()):
            if reference := variable.get("valueFrom", {}).get("secretKeyRef"):
                yield reference["name"]
