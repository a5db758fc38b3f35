"""What `serveConfigV2` names: one function per application, each a bound Serve application with the settings of its pod.

`import_path: serve_app.production:bundler` says all that a manifest says of an application: sizes come from
`cluster/topology.py`, everything else from `CONTENT_…` in the environment. What is bound travels through the cluster's store
and is shown in its dashboard, so it holds no secret: a worker's replica is told its pool's name and reads its own pod's
settings. These functions run on the head, which therefore needs the settings of its cluster but none of its secrets.

Nothing is imported before its function is called: the importer's image has none of what the others need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cluster import topology
from cluster.settings import Settings

if TYPE_CHECKING:
    from ray.serve import Application


def api(args: dict[str, Any]) -> Application:
    """content-api, at `/`."""
    from serve_app.bound.api import api as bound

    return bound(_settings(args))


def builder(args: dict[str, Any]) -> Application:
    """content-builder, without a route."""
    return _worker(topology.BUILDER, args)


def bundler(args: dict[str, Any]) -> Application:
    """content-bundler, without a route."""
    return _worker(topology.BUNDLER, args)


def exporter(args: dict[str, Any]) -> Application:
    """content-exporter, without a route."""
    return _worker(topology.EXPORTER, args)


def relay(args: dict[str, Any]) -> Application:
    """content-outbox-relay, without a route."""
    return _worker(topology.RELAY, args)


def importer(args: dict[str, Any]) -> Application:
    """content-scorm-importer, at the path of `importer_url`, in a cluster of its own."""
    from serve_app.bound.importer import importer as bound

    return bound(_settings(args))


def _worker(pool: topology.Pool, args: dict[str, Any]) -> Application:
    from serve_app.bound.workers import worker

    return worker(pool, _settings(args))


def _settings(args: dict[str, Any]) -> Settings:
    """Serve hands over the `args` of its configuration, where nothing belongs: they are not where settings are looked for."""
    if args:
        raise ValueError(f"Settings are in the environment, not in args of the Serve configuration: {sorted(args)}.")
    return Settings.load()
