"""The OpenAPI document: what FastAPI finds in the routes, and what all routes share, added once for all.

Routes stay small: a route says its own problems (`responses=raises(…)`), and this package adds what follows from what it
takes: who may ask, the limits, bodies, cursors, keys, conditions; header fields; examples. `python -m serve_app.openapi
docs/openapi.json` writes the document, and a test compares it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from serve_app.openapi.examples import example_of
from serve_app.openapi.operations import complete
from serve_app.openapi.shared import HEADERS, PARAMETERS, PROBLEM, SECURITY, TAGS

FROM_FRAMEWORK = ("HTTPValidationError", "ValidationError")
METHODS = ("get", "put", "post", "delete", "patch")


def unique_id(route: APIRoute) -> str:
    """`packages_show_version`: the resource and the function."""
    return f"{route.tags[0] if route.tags else 'api'}_{route.name}".replace("-", "_")


def install(app: FastAPI, routers: Sequence[APIRouter]) -> None:
    """Have the application answer with the whole document."""

    def whole() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = document(app, routers)
        return app.openapi_schema

    app.openapi = whole


def document(app: FastAPI, routers: Sequence[APIRouter]) -> dict[str, Any]:
    """The document of an application made of these routers."""
    found = get_openapi(
        title=app.title,
        version=app.version,
        summary="PlayPackages and bundles of courses, for learning platforms.",
        description=app.description,
        routes=app.routes,
        tags=TAGS,
        servers=[{"url": "/", "description": "this service, in the tenant's home region"}],
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    components = found.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in FROM_FRAMEWORK:
        schemas.pop(name, None)
    schemas["Problem"] = PROBLEM
    components["securitySchemes"] = SECURITY
    components["parameters"] = PARAMETERS
    components["headers"] = HEADERS
    components["responses"] = {}
    told = [
        route
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute) and route.include_in_schema
    ]
    found["paths"] = {route.path_format: found["paths"][route.path_format] for route in told}
    for route in told:
        for method in route.methods or ():
            complete(found["paths"][route.path_format][method.lower()], route, components)
    for operation in operations(found):
        _exemplify(operation, schemas)
    return found


def operations(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Every operation of a document."""
    return [item[method] for item in found["paths"].values() for method in METHODS if method in item]


def _exemplify(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Give each JSON body without an example one that is made of its schema."""
    bodies = [operation.get("requestBody", {})]
    bodies += [answer for status, answer in operation["responses"].items() if status.startswith("2")]
    for body in bodies:
        content = body.get("content", {}).get("application/json")
        if content and not {"example", "examples"} & content.keys():
            content["example"] = example_of(content["schema"], schemas)
