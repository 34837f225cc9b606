"""The outside reaches the public routes of the services, all of them and nothing else."""

import re
from typing import Any

import pytest

from cli.reference import ROUTES
from libs.common.web import Access, Route
from tests.kubernetes.manifests import TREES, Manifest, find, of, pods

INSIDE = ("/", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/internal/v1/x")
LIMIT = "nginx.ingress.kubernetes.io/proxy-body-size"
READ = "nginx.ingress.kubernetes.io/proxy-read-timeout"
UNITS = {"k": 1024, "m": 1024**2}
BODIES = frozenset({"POST", "PUT", "PATCH"})
STREAMED = "/privacy/exports"
"""Answered page by page: it takes long as a whole, and is never silent for long."""

pytestmark = pytest.mark.parametrize("tree", TREES)


def serves(path: Manifest, asked: str) -> bool:
    """Tell whether a path of an Ingress is about a path that is asked for."""
    own = path["path"]
    if path["pathType"] == "Exact":
        return bool(asked == own)
    if path["pathType"] == "Prefix":
        return bool(asked == own or asked.startswith(own.rstrip("/") + "/"))
    return asked.startswith(own)  # ImplementationSpecific: a plain prefix for ingress-nginx


def route(tree: str, asked: str) -> tuple[Manifest, Manifest] | None:
    """Return the Ingress and its path that a request goes by: exact ones first, then long ones."""
    found = [
        (path["pathType"] == "Exact", len(path["path"]), ingress["metadata"]["name"], path)
        for ingress in of(tree, "Ingress")
        for rule in ingress["spec"]["rules"]
        for path in rule["http"]["paths"]
        if serves(path, asked)
    ]
    if not found:
        return None
    _, _, name, path = max(found, key=lambda one: one[:2])
    return find(tree, "Ingress", name), path


def example(path: str) -> str:
    return re.sub(r"\{\w+\}", "x1", path)


def public() -> list[tuple[str, Route]]:
    return [
        (service, one)
        for service, routes in ROUTES.items()
        for one in routes
        if one.access is not Access.INTERNAL
    ]


def size(text: str) -> int:
    return int(text[:-1]) * UNITS[text[-1]]


def test_every_public_route_leads_to_its_service(tree: str) -> None:
    for service, one in public():
        found = route(tree, example(one.path))

        assert found, one.path
        assert found[1]["backend"]["service"] == {
            "name": f"{service}-web",
            "port": {"name": "http"},
        }


def test_nothing_internal_is_reached_from_outside(tree: str) -> None:
    internal = [
        example(one.path)
        for routes in ROUTES.values()
        for one in routes
        if one.access is Access.INTERNAL
    ]
    assert internal
    for path in (*INSIDE, *internal):
        assert route(tree, path) is None, path


def test_every_path_leads_to_a_route(tree: str) -> None:
    routes = [example(one.path) for _, one in public()]
    for ingress in of(tree, "Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                assert any(serves(path, one) for one in routes), path["path"]


def test_a_path_takes_bodies_as_large_as_its_largest_route(tree: str) -> None:
    largest: dict[str, int] = {}
    for _, one in public():
        if one.method in BODIES:
            found = route(tree, example(one.path))
            assert found
            name = found[0]["metadata"]["name"]
            largest[name] = max(largest.get(name, 0), one.max_body)

    assert largest == {
        one["metadata"]["name"]: size(one["metadata"]["annotations"][LIMIT])
        for one in of(tree, "Ingress")
    }


def test_a_long_upload_is_waited_for(tree: str) -> None:
    for _, one in public():
        if one.method in BODIES and one.timeout_s > 60 and not one.path.endswith(STREAMED):
            found = route(tree, example(one.path))
            assert found
            assert float(found[0]["metadata"]["annotations"][READ]) >= one.timeout_s


def test_every_backend_is_a_port_of_a_service_that_exists(tree: str) -> None:
    for ingress in of(tree, "Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                backend: dict[str, Any] = path["backend"]["service"]
                service = find(tree, "Service", backend["name"])
                assert backend["port"]["name"] in {p["name"] for p in service["spec"]["ports"]}


def test_all_paths_are_of_one_origin(tree: str) -> None:
    hosts = {rule["host"] for one in of(tree, "Ingress") for rule in one["spec"]["rules"]}
    certified = {
        host
        for one in of(tree, "Ingress")
        for tls in one["spec"].get("tls", ())
        for host in tls["hosts"]
    }

    assert len(hosts) == 1
    assert certified in (hosts, set())
    assert certified or tree == "overlays/dev"


def test_web_processes_alone_are_behind_services(tree: str) -> None:
    behind = {one["spec"]["selector"]["app.kubernetes.io/name"]: one for one in of(tree, "Service")}
    for pod in pods(tree):
        if pod.service and pod.labels["app.kubernetes.io/component"] != "web":
            selector = behind[pod.service]["spec"]["selector"]
            assert not selector.items() <= dict(pod.labels).items()
