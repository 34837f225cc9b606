"""What the process counts, for Prometheus.

Labels are route templates and short constants: never a path, an id or an address.
"""

from functools import lru_cache

from aiohttp import web
from prometheus_client import REGISTRY, Counter, Histogram
from prometheus_client.exposition import choose_encoder

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

REQUESTS = Counter(
    "causeway_http_requests", "HTTP requests answered.", ["method", "route", "status"]
)
DURATION = Histogram(
    "causeway_http_request_seconds",
    "Time to answer an HTTP request.",
    ["method", "route"],
    buckets=BUCKETS,
)
REFUSED = Counter(
    "causeway_auth_refusals", "Requests without acceptable credentials.", ["access", "reason"]
)
LOOP_CRASHES = Counter(
    "causeway_background_crashes", "Background loops that ended unexpectedly.", ["name"]
)


def observe(*, method: str, route: str, status: int, seconds: float) -> None:
    """Count one answered request; `route` is a template."""
    known = method if method in METHODS else "other"
    requests, duration = _series(known, route, status)
    requests.inc()
    duration.observe(seconds)


@lru_cache(maxsize=4096)
def _series(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """Return the series of one kind of answer; finding them costs more than counting."""
    return REQUESTS.labels(method, route, str(status)), DURATION.labels(method, route)


async def show_metrics(request: web.Request) -> web.Response:
    """GET /metrics: everything counted by this process, in the format that was asked for."""
    try:
        encoder, content_type = choose_encoder(request.headers.get("Accept", ""))
    except (TypeError, ValueError):  # the library compares versions that are no numbers
        encoder, content_type = choose_encoder("")
    return web.Response(body=encoder(REGISTRY), headers={"Content-Type": content_type})
