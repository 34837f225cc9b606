"""What an object names exists: the objects of a tree fit each other."""

import re
from collections.abc import Iterator

import pytest

from cli.settings import PROJECT, SERVICES
from tests.kubernetes.manifests import (
    SERVER,
    TREES,
    WORKLOADS,
    Labels,
    Manifest,
    find,
    matches,
    named,
    of,
    operated,
    pods,
    secrets_of,
)

GUIDE = PROJECT / "docs/how-to/deploy-kubernetes.md"
SECRET_ROW = re.compile(r"^\| `([a-z-]+)` \| `([\w.]+)` \|", re.MULTILINE)
TLS_KEYS = {"tls.crt", "tls.key"}

pytestmark = pytest.mark.parametrize("tree", TREES)


def documented_secrets() -> dict[str, set[str]]:
    """Return the Secrets that the guide tells to make, with their keys."""
    found: dict[str, set[str]] = {}
    for secret, key in SECRET_ROW.findall(GUIDE.read_text(encoding="utf-8")):
        found.setdefault(secret, set()).add(key)
    return found


def secrets(tree: str) -> dict[str, set[str]]:
    """Return the Secrets that exist where the tree is applied: its own, or those of the guide."""
    made = {
        one["metadata"]["name"]: {*one.get("data", {}), *one.get("stringData", {})}
        for one in of(tree, "Secret")
    }
    return made or documented_secrets()


def test_a_workload_selects_its_own_pods_and_no_others(tree: str) -> None:
    workloads = [one for one in of(tree, *WORKLOADS) if "selector" in one["spec"]]
    assert len(workloads) >= len(SERVICES)
    for workload in workloads:
        selected = [p.owner for p in pods(tree) if matches(workload["spec"]["selector"], p.labels)]

        assert selected == [named(workload)]


def test_a_service_selects_the_pods_of_one_workload_and_ports_they_name(tree: str) -> None:
    for service in of(tree, "Service"):
        (pod,) = [
            p for p in pods(tree) if matches({"matchLabels": service["spec"]["selector"]}, p.labels)
        ]

        assert {port["targetPort"] for port in service["spec"]["ports"]} <= set(pod.ports())


def test_probes_ask_at_ports_that_are_named(tree: str) -> None:
    asked = 0
    for pod in pods(tree):
        for container in pod.containers:
            names = {port["name"] for port in container.get("ports", ())}
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                if "httpGet" in container.get(probe, {}):
                    asked += 1
                    assert container[probe]["httpGet"]["port"] in names, pod.owner
    assert asked >= 3 * 2 * len(SERVICES)


def test_every_process_of_a_service_scales_between_bounds(tree: str) -> None:
    scaled = {
        f"{one['spec']['scaleTargetRef']['kind']}/{one['spec']['scaleTargetRef']['name']}"
        for one in of(tree, "HorizontalPodAutoscaler")
    }

    assert scaled == {
        p.owner for p in pods(tree) if p.service and p.owner.startswith("Deployment/")
    }


def test_what_scales_by_itself_has_no_number_of_replicas(tree: str) -> None:
    for one in of(tree, "HorizontalPodAutoscaler"):
        assert (
            "replicas"
            not in find(tree, "Deployment", one["spec"]["scaleTargetRef"]["name"])["spec"]
        )


def test_what_scales_by_its_processor_says_how_much_it_asks_for(tree: str) -> None:
    for one in of(tree, "HorizontalPodAutoscaler"):
        target = find(tree, "Deployment", one["spec"]["scaleTargetRef"]["name"])
        for container in target["spec"]["template"]["spec"]["containers"]:
            assert container["resources"]["requests"]["cpu"]


def test_every_process_of_a_service_has_a_disruption_budget_of_its_own(tree: str) -> None:
    budgets = of(tree, "PodDisruptionBudget")
    for pod in pods(tree):
        if pod.service and pod.owner.startswith("Deployment/"):
            mine = [one for one in budgets if matches(one["spec"]["selector"], pod.labels)]
            assert len(mine) == 1, pod.owner
    for budget in budgets:
        assert any(matches(budget["spec"]["selector"], p.labels) for p in pods(tree))


def test_every_config_map_that_is_named_exists_with_the_key(tree: str) -> None:
    for pod in pods(tree):
        for container in pod.containers:
            for source in container.get("envFrom", ()):
                assert find(tree, "ConfigMap", source["configMapRef"]["name"])
            for variable in container.get("env", ()):
                if key := variable.get("valueFrom", {}).get("configMapKeyRef"):
                    assert key["key"] in find(tree, "ConfigMap", key["name"])["data"]
        for volume in pod.spec.get("volumes", ()):
            if "configMap" in volume:
                assert find(tree, "ConfigMap", volume["configMap"]["name"])


def test_every_secret_that_is_named_exists_with_the_key(tree: str) -> None:
    there = secrets(tree)
    for pod in pods(tree):
        assert set(secrets_of(pod)) <= set(there), pod.owner
        for volume in pod.spec.get("volumes", ()):
            for item in volume.get("secret", {}).get("items", ()):
                assert item["key"] in there[volume["secret"]["secretName"]]
        for container in pod.containers:
            for variable in container.get("env", ()):
                if key := variable.get("valueFrom", {}).get("secretKeyRef"):
                    assert key["key"] in there[key["name"]]
    for secret, keys in custom_secrets(tree):
        assert keys <= there[secret], secret
    for ingress in of(tree, "Ingress"):
        for tls in ingress["spec"].get("tls", ()):
            assert there[tls["secretName"]] == TLS_KEYS


def custom_secrets(tree: str) -> Iterator[tuple[str, set[str]]]:
    """Yield the Secrets that custom resources name, with the keys they read."""
    for cluster in of(tree, "Cluster"):
        for role in cluster["spec"]["managed"]["roles"]:
            yield role["passwordSecret"]["name"], {"username", "password"}
    for store in of(tree, "ObjectStore"):
        for reference in store["spec"]["configuration"]["s3Credentials"].values():
            yield reference["name"], {reference["key"]}


def test_what_is_mounted_exists_and_is_mounted(tree: str) -> None:
    for pod in pods(tree):
        claimed = {
            one["metadata"]["name"]
            for one in find(tree, *pod.owner.split("/"))
            .get("spec", {})
            .get("volumeClaimTemplates", ())
        }
        there = {volume["name"] for volume in pod.spec.get("volumes", ())} | claimed
        mounted = {m["name"] for c in pod.containers for m in c.get("volumeMounts", ())}

        assert mounted == there, pod.owner


def test_every_service_account_exists(tree: str) -> None:
    for pod in pods(tree):
        if name := pod.spec.get("serviceAccountName"):
            assert find(tree, "ServiceAccount", name)


def test_every_policy_is_about_pods_that_exist(tree: str) -> None:
    there: list[Labels] = [p.labels for p in pods(tree)] + operated(tree)
    if tree == "base":  # whose servers are the overlays'
        there += [{SERVER: "postgres"}, {SERVER: "rabbitmq"}]
    for policy in of(tree, "NetworkPolicy"):
        for selector in selectors(policy):
            assert any(matches(selector, labels) for labels in there), (named(policy), selector)


def selectors(policy: Manifest) -> Iterator[Manifest]:
    """Yield the selectors of pods in our own namespace."""
    yield policy["spec"]["podSelector"]
    for way, ends in (("ingress", "from"), ("egress", "to")):
        for rule in policy["spec"].get(way, ()):
            for peer in rule.get(ends, ()):
                if "podSelector" in peer and "namespaceSelector" not in peer:
                    yield peer["podSelector"]


def test_a_database_belongs_to_a_cluster_and_a_role_that_exist(tree: str) -> None:
    for database in of(tree, "Database"):
        cluster = find(tree, "Cluster", database["spec"]["cluster"]["name"])

        assert database["spec"]["owner"] in {
            role["name"] for role in cluster["spec"]["managed"]["roles"]
        }
    for backup in of(tree, "ScheduledBackup"):
        assert find(tree, "Cluster", backup["spec"]["cluster"]["name"])
    for cluster in of(tree, "Cluster"):
        for plugin in cluster["spec"]["plugins"]:
            assert find(tree, "ObjectStore", plugin["parameters"]["barmanObjectName"])


def test_everything_is_in_one_namespace_that_the_tree_makes(tree: str) -> None:
    namespaces = {
        m["metadata"].get("namespace") for m in of(tree, *WORKLOADS, "ConfigMap", "Service")
    }

    assert namespaces == {None if tree == "base" else of(tree, "Namespace")[0]["metadata"]["name"]}
