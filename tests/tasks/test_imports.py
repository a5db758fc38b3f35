"""What of an import can be decided without a store: pieces, the course that a package belongs to, seats, folders of the dead."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content.errors import ContentError
from content.scorm.model import Course, Item, Launch, Organization, Resource
from tasks import workspace
from tasks.importing.import_commit import course_of
from tasks.importing.imports import Upload
from tasks.seats import Seats

COURSE = Course(
    "1.2", "course_1", "Safety at work", "imsmanifest.xml",
    (Organization("o", "Safety", (Item("i", "Begin", "r"),)),), "o",
    (Resource("r", href="index.html", files=("index.html",)),), (Launch("o", "i", "Begin", "index.html"),),
)  # fmt: skip


@given(st.integers(1, 1 << 40), st.integers(5 << 20, 1 << 30))
def test_the_pieces_are_the_file(size: int, piece: int) -> None:
    upload = Upload("course.zip", size, piece, None, None)
    if upload.pieces > 1000:
        return
    sizes = [upload.piece_size(number) for number in range(1, upload.pieces + 1)]
    assert sum(sizes) == size and set(sizes[:-1]) <= {piece} and 0 < sizes[-1] <= piece
    for number in (0, upload.pieces + 1):
        with pytest.raises(ContentError):
            upload.piece_size(number)


def test_a_course_is_named_by_its_title_and_known_by_both() -> None:
    name = course_of(COURSE)
    assert name.startswith("safety-at-work-") and course_of(replace(COURSE, description="another")) == name
    # Tools that give each course the same identifier, and courses of one title.
    assert len({name, course_of(replace(COURSE, title="Fire")), course_of(replace(COURSE, identifier="course_2"))}) == 3
    assert course_of(replace(COURSE, title="", identifier="com.example.fire")).startswith("com-example-fire-")
    assert course_of(replace(COURSE, title="السلامة", identifier="")).startswith("course-")
    assert course_of(replace(COURSE, title="Sécurité Ω")).startswith("securite-")


@given(st.text(max_size=300), st.text(max_size=300))
def test_every_name_of_a_course_is_one(title: str, identifier: str) -> None:
    assert 0 < len(course_of(replace(COURSE, title=title, identifier=identifier))) < 100


async def test_the_small_do_not_wait_for_the_large() -> None:
    seats, order = Seats(100, small=2), list[str]()
    gone = asyncio.Event()

    async def large(name: str) -> None:
        async with seats.take(100):
            order.append(name)
            await gone.wait()

    async def small(name: str) -> None:
        async with seats.take(99):
            await asyncio.sleep(0)
            order.append(name)

    waiting = [asyncio.create_task(large(name)) for name in ("one", "two")]
    await asyncio.gather(*(small(f"s{n}") for n in range(20)))
    assert order[0] == "one" and len(order) == 21 and "two" not in order
    gone.set()
    await asyncio.gather(*waiting)
    assert order[-1] == "two"


def _hold(root: Path, ready: str) -> None:
    with workspace.held(root) as folder:
        (folder / "upload.zip").write_bytes(b"x")
        Path(ready).touch()
        signal.pause()


def test_what_a_dead_holder_left_is_removed_and_what_a_living_one_has_is_not(tmp_path: Path) -> None:
    root, ready = tmp_path / "work", tmp_path / "ready"
    held = multiprocessing.get_context("spawn").Process(target=_hold, args=(root, str(ready)))
    held.start()
    while not ready.exists():
        assert held.is_alive()
    workspace.reap(root)
    assert [path.name for path in root.glob("held-*/*")] == ["upload.zip"]
    with workspace.held(root) as mine:
        assert len(list(root.iterdir())) == 2 and mine.is_dir()
    os.kill(held.pid or 0, signal.SIGKILL)
    held.join(10)
    workspace.reap(root)
    assert list(root.iterdir()) == []
