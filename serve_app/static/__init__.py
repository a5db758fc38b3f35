"""Files for browsers, served by ourselves: the documentation page works with no network but this address.

Swagger UI's files come out of the wheel fastapi-offline; the little that is ours lies beside this module. Read once,
since there are few; no page holds a script or a style of its own.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

from serve_app.problems import not_found

router = APIRouter(include_in_schema=False)
PAGE_POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"
DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
FRESH = "public, max-age=3600"
OURS, SWAGGER = "serve_app.static", "fastapi_offline"
FILES = {
    "page.css": (OURS, "page.css", "text/css"),
    "docs.css": (OURS, "docs.css", "text/css"),
    "docs.js": (OURS, "docs.js", "text/javascript"),
    "swagger-ui.css": (SWAGGER, "static/swagger-ui.css", "text/css"),
    "swagger-ui-bundle.js": (SWAGGER, "static/swagger-ui-bundle.js", "text/javascript"),
    "favicon.png": (SWAGGER, "static/favicon.png", "image/png"),
}
DOCS = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>content-service API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" type="image/png" href="/static/favicon.png">
<link rel="stylesheet" href="/static/swagger-ui.css"><link rel="stylesheet" href="/static/docs.css"></head>
<body><div id="docs"><noscript>This page needs scripts. The document itself is at /openapi.json.</noscript></div>
<script src="/static/swagger-ui-bundle.js"></script><script src="/static/docs.js"></script></body></html>"""


@cache
def _read(package: str, path: str) -> bytes:
    return files(package).joinpath(path).read_bytes()


@router.get("/static/{name}")
def file(name: str) -> Response:
    if name not in FILES:
        raise not_found("file")
    package, path, media_type = FILES[name]
    return Response(_read(package, path), media_type=media_type, headers={"Cache-Control": FRESH})


@router.get("/docs")
async def docs() -> HTMLResponse:
    return HTMLResponse(DOCS, headers={"Cache-Control": FRESH, "Content-Security-Policy": DOCS_POLICY})
