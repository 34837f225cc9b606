"""The endpoints on one person's data."""

from libs.common.privacy.web import DESK, routes

__all__ = ["DESK", "ROUTES"]

ROUTES = routes("/v1/contacts")
