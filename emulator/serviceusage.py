"""As much of the Service Usage API as setting up a project needs: which APIs are enabled.

Nothing else here depends on it: every API answers, enabled or not.

Source: https://cloud.google.com/service-usage/docs/reference/rest
"""

from typing import Any, Final

from emulator.errors import forbidden, invalid_argument
from emulator.rest.call import Call, Operation

Json = dict[str, Any]

PROJECT_NUMBER: Final = "112233445566"
"""Of every project."""
KNOWN: Final = {
    "calendar-json.googleapis.com": "Google Calendar API",
    "gmail.googleapis.com": "Gmail API",
    "people.googleapis.com": "People API",
    "pubsub.googleapis.com": "Cloud Pub/Sub API",
    "serviceusage.googleapis.com": "Service Usage API",
}
ALWAYS: Final = frozenset({"serviceusage.googleapis.com"})
_MOST_NAMES: Final = 20


def get_service(call: Call) -> Json:
    """Return one service with its state."""
    parent, _, service = call.path["name"].partition("/services/")
    return _shown(call, parent, service)


def batch_get(call: Call) -> Json:
    """Return several services with their states."""
    parent = call.path["parent"]
    names = call.query.get("names", [])
    if not 1 <= len(names) <= _MOST_NAMES:
        raise invalid_argument(f"Between 1 and {_MOST_NAMES} names must be given.")
    wanted = [name.partition("/services/") for name in names]
    if any(owner != parent for owner, _, _ in wanted):
        raise invalid_argument("Every name must begin with the parent.")
    return {"services": [_shown(call, parent, service) for _, _, service in wanted]}


def batch_enable(call: Call) -> Json:
    """Enable several services at once; the operation is done when it is returned."""
    parent, services = call.path["parent"], call.body.get("serviceIds", [])
    if not 1 <= len(services) <= _MOST_NAMES:
        raise invalid_argument(f"Between 1 and {_MOST_NAMES} services must be given.")
    for service in services:
        _check(service)
    call.world.enabled.setdefault(parent, set()).update(services)
    shown = [_shown(call, parent, service) for service in services]
    kind = "type.googleapis.com/google.api.serviceusage.v1.BatchEnableServicesResponse"
    return {
        "name": f"operations/acat.p2-{PROJECT_NUMBER}-{len(call.world.enabled[parent])}",
        "done": True,
        "response": {"@type": kind, "services": shown},
    }


def get_operation(call: Call) -> Json:
    """Return an operation, which was done at once."""
    return {"name": call.path["name"], "done": True}


def _shown(call: Call, parent: str, service: str) -> Json:
    _check(service)
    is_on = service in ALWAYS or service in call.world.enabled.get(parent, set())
    return {
        "name": f"projects/{PROJECT_NUMBER}/services/{service}",
        "parent": f"projects/{PROJECT_NUMBER}",
        "config": {"name": service, "title": KNOWN[service]},
        "state": "ENABLED" if is_on else "DISABLED",
    }


def _check(service: str) -> None:
    if service not in KNOWN:
        raise forbidden(f"Not found or permission denied for service(s): {service}.")


_RUNS: Final = {
    "serviceusage.services.get": get_service,
    "serviceusage.services.batchGet": batch_get,
    "serviceusage.services.batchEnable": batch_enable,
    "serviceusage.operations.get": get_operation,
}
OPERATIONS: Final = {name: Operation(run, needs_token=False) for name, run in _RUNS.items()}
