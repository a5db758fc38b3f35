"""The doctor on certificates: good, late, over, of no use; and names that are missing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cluster import mesh
from cluster.local import authority as authorities
from cluster.local.authority import Authority, spiffe
from cluster.settings import Settings
from tasks.doctor import certificates

PEERS = {"nats": spiffe("nats"), "authoring": spiffe("neighbours")}


async def said(folder: Path | None, **given: Any) -> dict[str, str]:
    """Status by name."""
    found = await certificates.check(Settings(mesh_folder=folder, mesh_peers=PEERS, authoring_url="https://a", **given))
    return {finding.name: finding.status for finding in found}


async def test_nothing_to_look_at() -> None:
    assert await said(None) == {"mesh": "ok"}


@pytest.mark.parametrize(
    "life, status", [(timedelta(days=30), "ok"), (timedelta(seconds=50), "warn"), (timedelta(seconds=-1), "fail")]
)
async def test_how_long_it_is_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, life: timedelta, status: str
) -> None:
    """It begins five minutes ago, so that of 350 s 50 are less than is left before a renewal."""
    monkeypatch.setattr(authorities, "LIFE", life)
    Authority(tmp_path).rotate(["us", "us/helper"])
    assert await said(tmp_path / "us") == {"mesh: us": status, "mesh: helper": status}


async def test_what_is_missing(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.ensure(["us"])
    assert await said(tmp_path / "us", media_url="https://m") == {"mesh: us": "ok", "mesh: peers": "fail"}
    (authority.of("us") / mesh.KEY).write_text("")
    assert await said(tmp_path / "us") == {"mesh: certificate": "fail"}
    (authority.of("us") / mesh.CERTIFICATE).write_text("nothing")
    assert await said(tmp_path / "us") == {"mesh: certificate": "fail"}
