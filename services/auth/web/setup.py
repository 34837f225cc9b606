"""What there is to set up at Google, for whoever sets Causeway up."""

from datetime import datetime
from typing import Final

from aiohttp import web
from pydantic import BaseModel, Field

from libs.common import clock
from libs.common.settings import SettingDoc, documented
from libs.common.web import reply
from services.auth.domain.model import Access, Product
from services.auth.domain.scopes import ASKED, IDENTITY
from services.auth.domain.setup import Seen, StepState, steps
from services.auth.settings import AuthSettings
from services.auth.sync.setup import look_at_setup
from services.auth.web.keys import CONTEXT, HEALTH

ALSO_NEEDED: Final = ("google_client_id", "google_client_secret")
"""Settings that have a default, and are needed: see `GOOGLE_CREDENTIALS_FILE`."""
CALLER_KEYS: Final = ("caller_key", "caller_jwks_url")
"""Settings of which one is needed."""
OF_OTHERS: Final = {
    "mail": (
        "CAUSEWAY_MAIL_DATABASE_URL",
        "CAUSEWAY_GMAIL_TOPIC",
        "CAUSEWAY_PUSH_AUDIENCE",
        "CAUSEWAY_PUSH_SERVICE_ACCOUNT",
    ),
    "calendar": ("CAUSEWAY_CALENDAR_DATABASE_URL",),
    "contacts": ("CAUSEWAY_CONTACTS_DATABASE_URL",),
}
"""What the other services need besides; whether they have it they say when they start."""


class StepView(BaseModel):
    """One thing to do."""

    step: str
    title: str
    description: str
    url: str = Field(description="Where it is done")
    state: StepState
    how_checked: str = Field(description="What was seen; or how a person sees it")


class SettingView(BaseModel):
    """A setting that is needed; never its value."""

    name: str
    service: str
    is_set: bool | None = Field(description="null: auth cannot know it of another service")


class ScopesView(BaseModel):
    """What Google is asked for."""

    product: Product | None = Field(description="null: always, to know whose account it is")
    access: Access | None
    scopes: tuple[str, ...]
    granted_before: bool | None = Field(description="Whether anybody ever granted it")


class SetupView(BaseModel):
    """What there is to set up, and how much is known to be."""

    checked_at: datetime
    google: str = Field(description="Where tokens come from: Google, or what stands in for it")
    steps: tuple[StepView, ...]
    required_settings: tuple[SettingView, ...]
    required_scopes: tuple[ScopesView, ...]


async def show_setup(request: web.Request) -> web.Response:
    """GET /v1/setup: every step. How the deployment stands is for services, not for users."""
    context = request.app[CONTEXT]
    checked_at, seen = await look_at_setup(context, request.app[HEALTH], now=clock.now())
    return reply(
        SetupView(
            checked_at=checked_at,
            google=context.google.token_url,
            steps=tuple(StepView.model_validate(one, from_attributes=True) for one in steps(seen)),
            required_settings=required_settings(context.settings),
            required_scopes=required_scopes(seen),
        )
    )


def required_settings(settings: AuthSettings) -> tuple[SettingView, ...]:
    """Return what auth must have, set or not, and what the others must have."""
    docs = {doc.field: doc for doc in documented(AuthSettings)}
    needed = [doc for doc in docs.values() if doc.required or doc.field in ALSO_NEEDED]
    own = [_view(doc, is_set=_is_set(settings, doc.field)) for doc in needed]
    given = [name for name in CALLER_KEYS if _is_set(settings, name)] or [CALLER_KEYS[0]]
    own += [_view(docs[name], is_set=_is_set(settings, name)) for name in given]
    others = [
        SettingView(name=name, service=service, is_set=None)
        for service, names in OF_OTHERS.items()
        for name in names
    ]
    return (*own, *others)


def _view(doc: SettingDoc, *, is_set: bool) -> SettingView:
    return SettingView(name=doc.variable, service="auth", is_set=is_set)


def _is_set(settings: AuthSettings, field: str) -> bool:
    return bool(getattr(settings, field))


def required_scopes(seen: Seen) -> tuple[ScopesView, ...]:
    """Return what is asked for each product and access."""
    identity = ScopesView(product=None, access=None, scopes=IDENTITY, granted_before=None)
    return (
        identity,
        *(
            ScopesView(
                product=product,
                access=access,
                scopes=scopes,
                granted_before=(product, access) in seen.granted,
            )
            for (product, access), scopes in ASKED.items()
        ),
    )
