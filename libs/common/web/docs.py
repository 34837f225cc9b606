"""The API's documentation: the OpenAPI document, and a page to browse it.

The page's scripts come from the installed package, never from elsewhere: it works without
the internet, and under a policy that allows no foreign code.
"""

from importlib.util import find_spec
from pathlib import Path

from aiohttp import web

from libs.common.web import openapi
from libs.common.web.routes import Access, Route

ASSETS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
POLICY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'"
    )
}
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Causeway API</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="icon" type="image/png" href="docs/favicon-32x32.png">
</head>
<body>
<div id="api"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
START = """SwaggerUIBundle({
  url: "openapi.json", dom_id: "#api", deepLinking: true, persistAuthorization: false,
  validatorUrl: null
});
"""
CACHE = {"Cache-Control": "public, max-age=3600"}


async def show_openapi(request: web.Request) -> web.Response:
    """GET /openapi.json: the OpenAPI 3.1 document of this service."""
    body = request.app[openapi.DOCUMENT].json()
    return web.Response(body=body, content_type="application/json")


async def show_page(_request: web.Request) -> web.Response:
    """GET /docs: the documentation, to browse and try out."""
    return web.Response(text=PAGE, content_type="text/html", headers=POLICY)


async def show_asset(request: web.Request) -> web.StreamResponse:
    """GET /docs/{asset}: one of the page's own files; no other file can be named."""
    name = request.match_info["asset"]
    if name == "start.js":
        return web.Response(text=START, content_type="text/javascript", headers=CACHE)
    if name not in ASSETS:
        raise web.HTTPNotFound
    headers = {"Content-Type": ASSETS[name], **CACHE}
    return web.FileResponse(_asset_folder() / name, headers=headers)


def _asset_folder() -> Path:
    spec = find_spec("swagger_ui")  # found, not imported: only its files are wanted
    if spec is None or spec.origin is None:
        raise FileNotFoundError("swagger_ui")
    return Path(spec.origin).parent / "static"


def routes() -> tuple[Route, ...]:
    """Return the routes of the documentation."""
    own = (
        ("/openapi.json", show_openapi, "This document"),
        ("/docs", show_page, "This documentation, to browse"),
        ("/docs/{asset}", show_asset, "The page's files"),
    )
    return tuple(
        Route(
            method="GET",
            path=path,
            handler=handler,
            access=Access.PUBLIC,
            summary=summary,
            tags=("documentation",),
        )
        for path, handler, summary in own
    )
