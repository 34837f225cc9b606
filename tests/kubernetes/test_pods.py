"""Every pod runs with as little as it can, and is replaced without anybody noticing."""

from typing import Any

import pytest

from cli.settings import SERVICES
from tests.kubernetes.manifests import TREES, UID, Manifest, Pod, find, of, pods

IMAGE = {
    "base": "causeway:latest",
    "overlays/dev": "causeway:latest",
    "overlays/production": "registry.example/causeway:0.1.0",
}

pytestmark = pytest.mark.parametrize("tree", TREES)


def ours(tree: str) -> list[Pod]:
    found = [pod for pod in pods(tree) if pod.is_ours]
    assert len(found) >= 6
    return found


def test_all_of_ours_run_the_one_image_that_the_tree_names(tree: str) -> None:
    images = {container["image"] for pod in ours(tree) for container in pod.containers}

    assert images == {IMAGE[tree]}


def test_every_pod_meets_the_restricted_standard(tree: str) -> None:
    for pod in pods(tree):
        whole = pod.spec["securityContext"]
        assert whole["runAsNonRoot"] is True, pod.owner
        assert whole["runAsUser"] > 0
        assert whole["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod.spec)
        for container in pod.containers:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, pod.owner
            assert context["capabilities"] == {"drop": ["ALL"]}


def test_ours_run_as_the_user_of_the_image(tree: str) -> None:
    for pod in ours(tree):
        context = pod.spec["securityContext"]
        assert {context[name] for name in ("runAsUser", "runAsGroup", "fsGroup")} == {UID}


def test_ours_write_nowhere_but_to_a_bounded_tmp(tree: str) -> None:
    for pod in ours(tree):
        volumes = {volume["name"]: volume for volume in pod.spec["volumes"]}
        assert volumes["tmp"]["emptyDir"]["sizeLimit"], pod.owner
        for container in pod.containers:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            for mount in container["volumeMounts"]:
                assert mount["mountPath"] == "/tmp" or mount["readOnly"] is True  # noqa: S108


def test_no_pod_can_speak_to_kubernetes(tree: str) -> None:
    for pod in pods(tree):
        assert pod.spec["automountServiceAccountToken"] is False, pod.owner
        assert pod.spec["enableServiceLinks"] is False


def test_every_container_says_what_it_needs_and_may_take(tree: str) -> None:
    for pod in pods(tree):
        for container in pod.containers:
            for part in ("requests", "limits"):
                assert {"cpu", "memory"} <= set(container["resources"][part]), pod.owner


def test_a_service_runs_its_two_roles_apart(tree: str) -> None:
    roles = {
        pod.owner.removeprefix("Deployment/"): pod.containers[0]["command"]
        for pod in ours(tree)
        if pod.service and pod.owner.startswith("Deployment/")
    }

    assert roles == {
        f"{service}-{role}": ["python", "-m", f"services.{service}", "--roles", what]
        for service in SERVICES
        for role, what in (("web", "web"), ("worker", "worker,relay,consumer"))
    }


def test_every_process_is_asked_how_it_is(tree: str) -> None:
    for pod in ours(tree):
        if pod.service and pod.owner.startswith("Deployment/"):
            (container,) = pod.containers
            asked = {
                probe: container[probe]["httpGet"]["path"]
                for probe in ("startupProbe", "livenessProbe", "readinessProbe")
            }
            assert asked == {
                "startupProbe": "/healthz",
                "livenessProbe": "/healthz",
                "readinessProbe": "/readyz",
            }


def test_a_rollout_takes_nothing_away_before_there_is_more(tree: str) -> None:
    for pod in ours(tree):
        if pod.service and pod.owner.startswith("Deployment/"):
            strategy = find(tree, *pod.owner.split("/"))["spec"]["strategy"]
            assert strategy["rollingUpdate"]["maxUnavailable"] == 0, pod.owner


def test_replicas_are_spread_over_machines_and_zones(tree: str) -> None:
    for pod in ours(tree):
        if pod.service and pod.owner.startswith("Deployment/"):
            spread = pod.spec["topologySpreadConstraints"]
            assert [one["topologyKey"] for one in spread] == [
                "kubernetes.io/hostname",
                "topology.kubernetes.io/zone",
            ]


def test_what_new_code_needs_is_migrated_by_a_job_that_ends_and_goes(tree: str) -> None:
    jobs = {one["metadata"]["name"]: one["spec"] for one in of(tree, "Job")}

    assert set(jobs) == {f"{service}-migrate" for service in SERVICES}
    for name, spec in jobs.items():
        service = name.removesuffix("-migrate")
        assert migrates(spec) == [
            "python",
            "-m",
            f"services.{service}",
            "migrate",
            "--phase",
            "pre",
        ]


def test_the_rest_is_migrated_by_a_job_that_nobody_but_a_person_starts(tree: str) -> None:
    templates = {one["metadata"]["name"]: one["spec"] for one in of(tree, "CronJob")}

    assert set(templates) == {f"{service}-migrate-post" for service in SERVICES}
    for name, spec in templates.items():
        service = name.removesuffix("-migrate-post")
        assert spec["suspend"] is True
        assert migrates(spec["jobTemplate"]["spec"]) == [
            "python",
            "-m",
            f"services.{service}",
            "migrate",
        ]


def migrates(spec: Manifest) -> Any:
    """Return the command of a Job that is tried again, ends in time and goes by itself."""
    assert spec["backoffLimit"] > 0
    assert spec["activeDeadlineSeconds"] > 0
    assert spec["ttlSecondsAfterFinished"] > 0
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    (container,) = spec["template"]["spec"]["containers"]
    return container["command"]
