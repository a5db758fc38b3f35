"""The programs that run at an edge, in JavaScript, each put together with the table of rules (`cluster.edge.edge_rules`) for one installation.

`files`, `sites` and `answer` are CloudFront Functions (run-time cloudfront-js-2.0: a subset of the language, 10 KB, no network):
`files` refuses what has no rule, `sites` decides which origin may serve what and hands cookies over, `answer` adds the headers of
a site. `worker` is the whole edge as a Cloudflare Worker in front of R2, signatures and all. What they share stands in `shared.js`,
before each of them. The tests run them under node, on the vectors of `tests/vectors/edge`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

Program = Literal["files", "sites", "answer", "worker"]
FUNCTIONS: Final[tuple[Program, ...]] = ("files", "sites", "answer")
MOST_BYTES: Final = 10_240
"""Of a CloudFront Function."""
_HERE: Final = Path(__file__).parent
_USED: Final[dict[Program, tuple[str, ...]]] = {
    "files": ("files",),
    "sites": ("site_host", "sites", "open", "shell", "shell_worker", "site", "imported", "attempt_parts", "label_characters"),
    "answer": (
        "site_host", "sites", "shell", "site", "imported", "attempt_parts", "label_characters", "default_csp", "imported_csp",
        "of_sites", "of_imported",
    ),
    "worker": (),
}  # fmt: skip
"""The members of the table that a function reads, since its size is limited; the Worker gets them all."""


def source(program: Program, rules: Mapping[str, Any], learners: tuple[str, ...] = ()) -> str:
    """The program's text. `rules` as `edge_rules.for_code` gives them; `learners`: origins of pages that may frame the shell everywhere."""
    used = _USED[program] or tuple(rules)
    table = {name: rules[name] for name in used} | {"learners": list(learners)}
    parts = [_read("shared"), _read(program)]
    imports = [line for part in parts for line in part.splitlines() if line.startswith("import ")]
    code = "\n".join(line for part in parts for line in part.splitlines() if not line.startswith("import "))
    written = json.dumps(table, sort_keys=True, separators=(",", ":"))
    return "\n".join([*imports, f"const RULES = {written};", code.strip(), ""])


def _read(name: str) -> str:
    return (_HERE / f"{name}.js").read_text()
