"""What a running stack tells operators: spans, log lines, numbers, and every file that a line could end up in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from cluster.local.home import read_json
from tests.support.running import Running


@dataclass(frozen=True)
class Seen:
    """A span as the file exporter wrote it."""

    name: str
    service: str
    trace: str
    links: tuple[str, ...]
    attributes: dict[str, Any]


def spans(running: Running) -> list[Seen]:
    """Every span that ended so far."""
    assert running.settings.trace_folder is not None
    return [_seen(json.loads(line)) for file in running.settings.trace_folder.glob("*.jsonl") for line in _lines(file)]


def _seen(span: dict[str, Any]) -> Seen:
    return Seen(
        span["name"],
        span["resource"]["attributes"]["service.name"],
        span["context"]["trace_id"].removeprefix("0x"),
        tuple(link["context"]["trace_id"].removeprefix("0x") for link in span["links"]),
        span["attributes"],
    )


def lines(running: Running, service: str) -> list[dict[str, Any]]:
    """The log lines of a service."""
    return [json.loads(line) for line in _lines(running.home.log(service))]


def numbers(running: Running) -> str:
    """What Prometheus would read from the node."""
    port = read_json(running.home.state)["ports"]["ray_metrics"]
    return httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False, timeout=60).raise_for_status().text


def files(running: Running) -> Iterator[Path]:
    """Every file that some process of the stack writes lines to."""
    assert running.settings.trace_folder is not None
    for folder in (running.home.logs, running.home.short / "ray", running.settings.trace_folder):
        yield from (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def content(path: Path) -> bytes:
    """What stands there; nothing of a file that was rotated away meanwhile."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _lines(path: Path) -> list[str]:
    """Whole lines: the last may be in the middle of being written."""
    return path.read_text().rpartition("\n")[0].splitlines() if path.exists() else []
