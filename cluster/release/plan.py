"""The steps of a release and what it has to hold, as data: the defaults here, or a JSON file of the same fields.

Pure. After it: `judgement` measures evidence by the objectives, `decision` walks the steps.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, cast

from content.errors import ContentError


@dataclass(frozen=True)
class Objectives:
    """What the canary has to hold against the stable version. Shares are between 0 and 1.

    A version is worse if chance explains the difference with a probability below `chance` at one look and the difference
    is larger than the tolerance. `chance` is small because there are many looks: a sound release of three steps has a few
    hundred of them.
    """

    error_share: float = 0.005
    """5xx among answers: above it no step is passed."""
    error_tolerance: float = 0.002
    """So much more than the stable version's share is let pass."""
    p99_s: float = 1.0
    """99 of 100 answers within it: above it no step is passed, unless the stable version is as slow."""
    p99_ratio: float = 1.5
    """So many times the stable version's p99 is let pass."""
    p99_floor_s: float = 0.1
    """Nobody is rolled back for being slower than the stable version below it."""
    failed_jobs_share: float = 0.05
    """Failed attempts among those that the canary asked for: above it no step is passed, unless the stable's fail as often."""
    failed_jobs_tolerance: float = 0.05
    """So much more than the stable version's share is let pass."""
    least_requests: int = 500
    """Requests of the window without which no step is passed, whatever their answers."""
    least_jobs: int = 30
    """Attempts without which nothing is said of jobs; a step is passed without."""
    least_compared: int = 20
    """Answers that have to be compared in a step; one that differs ends the release."""
    unreached: int = 3
    """So many comparisons in a row without an answer of the canary, while the stable version answers, end the release."""
    chance: float = 1e-5
    """See above."""


@dataclass(frozen=True)
class Step:
    """So much of the traffic (per cent), for so long at least."""

    share: int
    soak_s: float


@dataclass(frozen=True)
class Plan:
    """A release: its steps in order, the last one 100 %, and when it is given up."""

    steps: tuple[Step, ...] = (Step(10, 600.0), Step(50, 900.0), Step(100, 900.0))
    window_s: float = 300.0
    """Evidence is of the last so many seconds, and never from before the step began."""
    patience_s: float = 7200.0
    """A step that was not passed by then is taken back: no evidence is no consent."""
    blind_s: float = 600.0
    """Without any evidence (Prometheus is away) for so long, the release is taken back."""
    objectives: Objectives = field(default_factory=Objectives)

    def __post_init__(self) -> None:
        shares = [step.share for step in self.steps]
        if not shares or shares != sorted(set(shares)) or not 0 < shares[0] <= shares[-1] == 100:
            raise ContentError("plan-invalid", "The steps of a release rise to 100 per cent.", "Correct the plan.")

    def step(self, share: int) -> Step:
        """The step of this share. Raises ContentError `plan-invalid` if there is none: the plan was changed underway."""
        for step in self.steps:
            if step.share == share:
                return step
        raise ContentError("plan-invalid", f"The plan has no step of {share} per cent.", "Give the plan it began with.")

    def after(self, share: int) -> Step | None:
        """The step that follows; None after the last one."""
        return next((step for step in self.steps if step.share > share), None)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def read(data: bytes) -> Plan:
    """A plan from JSON; what is left out has its default. Raises ContentError `plan-invalid`."""
    try:
        document = json.loads(data)
        if not isinstance(document, dict):
            raise TypeError("it is not an object")
        given = cast("dict[str, Any]", document)
        objectives = Objectives(**_checked(Objectives, given.pop("objectives", {})))
        steps = given.pop("steps", None)
        rest = _checked(Plan, given)
        if steps is not None:
            rest["steps"] = tuple(Step(**_checked(Step, step)) for step in steps)
        return Plan(**rest, objectives=objectives)
    except (ValueError, TypeError) as error:
        raise ContentError("plan-invalid", f"This is no plan of a release: {error}.", "See docs/release.md.") from error


def _checked(kind: type, given: dict[str, Any]) -> dict[str, Any]:
    """The members of a document, each a number of a known name."""
    names = {each.name for each in fields(kind)} - {"objectives", "steps"}
    for name, value in given.items():
        if name not in names:
            raise ValueError(f"“{name}” is not known")
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise ValueError(f"“{name}” is not a number from 0 on")
    return dict(given)
