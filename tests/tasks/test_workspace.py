"""The scratch folder of a job: what of it counts, and that work in it ends when there is too much."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from cluster.settings import Settings
from content.errors import ContentError
from tasks import workspace
from tasks.render import look


def test_what_counts_is_what_lies_on_the_disk_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100_000)
    os.link(tmp_path / "a", tmp_path / "again")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "b").write_bytes(b"x" * 50_000)
    assert 150_000 <= workspace.used_bytes(tmp_path) < 200_000


def test_a_full_one_ends_the_work_by_name_and_leaves_nothing(tmp_path: Path) -> None:
    job, out = tmp_path / "job", tmp_path / "job" / "out"
    out.mkdir(parents=True)
    original = job / "original"
    Image.effect_noise((3000, 2000), 90).save(original, "PNG")
    check = workspace.guard(job, original.stat().st_size, "my-asset")
    (job / "more").write_bytes(b"x" * 10_000)
    with pytest.raises(ContentError, match="my-asset") as refused:
        look(original, "image", out, Settings(), "my-asset", check)
    assert refused.value.code == "workspace-full"
    assert not refused.value.retryable
    assert "workspace_max_bytes" in refused.value.remedy
    assert sorted(path.name for path in job.iterdir()) == ["more", "original", "out"]
    assert list(out.iterdir()) == []


def test_an_attempt_removes_what_earlier_ones_left_and_itself(tmp_path: Path) -> None:
    (tmp_path / "job_1" / "1").mkdir(parents=True)
    (tmp_path / "job_1" / "1" / "left").write_text("x")
    with workspace.attempt(tmp_path, "job_1", 2) as folder:
        assert not (tmp_path / "job_1" / "1").exists()
        (folder / "new").write_text("x")
    assert not (tmp_path / "job_1").exists()
