"""The commands of a documentation page, run as somebody would who types along: one shell, from top to bottom.

Every fenced block of `sh` is run. A line `# → words` below a command says what the block's output must hold.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXPECTED = re.compile(r"^# → (.+)$", re.MULTILINE)
MARK = "-- end of block"


@dataclass(frozen=True)
class Block:
    """One block, and what came of it; `output` is None where the shell had ended before."""

    text: str
    output: str | None

    @property
    def missing(self) -> list[str]:
        """What the page promises and the output does not hold."""
        shown = (self.output or "").lower()
        return [words for words in EXPECTED.findall(self.text) if words.strip().lower() not in shown]


def blocks(page: Path) -> list[str]:
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def run(page: Path, folder: Path, environment: Mapping[str, str], deadline_s: float) -> tuple[list[Block], int]:
    """Run the page in `folder`, with this repository's `.venv` in it; the blocks, and the shell's exit code."""
    (folder / ".venv").symlink_to(ROOT / ".venv")
    (folder / "Makefile").symlink_to(ROOT / "Makefile")
    texts = blocks(page)
    script = folder / "page.sh"
    parts = [f"{text}\nprintf '\\n%s %d\\n' '{MARK}' {at}\n" for at, text in enumerate(texts)]
    script.write_text("set -euo pipefail\nexec 2>&1\nmake() { true; }\n" + "".join(parts), encoding="utf-8")
    kept = {name: os.environ[name] for name in ("LANG", "LC_ALL") if name in os.environ}
    told = {
        **kept,
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "COLUMNS": "80",
        **environment,
    }
    printed = folder / "printed.txt"
    with printed.open("wb") as out, subprocess.Popen(
        ["bash", str(script)], cwd=folder, env=told, stdin=subprocess.DEVNULL, stdout=out, start_new_session=True
    ) as shell:  # fmt: skip
        try:
            shell.wait(deadline_s)
        except subprocess.TimeoutExpired:
            shell.kill()
        with suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)  # what the page left in the background
    output = printed.read_text(encoding="utf-8", errors="replace")
    found = re.split(rf"^{MARK} \d+$", output, flags=re.MULTILINE)
    return [Block(text, found[at] if at < len(found) else None) for at, text in enumerate(texts)], shell.returncode
