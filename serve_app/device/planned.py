"""A device asks for what fits it, and waits until that can be fetched."""

from __future__ import annotations

import time
from collections.abc import Callable

from content.errors import ContentError
from serve_app.client import BundlesRequested, Client, Plan

FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 3.0
PATIENCE_S = 600.0


def request(
    api: Client,
    plan: Plan,
    space: str | None,
    *,
    patience_s: float = PATIENCE_S,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> BundlesRequested:
    """Ask for the bundles of a plan that was looked at; all of them are ready then. `space` is what the plan was made for.

    Raises ContentError `plan-outdated` if it is another one by now, `bundle-failed`, or `bundle-not-ready` after `patience_s`.
    """
    made = api.request_bundles(plan["package_id"], space, plan_id=plan["plan_id"] if space else None)
    end = clock() + patience_s
    for row in made["bundles"]:
        wait_s = FIRST_WAIT_S
        while True:
            try:
                api.bundle(row["bundle_id"])
                break
            except ContentError as error:
                if error.code != "bundle-not-ready" or clock() + wait_s > end:
                    raise
            sleep(wait_s)
            wait_s = min(LONGEST_WAIT_S, wait_s * 1.5)
    return made
