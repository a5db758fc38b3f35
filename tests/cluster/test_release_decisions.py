"""What follows from what was seen of two versions: every decision of a release, made without making it happen."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf

import pytest

from cluster.release import state as states
from cluster.release.decision import (
    Advance,
    Begin,
    Halt,
    Hold,
    Look,
    Nothing,
    Promote,
    RollBack,
    Settle,
    Version,
    after,
    decide,
)
from cluster.release.evidence import Compared, Evidence, Seen, Share
from cluster.release.judgement import Verdict, judge
from cluster.release.plan import Objectives, Plan, Step, read
from cluster.release.state import Phase, State
from cluster.release.statistics import Histogram
from content.errors import ContentError

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
PLAN = Plan(steps=(Step(10, 60.0), Step(50, 60.0), Step(100, 60.0)), patience_s=600.0, blind_s=120.0)
OLD, NEW = Version("1.4.0", 1), Version("1.5.0", 1)
FINE = Compared(same=40)


def seen(total: int, bad: int = 0, slow: int = 0, jobs: Share = Share()) -> Seen:  # noqa: B008 - frozen
    """Answers in 20 ms, `slow` of them in 3 s."""
    quick = total - slow
    return Seen(Share(bad, total), None, Histogram(((0.025, quick), (1.0, quick), (5.0, total), (inf, total))), jobs)


def state(share: int = 10, phase: Phase = Phase.CANARY, since_s: float = 100.0, **changes: object) -> State:
    since = NOW - timedelta(seconds=since_s)
    return replace(State("1.5.0", phase, share, since, since, "", (1, 1)), **changes)  # type: ignore[arg-type]


def look(canary: Seen, stable: Seen | None = None, share: int = 10, compared: Compared = FINE, own: int = 0) -> Look:
    evidence = Evidence(stable or seen(9000), canary, 100.0, compared, own)
    return Look(NOW, share, OLD, NEW, evidence)


def verdicts(canary: Seen, stable: Seen | None = None, compared: Compared = FINE) -> dict[str, Verdict]:
    found = judge(Evidence(stable or seen(9000), canary, 100.0, compared), Objectives())
    return {each.objective: each.verdict for each in found}


def test_a_sound_canary_goes_up_step_by_step() -> None:
    first = decide(None, Look(NOW, 0, OLD, NEW), PLAN)
    assert isinstance(first, Begin)
    assert (first.share, first.shapes) == (10, (1, 1))
    assert isinstance(decide(state(10), look(seen(1000)), PLAN), Advance)
    half = decide(state(50), look(seen(5000), seen(5000), share=50), PLAN)
    assert isinstance(half, Advance)
    assert half.share == 100
    assert isinstance(decide(state(100), look(seen(9000), seen(5000), share=100), PLAN), Promote)


def test_no_step_is_passed_before_its_time_or_without_traffic() -> None:
    soaking = decide(state(since_s=20.0), look(seen(10_000)), PLAN)
    assert soaking == Hold("10 % for 20 of 60 s")
    quiet = decide(state(), look(seen(499)), PLAN)
    assert isinstance(quiet, Hold)
    assert "500 are needed for a verdict" in quiet.reason
    assert isinstance(decide(state(since_s=601.0), look(seen(499)), PLAN), RollBack), "no evidence is no consent"
    ours = decide(state(), look(seen(600), own=200), PLAN)
    assert isinstance(ours, Hold), "answers to our own questions are no traffic"


def test_errors_are_found_early_and_by_more_than_a_percentage() -> None:
    assert verdicts(seen(40, bad=1))["errors"] is Verdict.UNCLEAR, "2.5 %, and nothing"
    assert verdicts(seen(60, bad=6))["errors"] is Verdict.BREACH, "long before there is traffic for a verdict"
    back = decide(state(since_s=5.0), look(seen(60, bad=6)), PLAN)
    assert isinstance(back, RollBack)
    assert "errors: 6 of 60 (10.00%) against 0 of 9000 (0.00%)" in back.reason


def test_what_hurts_both_is_no_fault_of_the_release_and_passes_no_step() -> None:
    both = decide(state(), look(seen(1000, bad=100), seen(9000, bad=900)), PLAN)
    assert isinstance(both, Hold)
    assert "not clearly more than the stable version" in both.reason


def test_a_difference_too_small_to_matter_is_let_pass() -> None:
    # One in a thousand against none: certain, with a million answers, and within the tolerance.
    assert verdicts(seen(1_000_000, bad=1000), seen(9_000_000))["errors"] is Verdict.PASSED


def test_slow_answers() -> None:
    assert verdicts(seen(100, slow=10))["latency"] is Verdict.BREACH
    assert verdicts(seen(1000, slow=5))["latency"] is Verdict.PASSED, "five of a thousand do not move the p99"
    slow_both = verdicts(seen(1000, slow=100), seen(9000, slow=900))
    assert slow_both["latency"] is Verdict.PASSED, "as slow as the stable version"
    unknown = verdicts(seen(1000), Seen())
    assert (unknown["latency"], unknown["errors"]) == (Verdict.UNCLEAR, Verdict.UNCLEAR)


def test_failed_jobs_are_laid_at_the_door_of_who_accepted_them() -> None:
    fine, bad = Share(2, 400), Share(20, 60)
    assert verdicts(seen(1000, jobs=bad), seen(9000, jobs=fine))["jobs"] is Verdict.BREACH
    assert verdicts(seen(1000, jobs=Share(1, 10)), seen(9000, jobs=fine))["jobs"] is Verdict.SILENT
    assert verdicts(seen(1000, jobs=Share(0, 100)), seen(9000, jobs=fine))["jobs"] is Verdict.PASSED


def test_one_tenants_failing_jobs_stop_no_release() -> None:
    """They fail for both versions alike: neither after patience ends nor before is that a fault of the canary."""
    failing = Share(40, 100)
    seen_of_both = look(seen(1000, jobs=failing), seen(9000, jobs=failing))
    assert isinstance(decide(state(since_s=601.0), seen_of_both, PLAN), Advance)
    assert verdicts(seen(1000, jobs=Share(9, 40)), seen(9000, jobs=Share(40, 360)))["jobs"] is Verdict.UNCLEAR


TIMES = (0.05, 0.1, 0.5, 1.0, 5.0, 10.0, inf)


def timed(**counts: int) -> Seen:
    """Answers by the bucket they fall into: `s0_05=980` took up to 0.05 s, `sinf` more than any bound."""
    found, so_far = list[tuple[float, int]](), 0
    for bound in TIMES:
        so_far += counts.pop(f"s{bound:g}".replace(".", "_"), 0)
        found.append((bound, so_far))
    assert not counts
    return Seen(Share(0, so_far), None, Histogram(tuple(found)))


def test_answers_beyond_the_last_bound_hide_no_slow_version() -> None:
    """One tenant holds two of a hundred answers open longer than is counted: how slow the others are is seen all the same."""
    stable = timed(s0_05=9800, sinf=200)
    assert verdicts(timed(s5=980, sinf=20), stable)["latency"] is Verdict.BREACH
    assert verdicts(timed(s0_05=900, sinf=100), stable)["latency"] is Verdict.BREACH, "five times as many beyond it"
    assert verdicts(timed(s0_05=980, sinf=20), stable)["latency"] is Verdict.PASSED, "and they stop no release"
    assert verdicts(timed(s0_05=1000), timed(s0_05=4000, sinf=5000))["latency"] is Verdict.UNCLEAR


def test_a_slow_majority_is_seen_below_a_slow_tail() -> None:
    stable = timed(s0_05=9500, s1=500)
    assert verdicts(timed(s0_5=950, s1=50), stable)["latency"] is Verdict.BREACH
    assert verdicts(timed(s0_1=950, s1=50), stable)["latency"] is Verdict.PASSED, "nobody notices a tenth of a second"


def test_errors_that_only_the_door_saw() -> None:
    """A replica that died told nothing; Serve's proxy answered for it."""
    canary = replace(seen(1000), door=Share(30, 1030))
    stable = replace(seen(9000), door=Share(0, 9000))
    assert verdicts(canary, stable)["door"] is Verdict.BREACH
    assert verdicts(seen(1000), stable)["door"] is Verdict.UNCLEAR, "told of one version alone"
    assert verdicts(seen(1000))["door"] is Verdict.SILENT


def test_one_wrong_answer_ends_a_release() -> None:
    wrong = Compared(same=3, differences=("/v1/…/manifest: another manifest",))
    back = decide(state(since_s=1.0), look(seen(5), compared=wrong), PLAN)
    assert back == RollBack("answers: /v1/…/manifest: another manifest")
    silent = Compared().plus(Compared(unreached=1)).plus(Compared(unreached=1)).plus(Compared(unreached=1))
    assert isinstance(decide(state(since_s=1.0), look(seen(0), compared=silent), PLAN), RollBack)
    assert silent.plus(Compared(same=8)).unreached == 0, "in a row"
    few = decide(state(), look(seen(1000), compared=Compared(same=3)), PLAN)
    assert few == Hold("answers: 3 answers are the same; 20 are needed")
    assert isinstance(decide(state(), look(seen(1000), compared=Compared(left_out=True)), PLAN), Advance)


def test_without_evidence_it_holds_and_then_takes_back() -> None:
    blind = Look(NOW, 10, OLD, NEW, None, 30.0)
    assert isinstance(decide(state(), blind, PLAN), Hold)
    assert isinstance(decide(state(), replace(blind, blind_s=120.0), PLAN), RollBack)


def test_another_hand() -> None:
    assert isinstance(decide(state(50), look(seen(1000), share=0), PLAN), RollBack), "taken back: respected"
    assert isinstance(decide(state(50), look(seen(1000), share=80), PLAN), Halt)
    assert isinstance(decide(None, Look(NOW, 10, OLD, NEW), PLAN), Halt)
    other = Look(NOW, 10, OLD, Version("1.6.0", 1))
    assert isinstance(decide(state(), other, PLAN), RollBack), "what was seen was seen of another version"


def test_before_and_after_a_release() -> None:
    idle = Look(NOW, 0, OLD, NEW)
    assert isinstance(decide(None, replace(idle, canary=None), PLAN), Hold)
    assert isinstance(decide(None, replace(idle, canary=Version("", 1)), PLAN), Halt)
    assert isinstance(decide(None, replace(idle, canary=OLD), PLAN), Nothing)
    rolled_back = state(0, Phase.ROLLED_BACK)
    assert isinstance(decide(rolled_back, idle, PLAN), Nothing), "not again by itself"
    assert isinstance(decide(rolled_back, idle, PLAN, again=True), Begin)
    assert isinstance(decide(rolled_back, replace(idle, canary=Version("1.5.1", 1)), PLAN), Begin)
    promoted = state(100, Phase.PROMOTED)
    assert isinstance(decide(promoted, replace(idle, share=100), PLAN), Nothing)
    assert isinstance(decide(promoted, replace(idle, share=100, stable=NEW), PLAN), Settle)
    assert isinstance(decide(promoted, Look(NOW, 100, OLD, Version("1.6.0", 1)), PLAN), Halt)
    assert isinstance(decide(promoted, idle, PLAN), RollBack)


def test_with_all_the_traffic_the_yardstick_is_what_was_seen_before() -> None:
    before = seen(5000, bad=3)
    following = after(state(50), Advance(100, "fine"), look(seen(5000), before, share=50))
    assert following is not None
    assert following[0].baseline == before
    assert (following[0].since, following[1]) == (NOW, 100)


def test_the_state_goes_through_its_annotations() -> None:
    before = state(50, baseline=replace(seen(900, 2, 3, Share(1, 9)), door=Share(1, 900)))
    written = states.write(before, ({"decision": "begin"},))
    assert states.read(written) == (before, ({"decision": "begin"},))
    assert len(json.loads(states.write(before, ({"n": 1},) * 50)[states.HISTORY])) == states.KEPT
    assert states.read({}) == (None, ())
    for broken in ("{", "[]", json.dumps({"phase": "canary"}), written[states.STATE].replace("canary", "flying")):
        with pytest.raises(ContentError, match="cannot be read"):
            states.read({states.STATE: broken})


def test_a_plan_is_read_or_refused_with_a_reason() -> None:
    assert read(b"{}") == Plan()
    given = {"steps": [{"share": 5, "soak_s": 1}, {"share": 100, "soak_s": 2}], "objectives": {"chance": 1e-3}}
    found = read(json.dumps(given).encode())
    assert (found.steps[0].share, found.objectives.chance, found.window_s) == (5, 1e-3, 300.0)
    for bad in (
        b"[]", b"nothing", b'{"stepz": 1}', b'{"steps": []}', b'{"steps": [{"share": 50, "soak_s": 1}]}',
        b'{"objectives": {"chance": "small"}}', b'{"window_s": -1}', b'{"objectives": {"errors": 1}}',
        b'{"steps": [{"share": 100, "soak_s": 1}, {"share": 10, "soak_s": 1}]}',
    ):  # fmt: skip
        with pytest.raises(ContentError, match=r"plan|rise"):
            read(bad)


def test_sound_releases_are_not_taken_back_by_chance() -> None:
    """Two alike versions with errors and slow answers of their own: 300 releases of 60 looks, and none is taken back.

    With a chance of 1e-5 a look and looks that overlap, one in a few hundred could be; percentages alone (canary above
    stable + tolerance) would take back most of them.
    """
    draw, naive = random.Random(8), 0
    for _ in range(300):
        canary, stable, naively = seen(0), seen(0), False
        for _ in range(60):
            canary, stable = grown(draw, canary, 5), grown(draw, stable, 45)
            findings = judge(Evidence(stable, canary, 1.0, FINE), Objectives())
            assert Verdict.BREACH not in [each.verdict for each in findings], findings
            naively |= canary.answers.value > stable.answers.value + Objectives().error_tolerance
        naive += naively
    assert naive > 150


def grown(draw: random.Random, before: Seen, count: int) -> Seen:
    bad = sum(draw.random() < 0.01 for _ in range(count))
    slow = sum(draw.random() < 0.02 for _ in range(count))
    quick = before.seconds.counts[0][1] + count - slow
    total = before.answers.total + count
    counts = ((0.025, quick), (1.0, quick), (5.0, total), (inf, total))
    return Seen(Share(before.answers.bad + bad, total), None, Histogram(counts), before.jobs)
