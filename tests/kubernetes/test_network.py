"""Who may speak to whom: exactly what is listed here."""

from ipaddress import ip_address, ip_network

import pytest

from cli.local.realgoogle import PORTS as USUAL
from cli.settings import SERVICES
from tests.kubernetes.manifests import (
    PROCESSES,
    ROLES,
    SERVER,
    Labels,
    Manifest,
    matches,
    of,
    operated,
    pods,
)

TREES = ("overlays/dev", "overlays/production")
GOOGLE = "142.250.1.1"
PRIVATE = ("10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1")
ANYWHERE: Manifest = {"ipBlock": {"cidr": "0.0.0.0/0"}, "podSelector": {}}
"""What a rule that names no peers is about."""
NOWHERE: Manifest = {"cidr": "0.0.0.0/32"}
OURS = {"kubernetes.io/metadata.name": "ours"}


class World:
    """The pods of a tree and of its neighbourhood, by name, and the policies among them."""

    def __init__(self, tree: str) -> None:
        self.policies = of(tree, "NetworkPolicy")
        self.pods: dict[str, Labels] = {p.owner.split("/")[1]: p.labels for p in pods(tree)}
        self.ports = {p.owner.split("/")[1]: p.ports() for p in pods(tree)}
        self.pods |= {labels[SERVER]: labels for labels in operated(tree)}

    def selecting(self, name: str, way: str) -> list[Manifest]:
        """Return the policies that hold a pod in one direction."""
        return [
            policy["spec"]
            for policy in self.policies
            if way in policy["spec"]["policyTypes"]
            and matches(policy["spec"]["podSelector"], self.pods[name])
        ]

    def speaks(self, source: str, target: str, port: int) -> bool:
        """Tell whether a connection between two pods of the namespace comes about."""
        leaves = any(
            self._peer(peer, target) and self._port(rule, target, port)
            for spec in self.selecting(source, "Egress")
            for rule in spec.get("egress", ())
            for peer in rule.get("to", [ANYWHERE])
        )
        return leaves and any(
            self._peer(peer, source) and self._port(rule, target, port)
            for spec in self.selecting(target, "Ingress")
            for rule in spec.get("ingress", ())
            for peer in rule.get("from", [ANYWHERE])
        )

    def enters(self, namespace: str, target: str, port: int) -> bool:
        """Tell whether pods of another namespace reach a pod."""
        labels = {"kubernetes.io/metadata.name": namespace}
        return any(
            matches(peer.get("namespaceSelector", {"matchLabels": OURS}), labels)
            and self._port(rule, target, port)
            for spec in self.selecting(target, "Ingress")
            for rule in spec.get("ingress", ())
            for peer in rule.get("from", [ANYWHERE])
        )

    def goes_out(self, source: str, address: str, port: int) -> bool:
        """Tell whether a pod reaches an address outside the cluster."""
        return any(
            _holds(peer.get("ipBlock", NOWHERE), address) and self._port(rule, source, port)
            for spec in self.selecting(source, "Egress")
            for rule in spec.get("egress", ())
            for peer in rule.get("to", [ANYWHERE])
        )

    def _peer(self, peer: Manifest, name: str) -> bool:
        if "podSelector" not in peer or "namespaceSelector" in peer:
            return False
        return matches(peer["podSelector"], self.pods[name])

    def _port(self, rule: Manifest, target: str, port: int) -> bool:
        names = self.ports.get(target, {})
        return any(
            names.get(one["port"], one["port"]) == port
            or (isinstance(one["port"], int) and one["port"] <= port <= one.get("endPort", 0))
            for one in rule["ports"]
        )


def _holds(block: Manifest, address: str) -> bool:
    ip = ip_address(address)
    inside = ip in ip_network(block["cidr"])
    return inside and not any(ip in ip_network(one) for one in block.get("except", ()))


@pytest.fixture(params=TREES)
def world(request: pytest.FixtureRequest) -> World:
    return World(request.param)


JOBS = tuple(f"{service}-migrate{when}" for when in ("", "-post") for service in SERVICES)
PORTS = {f"{service}-{role}": int(USUAL[service]) for service in SERVICES for role in ROLES}
ASKING = tuple(name for name in PROCESSES if not name.startswith("auth-"))


def test_every_pod_is_closed_in_both_directions(world: World) -> None:
    for name in world.pods:
        assert world.selecting(name, "Ingress"), name
        assert world.selecting(name, "Egress"), name


def test_every_process_and_migration_reaches_the_database(world: World) -> None:
    for name in (*PROCESSES, *JOBS):
        assert world.speaks(name, "postgres", 5432), name


def test_every_process_reaches_the_broker_and_a_migration_does_not(world: World) -> None:
    for name in PROCESSES:
        assert world.speaks(name, "rabbitmq", 5672), name
    for name in JOBS:
        assert not world.speaks(name, "rabbitmq", 5672), name


def test_services_speak_to_auth_and_to_nobody_else(world: World) -> None:
    flows = {
        (source, target)
        for source in (*PROCESSES, *JOBS)
        for target in PROCESSES
        if world.speaks(source, target, PORTS[target])
    }

    assert flows == {(name, "auth-web") for name in ASKING}


def test_servers_begin_no_conversation_with_us(world: World) -> None:
    for server in ("postgres", "rabbitmq"):
        for name in PROCESSES:
            assert not world.speaks(server, name, PORTS[name])


def test_the_ingress_controller_reaches_web_processes_and_nothing_else(world: World) -> None:
    entered = {name for name in PROCESSES if world.enters("ingress-nginx", name, PORTS[name])}

    assert entered == {f"{service}-web" for service in SERVICES}
    assert not world.enters("ingress-nginx", "postgres", 5432)
    assert not world.enters("ingress-nginx", "rabbitmq", 5672)


def test_prometheus_reaches_every_process(world: World) -> None:
    for name in PROCESSES:
        assert world.enters("monitoring", name, PORTS[name]), name


def test_other_namespaces_reach_nothing(world: World) -> None:
    for name in PROCESSES:
        assert not world.enters("default", name, PORTS[name])
    assert not world.enters("default", "postgres", 5432)
    assert not world.enters("default", "rabbitmq", 5672)


def test_processes_reach_google_and_no_private_address(world: World) -> None:
    for name in PROCESSES:
        assert world.goes_out(name, GOOGLE, 443), name
        assert not world.goes_out(name, GOOGLE, 25)
        for address in PRIVATE:
            assert not world.goes_out(name, address, 443), (name, address)


def test_a_migration_reaches_nothing_outside(world: World) -> None:
    for name in JOBS:
        assert not world.goes_out(name, GOOGLE, 443)


def test_the_emulator_pushes_to_mail_and_calendar_and_serves_all() -> None:
    world = World("overlays/dev")

    told = {name for name in PROCESSES if world.speaks("emulator", name, PORTS[name])}
    assert told == {"mail-web", "calendar-web"}
    for name in PROCESSES:
        assert world.speaks(name, "emulator", 9100), name


@pytest.mark.parametrize(
    ("server", "port"),
    [("postgres", 5432), ("rabbitmq", 4369), ("rabbitmq", 25672), ("rabbitmq", 6100)],
)
def test_the_nodes_of_a_server_reach_each_other(server: str, port: int) -> None:
    world = World("overlays/production")

    assert world.speaks(server, server, port)


def test_operators_reach_their_servers() -> None:
    world = World("overlays/production")

    assert world.enters("cnpg-system", "postgres", 8000)
    assert world.enters("cnpg-system", "postgres", 5432)
    assert world.enters("rabbitmq-system", "rabbitmq", 15672)
