"""Where handlers find the service's tools."""

from aiohttp import web

from services.auth.sync.context import Context
from services.auth.sync.health import HealthDesk
from services.auth.sync.refresh import Refresher

CONTEXT = web.AppKey("context", Context)
REFRESHER = web.AppKey("refresher", Refresher)
HEALTH = web.AppKey("health", HealthDesk)
