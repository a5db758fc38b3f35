"""One clock counts, Postgres's: what is decided, signed or leased never asks the machine's own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OWN_CLOCK = {
    "actors/drain.py",  # tells Ray until when a node drains, which Ray compares with the same machine's clock
    "tasks/edge/edge_words.py",  # tells operators how long a word of NATS has waited; nothing is decided by it
    "tasks/edge/edge_rotation.py",  # asks for one address of the edge, to see whether it knows the key; signs nothing that lasts
    "tasks/bootstrap.py",  # the first tenant of a local stack
    "tasks/courier.py",  # says in a delivery when it was made, as its receiver compares with a clock of its own
    "tasks/keeping/gc.py",  # compares with the store's times, by hours
    "tasks/keeping/holds_job.py",  # the same, by days
    "tasks/doctor/",  # measures how far the clocks are apart
    "tasks/workspace.py",  # compares with times of files on the same machine
}


def readings(path: Path) -> Iterator[str]:
    """Calls of `datetime.now`, `datetime.utcnow`, `date.today` and `time.time`; spans may use `time.time_ns`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name = ast.unparse(node.func)
            if name in ("datetime.now", "datetime.utcnow", "date.today", "time.time"):
                yield name


def test_work_never_asks_the_machines_clock() -> None:
    found = {
        str(path.relative_to(ROOT)): sorted(readings(path))
        for folder in ("tasks", "actors")
        for path in (ROOT / folder).rglob("*.py")
    }
    assert [name for name, read in found.items() if read and not name.startswith(tuple(OWN_CLOCK))] == []
