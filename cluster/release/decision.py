"""What follows from one look at a release: a value with a reason, and nothing else. Pure.

A decision never waits for a person and never needs what cannot be seen: without evidence it holds, and after a while takes
back. Taking back is always allowed, advancing only after the soak time, with enough traffic, and with no objective unclear.
What another hand did to the weights is respected where it took traffic from the canary, and otherwise halts the promoter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from cluster.release.evidence import Evidence
from cluster.release.judgement import Finding, Verdict, judge
from cluster.release.plan import Plan
from cluster.release.state import Phase, State


@dataclass(frozen=True)
class Version:
    """What a version says of itself at `/version`."""

    release: str
    manifest_shape: int


@dataclass(frozen=True)
class Look:
    """What one look found: the share of the canary by the weights, what both versions say of themselves (None: no answer), the
    evidence (None: none was to be had, for `blind_s` seconds by now)."""

    now: datetime
    share: int
    stable: Version | None
    canary: Version | None
    evidence: Evidence | None = None
    blind_s: float = 0.0


@dataclass(frozen=True)
class Begin:
    """A new canary gets its first share."""

    version: Version
    shapes: tuple[int, int]
    share: int
    reason: str


@dataclass(frozen=True)
class Hold:
    """All stays as it is; look again."""

    reason: str


@dataclass(frozen=True)
class Advance:
    """The canary gets the next share."""

    share: int
    reason: str


@dataclass(frozen=True)
class Promote:
    """The canary has all the traffic and has held it: it is the release."""

    reason: str


@dataclass(frozen=True)
class Settle:
    """The stable version is of this release by now: the traffic goes back to it, and the canary is free for the next."""

    reason: str


@dataclass(frozen=True)
class RollBack:
    """The stable version gets everything, now."""

    reason: str


@dataclass(frozen=True)
class Nothing:
    """There is nothing to do."""

    reason: str


@dataclass(frozen=True)
class Halt:
    """Something is as no promoter leaves it: a person has to look, and until then nothing is changed."""

    reason: str


Decision = Begin | Hold | Advance | Promote | Settle | RollBack | Nothing | Halt
ENDS = Promote, Settle, RollBack, Nothing, Halt
"""After which there is nothing to wait for."""


def decide(state: State | None, look: Look, plan: Plan, *, again: bool = False) -> Decision:
    """The decision for one look. `again` lets a release begin that was rolled back before."""
    if state is None or state.phase in (Phase.SETTLED, Phase.ROLLED_BACK):
        return _idle(state, look, plan, again)
    if state.phase is Phase.PROMOTED:
        return _promoted(state, look)
    return _under_way(state, look, plan)


def findings_of(look: Look, plan: Plan) -> tuple[Finding, ...]:
    """What the evidence of a look says; empty without evidence."""
    return () if look.evidence is None else judge(look.evidence, plan.objectives)


def _idle(state: State | None, look: Look, plan: Plan, again: bool) -> Decision:
    if look.share:
        return Halt(f"the canary gets {look.share} % although no release is under way")
    if look.canary is None or look.stable is None:
        return Hold(f"the {'canary' if look.canary is None else 'stable version'} does not answer yet")
    if not look.canary.release:
        return Halt("the canary does not say which release it is (setting release)")
    if look.canary.release == look.stable.release:
        return Nothing(f"both versions are release {look.stable.release}")
    if state is not None and state.release == look.canary.release and not again:
        told = "was rolled back before" if state.phase is Phase.ROLLED_BACK else "was promoted before"
        return Nothing(f"release {state.release} {told}: {state.reason}")
    shapes = look.stable.manifest_shape, look.canary.manifest_shape
    told = f"release {look.canary.release} against {look.stable.release or 'one without a name'}"
    return Begin(look.canary, shapes, plan.steps[0].share, told)


def _under_way(state: State, look: Look, plan: Plan) -> Decision:
    if look.share != state.share:
        if look.share == 0:
            return RollBack("another hand has taken the traffic back")
        return Halt(f"the canary gets {look.share} % and not {state.share} %, by another hand")
    if look.canary is not None and look.canary.release != state.release:
        # What was seen so far was seen of another version.
        return RollBack(f"release {look.canary.release or 'without a name'} has taken the place of {state.release}")
    if look.evidence is None:
        if look.blind_s >= plan.blind_s:
            return RollBack(f"nothing was seen of either version for {look.blind_s:.0f} s")
        return Hold("no evidence")
    findings = judge(look.evidence, plan.objectives)
    if breaches := [finding for finding in findings if finding.verdict is Verdict.BREACH]:
        return RollBack("; ".join(f"{each.objective}: {each.told}" for each in breaches))
    step, elapsed_s = plan.step(state.share), (look.now - state.since).total_seconds()
    unclear = [finding for finding in findings if finding.verdict is Verdict.UNCLEAR]
    if elapsed_s < step.soak_s:
        return Hold(f"{step.share} % for {elapsed_s:.0f} of {step.soak_s:.0f} s")
    if unclear:
        told = "; ".join(f"{each.objective}: {each.told}" for each in unclear)
        if elapsed_s > plan.patience_s:
            return RollBack(f"no verdict after {elapsed_s:.0f} s at {step.share} %: {told}")
        return Hold(told)
    told = "; ".join(f"{each.objective}: {each.told}" for each in findings if each.verdict is Verdict.PASSED)
    following = plan.after(state.share)
    return Promote(told) if following is None else Advance(following.share, told)


def _promoted(state: State, look: Look) -> Decision:
    settled = look.stable is not None and look.stable.release == state.release
    if look.share != 100:
        if look.share == 0 and settled:
            return Settle("another hand has given the traffic back to the stable version, which is of this release")
        if look.share == 0:
            return RollBack("another hand has taken the traffic back")
        return Halt(f"the canary gets {look.share} % and not 100 %, by another hand")
    if look.canary is not None and look.canary.release != state.release:
        return Halt(f"the canary serves everything and became release {look.canary.release}, which nobody has tried")
    if settled:
        return Settle(f"the stable version is release {state.release}, too")
    return Nothing(f"release {state.release} serves everything; the stable version is still another one")


def after(state: State | None, decision: Decision, look: Look) -> tuple[State, int] | None:
    """The state and the canary's share that follow from a decision; None where nothing changes."""
    match decision:
        case Begin(version, shapes, share, reason):
            return State(version.release, Phase.CANARY, share, look.now, look.now, reason, shapes), share
        case Advance(share, reason) if state is not None:
            baseline = state.baseline
            if look.evidence is not None and state.share < 100:
                baseline = look.evidence.stable
            return replace(state.to(Phase.CANARY, share, look.now, reason), baseline=baseline), share
        case Promote(reason) if state is not None:
            return state.to(Phase.PROMOTED, 100, look.now, reason), 100
        case Settle(reason) if state is not None:
            return state.to(Phase.SETTLED, 0, look.now, reason), 0
        case RollBack(reason) if state is not None:
            return state.to(Phase.ROLLED_BACK, 0, look.now, reason), 0
        case _:
            return None
