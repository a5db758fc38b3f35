"""The sandbox as its callers see it: results, errors, limits, and that nothing stays or is shared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster import sandbox
from cluster.sandbox import slots
from cluster.sandbox.kind import Kind
from cluster.sandbox.limits import MIB
from cluster.settings import Settings

PLAIN = Kind("test", preload=("json",))
LIMITS = sandbox.Limits(512 * MIB, 10.0, 4 * MIB, 8 * MIB)


class World:
    """One workspace, and the jobs in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.settings = folder, Settings(workspace=folder / "work")
        self.output = folder / "job"
        self.output.mkdir()

    def python(self, code: str, *results: str, limits: sandbox.Limits = LIMITS, **more: Any) -> sandbox.Result:
        """This code in a sandbox, from a file that it can read."""
        script = self.folder / "code.py"
        script.write_text(code)
        job = sandbox.Job(PLAIN, limits, self.output, {"code.py": script}, results, **more)
        return sandbox.run(job, [sandbox.interpreter(), "-I", "-S", "-B", f"{sandbox.IN}/code.py"], self.settings)

    def call(self, function: str, **arguments: Any) -> sandbox.Result:
        return sandbox.call(sandbox.Job(PLAIN, LIMITS, self.output), function, arguments, self.settings)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    assert [path for path in world.output.iterdir() if path.name.startswith(slots.MOVED)] == []


def test_a_function_is_called_with_json_and_answers_with_json(world: World) -> None:
    assert world.call("os.path:join").code != 0
    assert world.call("json:dumps", obj={"a": [1]}).value == '{"a": [1]}'


def test_results_come_out_under_their_names(world: World) -> None:
    assert world.python("open('made', 'w').write('yes')", "made").code == 0
    assert (world.output / "made").read_text() == "yes"
    assert (world.output / "made").stat().st_mode & 0o777 == 0o600
