"""`python -m bench [NAME]`: measure, print a table, write `bench/results.json`."""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path

from bench import results
from bench.results import Result

ORDER = (
    "seal", "opening", "sandbox", "signing", "bundle", "relay", "rls", "rotation", "build", "demo_build", "enrolment", "shared", "delta", "history",
    "lanes", "storm", "autoscaling", "idle", "api", "browser", "player",
    "export", "reading", "importing", "regions", "canary", "recovery",
)  # fmt: skip
WITHOUT_STACK = {"regions", "seal", "opening", "sandbox", "signing", "browser", "player", "reading"}
WITHOUT_RAY = {"canary", "recovery", "autoscaling", "bundle", "relay", "rls", "rotation", "export"}


def main(only: str | None) -> int:
    if only and only not in ORDER:
        sys.stderr.write(f"There is no measurement {only!r}; there are {', '.join(ORDER)}.\n")
        return 2
    chosen = [only] if only else list(ORDER)
    found: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="content-bench-") as folder:
        home = Path(folder) / "home"
        try:
            for name in chosen:
                sys.stderr.write(f"measuring {name} …\n")
                found += _run(name, home)
        finally:
            _down(home)
    results.show(found)
    results.keep(found)
    return 0


def _run(name: str, home: Path) -> list[Result]:
    """Each measurement is the function `measure` of the module of its name."""
    module = importlib.import_module(f"bench.{name}")
    if name in WITHOUT_STACK:
        return module.measure()
    from bench.stack import up

    return module.measure(home, up(home, ray=name not in WITHOUT_RAY))


def _down(home: Path) -> None:
    if home.exists():
        from cluster.local.stack import Stack

        Stack(home).down()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 and sys.argv[1] else None))
