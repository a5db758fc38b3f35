"""Playing the neighbours of a local stack: put a draft and its files where they belong and publish the events.

Publishing is done as the NATS user `neighbours`, who may publish theirs and nothing of ours. `Nats-Msg-Id` is the event's
id: to send the same event again, hand its id in.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import nats

from cluster import mesh, telemetry
from cluster.local.configuration import load_settings
from cluster.local.home import Home, read_json
from cluster.neighbours import Holding, Listing, draft_path, holding_path, listing_path, original_path
from content.canonical import rfc3339

PUT_TIMEOUT_S = 120.0


def put_draft(home: Path, tenant: str, draft: Mapping[str, Any], *, draft_id: str, revision: int) -> None:
    """Lay a draft down at the authoring stub."""
    _put(
        home,
        load_settings(home).authoring_url + draft_path(tenant, draft_id, revision),
        json.dumps(draft).encode(),
        "application/json",
    )


def put_media(home: Path, tenant: str, files: Mapping[str, tuple[Path, str]]) -> None:
    """Lay originals down at the media stub: asset id → (file, media type)."""
    url = load_settings(home).media_url
    for asset, (path, media_type) in files.items():
        with path.open("rb") as file:
            _put(home, url + original_path(tenant, asset), file, media_type)


def put_listing(home: Path, tenant: str, listing: Listing) -> None:
    """Lay a course's listing down at the catalog stub."""
    url = load_settings(home).catalog_url + listing_path(tenant, listing.course_id)
    _put(home, url, listing.model_dump_json(exclude_none=True).encode(), "application/json")


def put_holding(home: Path, tenant: str, package_id: str, holding: Holding) -> None:
    """Have the sync stub know what a device holds, as if the device had told it."""
    url = load_settings(home).sync_url + holding_path(tenant, package_id, holding.device_id)
    _put(home, url, holding.model_dump_json().encode(), "application/json")


def control(home: Path, service: str, mode: str, delay_s: float = 5.0, times: int = 0) -> None:
    """Make a stub misbehave (the modes are those of `misbehaviour.py`), for so many requests, or until it is `ok` again."""
    base = load_settings(home).authoring_url.removesuffix("/authoring")
    wanted = json.dumps({"mode": mode, "delay_s": delay_s, "times": times}).encode()
    _put(home, f"{base}/control/{service}", wanted, "application/json")


def publish_draft(
    home: Path,
    tenant: str,
    draft: Mapping[str, Any],
    media: Mapping[str, tuple[Path, str]],
    *,
    course_id: str,
    draft_id: str,
    revision: int,
    published_at: datetime | None = None,
    listing: Listing | None = None,
    event_id: str | None = None,
) -> str:
    """Draft, originals, listing (the title alone where none is given), then the event; returns its id."""
    put_media(home, tenant, media)
    put_listing(home, tenant, listing or Listing(course_id=course_id, title=dict(draft.get("title", {}))))
    put_draft(home, tenant, draft, draft_id=draft_id, revision=revision)
    when = rfc3339(published_at or datetime.now(UTC))
    data = {
        "tenant_id": tenant,
        "course_id": course_id,
        "draft_id": draft_id,
        "revision": revision,
        "published_at": when,
    }
    return publish(home, "authoring.course_draft.published.v1", course_id, data, event_id=event_id)


def enrol(
    home: Path,
    tenant: str,
    *,
    enrollment_id: str,
    learner_id: str,
    course_id: str,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    event_id: str | None = None,
) -> str:
    """Publish `enrollment.created.v1`; returns the event's id."""
    data = {"tenant_id": tenant, "enrollment_id": enrollment_id, "learner_id": learner_id, "course_id": course_id}
    data |= {name: rfc3339(moment) for name, moment in (("starts_at", starts_at), ("ends_at", ends_at)) if moment}
    return publish(home, "enrollment.created.v1", enrollment_id, data, event_id=event_id)


def cancel(home: Path, tenant: str, *, enrollment_id: str, reason: str, event_id: str | None = None) -> str:
    """Publish `enrollment.cancelled.v1`; returns the event's id."""
    data = {"tenant_id": tenant, "enrollment_id": enrollment_id, "reason": reason}
    return publish(home, "enrollment.cancelled.v1", enrollment_id, data, event_id=event_id)


def publish(home: Path, kind: str, subject: str, data: Mapping[str, Any], *, event_id: str | None = None) -> str:
    """Publish one CloudEvent of type `kind` about `subject`, acknowledged by JetStream; returns its id."""
    return publish_many(home, [(kind, subject, data)], event_ids=None if event_id is None else [event_id])[0]


def publish_many(
    home: Path, events: list[tuple[str, str, Mapping[str, Any]]], *, event_ids: list[str] | None = None
) -> list[str]:
    """Publish (kind, subject, data) in this order over one connection; returns their ids."""
    ids = event_ids or [str(uuid.uuid4()) for _ in events]
    bodies = [
        (kind, event_id, json.dumps(_envelope(kind, subject, data, event_id)).encode())
        for (kind, subject, data), event_id in zip(events, ids, strict=True)
    ]
    asyncio.run(_send(home, bodies))
    return ids


def _envelope(kind: str, subject: str, data: Mapping[str, Any], event_id: str) -> dict[str, Any]:
    parent = telemetry.traceparent()
    return {
        "specversion": "1.0", "id": event_id, "source": f"/{kind.split('.')[0]}-service", "type": kind, "subject": subject,
        "time": rfc3339(datetime.now(UTC)), "datacontenttype": "application/json", "data": dict(data),
        **({"traceparent": parent} if parent else {}),
    }  # fmt: skip


async def _send(home: Path, bodies: list[tuple[str, str, bytes]]) -> None:
    known = read_json(Home(home).keys / "neighbours.json")
    client = await nats.connect(
        load_settings(home).nats_url,
        tls=_tls(home, "nats"),
        user=known["nats_user"],
        password=known["nats_password"],
        connect_timeout=5,
        max_reconnect_attempts=5,
    )
    try:
        stream_api = client.jetstream(timeout=10)
        for kind, event_id, body in bodies:
            await stream_api.publish(kind, body, headers={"Nats-Msg-Id": event_id})
    finally:
        await client.close()


def _put(home: Path, url: str, content: Any, media_type: str) -> None:
    headers, verify = {"content-type": media_type}, _tls(home, "authoring") or True
    httpx.put(
        url, content=content, headers=headers, timeout=PUT_TIMEOUT_S, trust_env=False, verify=verify
    ).raise_for_status()


def _tls(home: Path, peer: str) -> ssl.SSLContext | None:
    """Under mTLS, as the neighbours."""
    known = read_json(Home(home).keys / "neighbours.json")
    return mesh.of_folder(Path(known["mesh_folder"]), known["mesh_peers"][peer]) if "mesh_folder" in known else None
