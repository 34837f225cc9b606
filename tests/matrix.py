"""The authorisation matrix: every route of a table, tried by everybody there is.

A service's test is two lines: build the application, then
`await matrix.check(client, service="mail")`. What each caller may do follows from the
route's access rule alone, so a new route is tried the moment it is in the table, and one
that bypasses the table is found in the router.
"""

import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any
from uuid import uuid4

import jwt
from aiohttp import web
from aiohttp.test_utils import TestClient

from libs.common import clock, service_tokens
from libs.common.web import ROUTES, Access, Route
from libs.common.web.openapi import VARIABLE
from tests.support import (
    CALLER_AUDIENCE,
    CALLER_ISSUER,
    CALLER_KEY,
    SERVICE_KEY,
    bearer,
    caller_token,
    service_caller_token,
)

Client = TestClient[web.Request, web.Application]

FOREIGN_KEY = "a-key-nobody-here-has-ever-agreed-upon-0123"
OWNER, TENANT = "ada", "acme"


class Kind(Enum):
    """What a caller is, as far as a rule can tell."""

    NOBODY = "nobody"
    USER = "user"
    SERVICE = "service"
    INTERNAL = "internal"


class Verdict(Enum):
    """What a rule must lead to."""

    UNKNOWN = 401
    REFUSED = 403
    HIDDEN = 404
    ADMITTED = 200


@dataclass(frozen=True)
class Party:
    """Somebody who tries."""

    name: str
    kind: Kind
    headers: Mapping[str, str]
    stranger: bool = False
    """Known, but the things in `owned` are not theirs."""


@dataclass(frozen=True)
class Case:
    """One try."""

    route: Route
    party: Party
    path: str
    verdict: Verdict

    def __str__(self) -> str:
        """Return the line a failure is found by."""
        return f"{self.route.method} {self.route.path} by {self.party.name}: {self.verdict.name}"


def _unsigned_token() -> str:
    claims = {"iss": CALLER_ISSUER, "aud": CALLER_AUDIENCE, "sub": OWNER, "tenant": TENANT}
    return jwt.encode({**claims, "exp": time.time() + 300}, "", algorithm="none")


def _other_algorithm_token() -> str:
    with warnings.catch_warnings():  # the key is right, and too short for this algorithm
        warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
        return caller_token(algorithm="HS384")


def _internal_token(service: str, *, key: str = SERVICE_KEY, age_s: float = 0) -> str:
    now = clock.now().timestamp() - age_s
    claims = {"iss": "tests", "aud": service_tokens.audience_of(service)}
    return jwt.encode({**claims, "iat": int(now), "exp": int(now) + 60}, key, algorithm="HS256")


def parties(service: str) -> Iterator[Party]:
    """Yield everybody: those we know, and those who only look like them."""
    nobodies = {
        "anonymous": {},
        "basic credentials": {"Authorization": "Basic YWRhOmFkYQ=="},
        "garbage": bearer("not-a-token"),
        "unsigned": bearer(_unsigned_token()),
        "foreign key": bearer(caller_token(key=FOREIGN_KEY)),
        "other algorithm": bearer(_other_algorithm_token()),
        "expired": bearer(caller_token(ttl_s=-60)),
        "no expiry": bearer(caller_token(exp=None)),
        "wrong audience": bearer(caller_token(audience="somebody-else")),
        "wrong issuer": bearer(caller_token(issuer="https://elsewhere.test")),
        "no tenant": bearer(caller_token(tenant=None)),
        "no subject": bearer(caller_token(user=None)),
        "expired service": bearer(service_caller_token(ttl_s=-60)),
        "internal for another service": bearer(_internal_token("other")),
        "internal of yesterday": bearer(_internal_token(service, age_s=86_400)),
        "internal with the callers' key": bearer(_internal_token(service, key=CALLER_KEY)),
    }
    for name, headers in nobodies.items():
        yield Party(name, Kind.NOBODY, headers)
    yield Party("user", Kind.USER, bearer(caller_token(user=OWNER, tenant=TENANT)))
    yield Party(
        "other user", Kind.USER, bearer(caller_token(user="eve", tenant=TENANT)), stranger=True
    )
    foreign_user = bearer(caller_token(user=OWNER, tenant="umbrella"))
    yield Party("user of another tenant", Kind.USER, foreign_user, stranger=True)
    yield Party("service", Kind.SERVICE, bearer(service_caller_token(tenant=TENANT)))
    foreign_service = bearer(service_caller_token(tenant="umbrella"))
    yield Party("service of another tenant", Kind.SERVICE, foreign_service, stranger=True)
    yield Party("internal", Kind.INTERNAL, bearer(_internal_token(service)))


MAY: Mapping[Access, frozenset[Kind]] = {
    Access.PUBLIC: frozenset(Kind),
    Access.USER: frozenset({Kind.USER}),
    Access.SERVICE: frozenset({Kind.SERVICE}),
    Access.USER_OR_SERVICE: frozenset({Kind.USER, Kind.SERVICE}),
    Access.INTERNAL: frozenset({Kind.INTERNAL}),
    Access.WEBHOOK: frozenset(),
}
CALLERS = frozenset({Kind.USER, Kind.SERVICE})
FOR_CALLERS = frozenset({Access.USER, Access.SERVICE, Access.USER_OR_SERVICE})


def verdict(access: Access, party: Party, *, is_owned: bool) -> Verdict:
    """Return what the rule says; a kind of caller it knows but does not want is 403."""
    if party.kind in MAY[access]:
        hidden = is_owned and party.stranger and access in FOR_CALLERS
        return Verdict.HIDDEN if hidden else Verdict.ADMITTED
    known = access in FOR_CALLERS and party.kind in CALLERS
    return Verdict.REFUSED if known else Verdict.UNKNOWN


def cases(
    routes: tuple[Route, ...], *, service: str, owned: Mapping[str, str] | None = None
) -> Iterator[Case]:
    """Yield every route tried by everybody.

    Args:
        routes: the table.
        service: whose internal routes they are.
        owned: values of path variables, of things of user `ada` of tenant `acme`; routes with
            other variables are tried on things that do not exist.
    """
    owned = owned or {}
    everybody = tuple(parties(service))
    for route in routes:
        names = VARIABLE.findall(route.path)
        path = VARIABLE.sub(lambda match: owned.get(match[1], str(uuid4())), route.path)
        is_owned = any(name in owned for name in names)
        for party in everybody:
            yield Case(route, party, path, verdict(route.access, party, is_owned=is_owned))


async def check(
    client: Client,
    *,
    service: str,
    owned: Mapping[str, str] | None = None,
    bodies: Mapping[tuple[str, str], Any] | None = None,
) -> int:
    """Try everything; return how many tries there were.

    Args:
        client: of the application under test, with the keys of `tests.support`.
        service: see `cases`.
        owned: see `cases`.
        bodies: JSON bodies by method and path template; `{}` otherwise.

    Raises:
        AssertionError: naming each try that ended differently, and each route without a rule.
    """
    app = client.app
    assert app is not None
    wrong = [f"{route} has no access rule" for route in unruled(app)]
    tried = 0
    for case in cases(app[ROUTES], service=service, owned=owned):
        body = (bodies or {}).get((case.route.method, case.route.path), {})
        if (what := await _try(client, case, body)) is not None:
            wrong.append(f"{case}, but {what}")
        tried += 1
    assert not wrong, "\n".join(wrong)
    return tried


async def _try(client: Client, case: Case, body: Any) -> str | None:
    """Return what went wrong, or None."""
    sends_body = case.route.method not in {"GET", "HEAD", "DELETE"}
    response = await client.request(
        case.route.method,
        case.path,
        headers=case.party.headers,
        json=body if sends_body else None,
        allow_redirects=False,
    )
    status, raw = response.status, await response.read()
    by_gate = b":problem:unauthenticated" in raw or b":problem:wrong-caller" in raw
    right = {
        Verdict.UNKNOWN: status == 401,
        Verdict.REFUSED: status == 403 and by_gate,
        # A body that is refused before anything is looked up tells a stranger nothing.
        Verdict.HIDDEN: status in {400, 404},
        # A defect would be ours; a dependency that a test leaves out is not.
        Verdict.ADMITTED: status != 500 and not by_gate,
    }[case.verdict]
    return None if right else f"it answered {status}"


def unruled(app: web.Application) -> Iterator[str]:
    """Yield what the router answers but no rule decides about."""
    known = {(route.method, route.path) for route in app[ROUTES]}
    for route in app.router.routes():
        path = "" if route.resource is None else route.resource.canonical
        method = "GET" if route.method == "HEAD" else route.method
        if (method, path) not in known and route.method != "OPTIONS":
            yield f"{route.method} {path}"
