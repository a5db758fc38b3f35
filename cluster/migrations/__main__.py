"""`python -m cluster.migrations`: what a release runs first, as the owner role. Prints what was applied; again, nothing."""

from __future__ import annotations

from cluster.migrations import migrate
from cluster.settings import Settings

if __name__ == "__main__":
    for name in migrate(Settings.load()) or ["nothing to do"]:
        print(name, flush=True)
