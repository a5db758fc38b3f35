"""What was seen of two versions within a window of time. Values only; `measurements` and `shadow` make them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from cluster.release.statistics import Histogram


@dataclass(frozen=True)
class Share:
    """How many of how many were bad."""

    bad: int = 0
    total: int = 0

    @property
    def value(self) -> float:
        return self.bad / self.total if self.total else 0.0

    def __str__(self) -> str:
        return f"{self.bad} of {self.total} ({self.value:.2%})"


@dataclass(frozen=True)
class Seen:
    """One version: its answers (5xx are bad), the same as counted at its door by Ray Serve (None: not told), how long they
    took, and the attempts at jobs that it had accepted."""

    answers: Share = Share()
    door: Share | None = None
    seconds: Histogram = field(default_factory=Histogram)
    jobs: Share = Share()

    def as_dict(self) -> dict[str, Any]:
        """For the state of a release, where it is the yardstick once the stable version has no traffic."""
        door = None if self.door is None else [self.door.bad, self.door.total]
        finite = [[bound if bound != float("inf") else None, count] for bound, count in self.seconds.counts]
        return {
            "answers": [self.answers.bad, self.answers.total], "door": door, "seconds": finite,
            "jobs": [self.jobs.bad, self.jobs.total],
        }  # fmt: skip

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> Seen:
        """Raises KeyError, TypeError or ValueError."""
        counts = tuple((float("inf") if bound is None else float(bound), int(n)) for bound, n in given["seconds"])
        door = None if given["door"] is None else Share(*given["door"])
        return cls(Share(*given["answers"]), door, Histogram(counts), Share(*given["jobs"]))


@dataclass(frozen=True)
class Compared:
    """Answers of both versions to the same questions, since the step began: how many were the same, what was not, and how
    often in a row the canary gave no answer where the stable version did."""

    same: int = 0
    differences: tuple[str, ...] = ()
    unreached: int = 0
    left_out: bool = False
    """Nothing is compared in this release, by an operator's word."""

    def plus(self, other: Compared) -> Compared:
        """This and what came after it."""
        silent = self.unreached + other.unreached if other.unreached and not other.same else other.unreached
        told = (*self.differences, *other.differences)[:20]
        return replace(other, same=self.same + other.same, differences=told, unreached=silent)


@dataclass(frozen=True)
class Evidence:
    """Both versions in the same window, which is `window_s` long. `own` of the canary's answers were to questions of ours, and
    are no traffic that a verdict can rest on."""

    stable: Seen
    canary: Seen
    window_s: float
    compared: Compared = field(default_factory=Compared)
    own: int = 0

    @classmethod
    def of_answers(cls, compared: Compared, window_s: float) -> Evidence:
        """What was compared, where nothing could be measured."""
        return cls(Seen(), Seen(), window_s, compared)
