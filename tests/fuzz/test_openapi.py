"""Whatever is asked of an API is answered as its OpenAPI document says, and never by a 5xx."""

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import pytest

from libs.common import clock, service_tokens
from libs.common.web import Access, Route
from libs.common.web.openapi import operation_id
from services.auth.web.routes import ROUTES as AUTH_ROUTES
from services.mail.web.routes import ROUTES as MAIL_ROUTES
from tests.fuzz.effort import LONG
from tests.fuzz.openapi import probe
from tests.fuzz.pushes import push_token
from tests.integration.auth import stand as auth_stand
from tests.integration.mail.stand import Stand as MailStand
from tests.support import SERVICE_KEY, caller_token, service_caller_token

pytestmark = pytest.mark.timeout(1800)  # a busy machine; 20 s are usual

TTL_S = 3600


EXAMPLES = 3
"""Of each operation, beside those its parameters' bounds make; the latter find most."""
BOTH = (Access.USER, Access.SERVICE)
CALLERS = [(Access.USER,), (Access.SERVICE,)] if LONG else [BOTH]
"""Who asks where both may: each for itself, or by turns."""


def tokens_for(
    routes: Sequence[Route], service: str, callers: tuple[Access, ...]
) -> dict[str, str]:
    """Return by operation id a token that opens it."""
    made = {
        Access.USER: caller_token(ttl_s=TTL_S),
        Access.SERVICE: service_caller_token(ttl_s=TTL_S),
        Access.WEBHOOK: push_token(),
        Access.INTERNAL: service_tokens.issue(
            SERVICE_KEY, caller="tests", audience=f"causeway-{service}", now=clock.now()
        ),
    }
    turns = cycle(callers)
    tokens: dict[str, str] = {}
    for route in routes:
        if route.access is not Access.PUBLIC:
            access = next(turns) if route.access is Access.USER_OR_SERVICE else route.access
            tokens[operation_id(route)] = made[access]
    return tokens


@pytest.mark.parametrize("callers", CALLERS, ids=str)
async def test_auth_answers_as_documented(
    auth: auth_stand.Stand, tmp_path: Path, callers: tuple[Access, ...]
) -> None:
    await auth.connect()

    tokens = tokens_for(AUTH_ROUTES, "auth", callers)
    await probe(auth.origin, tmp_path, tokens, examples=EXAMPLES)


@pytest.mark.parametrize("callers", CALLERS, ids=str)
async def test_mail_answers_as_documented(
    mail: MailStand, tmp_path: Path, callers: tuple[Access, ...]
) -> None:
    await mail.connect()
    await mail.deliver(subject="first")
    await mail.deliver(subject="second")

    tokens = tokens_for(MAIL_ROUTES, "mail", callers)
    await probe(mail.origin, tmp_path, tokens, examples=EXAMPLES)
