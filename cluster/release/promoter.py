"""One look after the other: read, see, decide, write once. Whatever line it dies at, the next one goes on from what is written.

All that lasts is in one object (`weights`): state and weights change in one conditional write, or not at all. Two promoters
at once are safe: the second's write is refused, and it looks again. What is only in memory is how long nothing was seen, and
what was compared in this step; whoever begins anew compares anew.

The edge is told after the state is written, and that it was told is written after that: it may be told twice, never not.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from cluster.release import state as states
from cluster.release.decision import ENDS, Decision, Halt, Hold, Look, RollBack, after, decide, findings_of
from cluster.release.edge import MANIFESTS, Edge
from cluster.release.evidence import Compared, Evidence
from cluster.release.judgement import Finding
from cluster.release.measurements import Prometheus, measure
from cluster.release.plan import Plan
from cluster.release.shadow import Shadow
from cluster.release.state import Phase, State
from cluster.release.weights import Gateway, Weights
from cluster.telemetry.metrics import RELEASE_DECISIONS, RELEASE_SHARE
from content.canonical import rfc3339
from content.errors import ContentError

NAMES = {
    "Begin": "begin", "Hold": "hold", "Advance": "advance", "Promote": "promote", "Settle": "settle",
    "RollBack": "roll-back", "Nothing": "nothing", "Halt": "halt",
}  # fmt: skip
CONFLICTS = 5
EDGE_PATIENCE = timedelta(minutes=30)
log = structlog.get_logger()


@dataclass(frozen=True)
class Looked:
    """What came of one look: the decision, the state after it, and what the evidence said."""

    decision: Decision
    state: State | None
    findings: tuple[Finding, ...] = ()

    @property
    def name(self) -> str:
        return NAMES[type(self.decision).__name__]

    @property
    def ended(self) -> bool:
        return isinstance(self.decision, ENDS)


class Promoter:
    """The promoter of one API. With `dry_run` nothing is written and nobody told."""

    def __init__(
        self,
        gateway: Gateway,
        prometheus: Prometheus,
        shadow: Shadow,
        plan: Plan,
        *,
        edge: Edge | None = None,
        dry_run: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._gateway, self._prometheus, self._shadow, self._plan = gateway, prometheus, shadow, plan
        self._edge, self._dry_run, self._clock = edge, dry_run, clock
        self._blind_since: datetime | None = None
        self._compared, self._compared_in = Compared(), ("", 0)

    def run(
        self,
        tell: Callable[[Looked], None],
        *,
        every_s: float,
        again: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Looked:
        """Look until there is nothing to wait for. A gateway that is away is waited for; what it refuses is raised. At its end
        the edge is told again until it was; `edge-unavailable` is raised if it could not be for half an hour, and whoever runs
        the promoter anew goes on with it.
        """
        while True:
            try:
                looked = self.look(again=again)
            except ContentError as error:
                if not error.retryable:
                    raise
                log.warning("release cannot be looked at", code=error.code)
                looked = Looked(Hold(str(error)), None)
            tell(looked)
            if looked.ended:
                self.settle_edge(every_s, sleep)
                return looked
            if looked.state is not None:
                again = False
            sleep(every_s)

    def settle_edge(self, every_s: float, sleep: Callable[[float], None] = time.sleep) -> None:
        """Tell the edge what it is owed until it was told. Raises `edge-unavailable` after half an hour."""
        if self._edge is None or self._dry_run:
            return
        give_up = self._clock() + EDGE_PATIENCE
        while True:
            try:
                weights = self._gateway.read()
                state, history = states.read(weights.annotations)
                if self._forget_edge(weights, state, history):
                    return
            except ContentError as error:
                log.warning("edge not told", code=error.code)
            if self._clock() >= give_up:
                raise ContentError(
                    "edge-unavailable", "The release has ended, and the edge could not be told to forget its manifests.",
                    "Start the promoter again: it tells the edge first.", True,
                )  # fmt: skip
            sleep(every_s)

    def look(self, *, again: bool = False) -> Looked:
        """One look, and what follows from it. Raises ContentError of the gateway, `release-state`, `probe-token`."""
        weights = self._gateway.read()
        state, history = states.read(weights.annotations)
        self._forget_edge(weights, state, history)
        look = self._see(weights, state)
        decision = decide(state, look, self._plan, again=again)
        following = after(state, decision, look)
        if following is not None:
            state, share = following
            weights, history = self._write(weights, state, share, history, decision)
            self._forget_edge(weights, state, history)
        elif isinstance(decision, Halt):
            self._note_halt(weights, state, history, decision)
        self._log(decision, state)
        RELEASE_SHARE.set(state.share if state is not None else 0)
        return Looked(decision, state, findings_of(look, self._plan))

    def status(self) -> tuple[State | None, int, tuple[dict[str, Any], ...]]:
        """State, the canary's share by the weights, and the decisions so far."""
        weights = self._gateway.read()
        state, history = states.read(weights.annotations)
        return state, weights.share, history

    def roll_back(self, reason: str) -> State:
        """Give the stable version everything, now, whatever the state says and even if it cannot be read."""
        for attempt in range(CONFLICTS):
            weights, now = self._gateway.read(), self._clock()
            try:
                state, history = states.read(weights.annotations)
            except ContentError:
                state, history = None, ()
            if state is not None and state.phase is Phase.ROLLED_BACK and weights.share == 0:
                return state
            before = state or State("", Phase.CANARY, weights.share, now, now, "")
            state = replace(before, phase=Phase.ROLLED_BACK, share=0, since=now, reason=reason)
            try:
                weights, history = self._write(weights, state, 0, history, RollBack(reason))
            except ContentError as error:
                if error.code != "release-conflict" or attempt == CONFLICTS - 1:
                    raise
                continue
            self._log(RollBack(reason), state)
            self._forget_edge(weights, state, history)
            return state
        raise AssertionError("the last attempt raises")

    # -- seeing -------------------------------------------------------------------------------------------------------

    def _see(self, weights: Weights, state: State | None) -> Look:
        stable, canary = self._shadow.versions()
        now = self._clock()
        if state is None or state.phase is not Phase.CANARY or weights.share != state.share:
            return Look(now, weights.share, stable, canary)
        evidence = self._evidence(state, now)
        if evidence is not None:
            self._blind_since = None
            return Look(now, weights.share, stable, canary, evidence)
        self._blind_since = self._blind_since or now
        return Look(now, weights.share, stable, canary, None, (now - self._blind_since).total_seconds())

    def _evidence(self, state: State, now: datetime) -> Evidence | None:
        """Both versions since the step began, or within the window. What differs is evidence even if nothing can be measured."""
        if self._compared_in != (state.release, state.share):
            self._compared, self._compared_in = Compared(), (state.release, state.share)
        try:
            self._compared = self._compared.plus(self._shadow.compare())
        except ContentError as error:  # an expired token, say: no step is passed without comparing, and patience ends
            log.warning("nothing compared", code=error.code, told=str(error))
        now = max(now, self._clock())  # the comparison took its time
        begin = max(state.since, now - timedelta(seconds=self._plan.window_s))
        window_s = (now - begin).total_seconds()
        try:
            found = measure(self._prometheus, begin, now)
        except ContentError as error:
            log.warning("nothing measured", code=error.code, told=str(error))
            found = None
        if found is None:
            if self._compared.differences or self._compared.unreached:
                return Evidence.of_answers(self._compared, window_s)
            return None
        stable, canary = found
        if state.share == 100 and state.baseline is not None:
            stable = state.baseline
        return Evidence(stable, canary, window_s, self._compared, self._shadow.asked_since(begin))

    # -- writing ------------------------------------------------------------------------------------------------------

    def _write(
        self, weights: Weights, state: State, share: int, history: tuple[dict[str, Any], ...], decision: Decision
    ) -> tuple[Weights, tuple[dict[str, Any], ...]]:
        told = {
            "at": rfc3339(self._clock()), "decision": NAMES[type(decision).__name__], "release": state.release,
            "share": share, "reason": decision.reason[:500],
        }  # fmt: skip
        history = (*history, told)
        if not self._dry_run:
            weights = self._gateway.write(weights, share, states.write(state, history))
        return weights, history

    def _note_halt(
        self, weights: Weights, state: State | None, history: tuple[dict[str, Any], ...], decision: Halt
    ) -> None:
        """A halt changes nothing, but is a decision, which the history has, once. Who looks into it may write at the same time, and
        comes first."""
        if state is None or [(each["decision"], each["reason"]) for each in history[-1:]] == [
            ("halt", decision.reason)
        ]:
            return
        try:
            self._write(weights, state, weights.share, history, decision)
        except ContentError as error:
            log.warning("halt not noted", code=error.code)

    def _forget_edge(self, weights: Weights, state: State | None, history: tuple[dict[str, Any], ...]) -> bool:
        """Have the edge forget manifests of the other shape, once for each end of a release. False if it is still owed."""
        if state is None or not state.edge_owed or self._dry_run:
            return True
        if self._edge is None:
            log.warning("edge not told", prefix=MANIFESTS, shapes=state.shapes)
            return False
        try:
            self._edge.invalidate_prefix(MANIFESTS, reference=f"{state.release}-{state.phase}-{rfc3339(state.since)}")
            self._gateway.write(weights, weights.share, states.write(replace(state, edge_told=True), history))
        except ContentError as error:
            # The weights are right already, and it is told again.
            log.warning("edge not told", code=error.code)
            return False
        return True

    def _log(self, decision: Decision, state: State | None) -> None:
        name = NAMES[type(decision).__name__]
        RELEASE_DECISIONS.add(decision=name)
        facts = {"release": state.release, "share": state.share, "phase": str(state.phase)} if state is not None else {}
        speak = log.warning if name in ("roll-back", "halt") else log.info
        speak("release decision", decision=name, reason=decision.reason, dry_run=self._dry_run, **facts)
