"""What evidence says by the objectives: one finding for each, with the numbers it rests on. Pure.

`BREACH` is for what chance hardly explains, and may be said after few requests; `PASSED` asks for enough of them. Between
them lies `UNCLEAR`, which passes no step: too few requests, or a share of errors above the objective that the stable version
has as well (a neighbour that is away hurts both, and is no fault of the release). Jobs that fail as often for both pass: one
tenant's would stop every release. `SILENT` is what nobody measures here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from cluster.release.evidence import Compared, Evidence, Seen, Share
from cluster.release.plan import Objectives
from cluster.release.statistics import wilson, worse_by_chance

QUANTILES = (0.99, 0.9, 0.5)
"""Where two versions' times are compared."""


class Verdict(StrEnum):
    PASSED = "passed"
    UNCLEAR = "unclear"
    SILENT = "silent"
    BREACH = "breach"


@dataclass(frozen=True)
class Finding:
    """One objective, what is said of it, and why."""

    objective: str
    verdict: Verdict
    told: str


def judge(evidence: Evidence, objectives: Objectives) -> tuple[Finding, ...]:
    """A finding for each objective, always in the same order."""
    stable, canary, o = evidence.stable, evidence.canary, objectives
    least = o.least_requests + evidence.own
    return (
        _share("errors", canary.answers, stable.answers, o.error_share, o.error_tolerance, least, o.chance),
        _door(canary, stable, o, least),
        _latency(canary, stable, o, least),
        _jobs(canary, stable, o),
        _compared(evidence.compared, o),
    )


def _share(
    name: str, canary: Share, stable: Share, most: float, tolerance: float, least: int, chance: float
) -> Finding:
    """Whether the canary's share of bad ones is worse than the stable version's, or above what is allowed."""
    p = worse_by_chance(canary.bad, canary.total, stable.bad, stable.total)
    told = f"{canary} against {stable}"
    if p < chance and canary.value > stable.value + tolerance:
        return Finding(name, Verdict.BREACH, f"{told}; by chance with probability {p:.1e}")
    if not stable.total:
        return Finding(name, Verdict.UNCLEAR, f"{told}; nothing to compare with")
    if canary.total < least:
        return Finding(name, Verdict.UNCLEAR, f"{told}; {least} are needed for a verdict")
    if wilson(canary.bad, canary.total)[0] > most:
        return Finding(name, Verdict.UNCLEAR, f"{told}; above {most:.2%}, but not clearly more than the stable version")
    return Finding(name, Verdict.PASSED, told)


def _door(canary: Seen, stable: Seen, o: Objectives, least: int) -> Finding:
    """5xx as Ray Serve counts them where requests come in: what a replica that died or was full never told itself."""
    if canary.door is None and stable.door is None:
        return Finding("door", Verdict.SILENT, "Ray Serve tells no numbers here")
    return _share(
        "door", canary.door or Share(), stable.door or Share(), o.error_share, o.error_tolerance, least,
        o.chance,
    )  # fmt: skip


def _latency(canary: Seen, stable: Seen, o: Objectives, least: int) -> Finding:
    """Whether more of the canary's answers are slower than the stable version's slowest hundredth, or than its faster half, and
    slow enough to matter.

    Two p99 of few requests are two guesses. What is compared is how many answers of each took longer than the bound under
    which 99 (or 50) of 100 of the stable version's lie, which is a share like any other. Where that bound is infinite, nobody
    knows how slow the slowest are: the share beyond the last finite one is compared, and the next lower quantile.
    """
    ours, theirs = canary.seconds.quantile(0.99), stable.seconds.quantile(0.99)
    told = f"p99 {ours:.3f} s against {theirs:.3f} s"
    for share in QUANTILES:
        if worse := _slower(canary, stable, o, share):
            return Finding("latency", Verdict.BREACH, f"{told}: {worse}")
    if not stable.seconds.total:
        return Finding("latency", Verdict.UNCLEAR, f"{told}; nothing to compare with")
    if canary.seconds.total < least:
        return Finding("latency", Verdict.UNCLEAR, f"{told}; {least} are needed for a verdict")
    if math.isinf(stable.seconds.bound_of(0.5)):
        return Finding("latency", Verdict.UNCLEAR, f"{told}; the stable version is slower than what is counted")
    if ours > max(o.p99_s, theirs * o.p99_ratio, o.p99_floor_s):
        return Finding("latency", Verdict.UNCLEAR, f"{told}; above {o.p99_s:g} s, but not clearly slower")
    return Finding("latency", Verdict.PASSED, told)


def _slower(canary: Seen, stable: Seen, o: Objectives, share: float) -> str:
    """What shows the canary to be slower at this quantile; empty where nothing does."""
    bound = max(stable.seconds.bound_of(share), o.p99_floor_s)
    beyond = math.isinf(bound)
    if beyond:
        bound = stable.seconds.last_bound
    slow = Share(canary.seconds.over(bound), canary.seconds.total)
    slow_stable = Share(stable.seconds.over(bound), stable.seconds.total)
    p = worse_by_chance(slow.bad, slow.total, slow_stable.bad, slow_stable.total)
    ours, theirs = canary.seconds.quantile(share), stable.seconds.quantile(share)
    allowed = max(theirs * o.p99_ratio, o.p99_floor_s)
    if p < o.chance and (ours > allowed or (beyond and slow.value > slow_stable.value * o.p99_ratio)):
        return f"{slow} took over {bound:g} s, {slow_stable} of the stable version's; by chance {p:.1e}"
    return ""


def _jobs(canary: Seen, stable: Seen, o: Objectives) -> Finding:
    """Jobs that the canary accepted and workers could not do: both versions' jobs are done by the same workers."""
    found = _share(
        "jobs", canary.jobs, stable.jobs, o.failed_jobs_share, o.failed_jobs_tolerance, o.least_jobs, o.chance
    )
    if found.verdict is not Verdict.UNCLEAR:
        return found
    if canary.jobs.total < o.least_jobs or not stable.jobs.total:
        return Finding("jobs", Verdict.SILENT, f"{canary.jobs} against {stable.jobs}; too few to say anything")
    if canary.jobs.value <= stable.jobs.value + o.failed_jobs_tolerance:
        return Finding("jobs", Verdict.PASSED, f"{found.told}: what fails fails for both")
    return found


def _compared(compared: Compared, o: Objectives) -> Finding:
    """The same questions to both versions. One difference that was looked at twice is enough: manifests do not vary."""
    if compared.differences:
        first, *others = compared.differences
        return Finding("answers", Verdict.BREACH, first + (f" (and {len(others)} more)" if others else ""))
    if compared.unreached >= o.unreached:
        return Finding("answers", Verdict.BREACH, f"no answer of the canary {compared.unreached} times in a row")
    if compared.left_out:
        return Finding("answers", Verdict.SILENT, "not compared in this release")
    told = f"{compared.same} answers are the same"
    if compared.same < o.least_compared:
        return Finding("answers", Verdict.UNCLEAR, f"{told}; {o.least_compared} are needed")
    return Finding("answers", Verdict.PASSED, told)
