"""`python -m bench [NAME]`: measure, print a table, write `bench/results.json`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench import results
from bench.results import Result

ORDER = (
    "seal",
    "sandbox",
    "bundle",
    "relay",
    "rls",
    "build",
    "enrolment",
    "shared",
    "delta",
    "storm",
    "idle",
    "api",
    "browser",
)
WITH_RAY = {"build", "enrolment", "shared", "delta", "storm", "idle", "api"}


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
    if name == "seal":
        from bench.seal import measure

        return measure()
    if name == "sandbox":
        from bench.sandbox import measure

        return measure()
    if name == "browser":
        from bench.browser import measure

        return measure()
    from bench.stack import up

    settings = up(home, ray=name in WITH_RAY)
    if name == "bundle":
        from bench.bundle import measure
    elif name == "relay":
        from bench.relay import measure
    elif name == "rls":
        from bench.rls import measure
    elif name == "api":
        from bench.api import measure
    elif name == "build":
        from bench.build import measure
    elif name == "enrolment":
        from bench.enrolment import measure
    elif name == "shared":
        from bench.shared import measure
    elif name == "delta":
        from bench.delta import measure
    elif name == "storm":
        from bench.storm import measure
    else:
        from bench.idle import measure
    return measure(home, settings)


def _down(home: Path) -> None:
    if home.exists():
        from cluster.local.stack import Stack

        Stack(home).down()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 and sys.argv[1] else None))
