"""The route table of the contacts service: every module's own, one after the other."""

from libs.common.web.routes import Route

ROUTES: tuple[Route, ...] = ()
