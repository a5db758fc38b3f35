"""Every command of the pages that show how to use the API is run, from top to bottom, on a stack that is up."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import documented
from tests.support.documented import ROOT
from tests.support.running import Running

HOW_TOS = sorted(page.relative_to(ROOT).as_posix() for page in (ROOT / "docs/how-to").glob("*.md"))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["docs/api.md", *(pytest.param(page, marks=pytest.mark.slow) for page in HOW_TOS)])
def test_a_page_does_what_it_shows(running: Running, tmp_path: Path, name: str) -> None:
    home = {"CONTENT_HOME": str(running.home.path)}
    ran, code = documented.run(ROOT / name, tmp_path, home, deadline_s=900)
    for block in ran:
        if block.output is None or block.missing:
            break
    else:
        assert code == 0
        return
    shown = "\n".join(entry.output or "" for entry in ran if entry.output is not None)
    pytest.fail(f"exit code {code}; missing {block.missing} in:\n{block.text}\nWhat was printed:\n{shown[-4000:]}")
