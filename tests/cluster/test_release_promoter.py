"""A whole release on values: the promoter dies at every point there is and goes on; nothing is done twice that matters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any

import pytest

from cluster.release import state as states
from cluster.release.decision import Advance, Halt, Hold, Promote, RollBack, Settle, Version
from cluster.release.evidence import Compared
from cluster.release.measurements import ANSWERS, SECONDS, Sample
from cluster.release.plan import Plan, Step
from cluster.release.promoter import Promoter
from cluster.release.state import Phase
from cluster.release.weights import Weights, conflict, unavailable
from content.errors import ContentError

BEGIN = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
PLAN = Plan(steps=(Step(10, 30.0), Step(50, 30.0), Step(100, 30.0)), window_s=60.0, patience_s=600.0, blind_s=60.0)
EVERY_S = 10.0


class Died(BaseException):
    """The process is gone."""


class World:
    """Everything around a promoter: gateway, Prometheus, both versions, edge. Each call may be the last of the process."""

    def __init__(self, *, stable: Version = Version("1", 1), canary: Version = Version("2", 1)) -> None:  # noqa: B008
        self.now, self.calls, self.dies_at = BEGIN, 0, -1
        self.weights = Weights(0, {}, "1")
        self.stable, self.canary = stable, canary
        self.bad, self.per_s, self.blind, self.away = 0.0, 200.0, False, False
        self.compared = Compared(same=30)
        self.counted: dict[tuple[str, str], float] = {("stable", "200"): 5000.0}
        self.known: list[tuple[datetime, dict[tuple[str, str], float]]] = [
            (BEGIN - timedelta(seconds=99), dict(self.counted))
        ]
        self.invalidated: list[str] = []
        self.edge_away = False
        self.compares = True

    def call(self) -> None:
        self.calls += 1
        if self.calls == self.dies_at:
            raise Died

    def sleep(self, seconds: float) -> None:
        """Time goes on, and with it the traffic."""
        self.now += timedelta(seconds=seconds)
        canary = seconds * self.per_s * self.weights.share / 100
        for key, count in (
            (("stable", "200"), seconds * self.per_s - canary),
            (("canary", "200"), canary * (1 - self.bad)),
            (("canary", "500"), canary * self.bad),
        ):
            if count:
                self.counted[key] = self.counted.get(key, 0.0) + count
        self.known.append((self.now, dict(self.counted)))

    # gateway
    def read(self) -> Weights:
        self.call()
        if self.away:
            raise unavailable("The gateway", RuntimeError())
        return self.weights

    def write(self, before: Weights, share: int, annotations: Mapping[str, str]) -> Weights:
        self.call()
        if before.revision != self.weights.revision:
            raise conflict()
        revision = str(int(self.weights.revision) + 1)
        self.weights = Weights(share, {**self.weights.annotations, **annotations}, revision)
        self.call()  # written, and dead before anybody knows it
        return self.weights

    # Prometheus
    def query(self, expression: str, at: datetime) -> list[Sample]:
        self.call()
        if self.blind:
            raise ContentError("prometheus-unavailable", "Away.", "", True)
        counted = [counted for moment, counted in self.known if moment <= at][-1]
        if expression == ANSWERS:
            return [Sample({"track": t, "status": s, "WorkerId": t}, value) for (t, s), value in counted.items()]
        if expression != SECONDS:
            return []
        totals: dict[str, float] = {}
        for (track, _), value in counted.items():
            totals[track] = totals.get(track, 0.0) + value
        return [
            Sample({"track": track, "le": str(bound), "WorkerId": track}, value)
            for track, value in totals.items()
            for bound in (0.1, inf)
        ]

    # both versions
    def versions(self) -> tuple[Version | None, Version | None]:
        self.call()
        return self.stable, self.canary

    def compare(self) -> Compared:
        self.call()
        return self.compared

    def asked_since(self, _: datetime) -> int:
        return 0

    # edge
    def invalidate_prefix(self, prefix: str, *, reference: str) -> None:
        self.call()
        if self.edge_away:
            raise ContentError("edge-away", "Away.", "", True)
        self.invalidated.append(f"{prefix} {reference}")
        self.call()

    def promoter(self, **changes: Any) -> Promoter:
        world: Any = self
        return Promoter(world, world, world, PLAN, edge=world, clock=lambda: self.now, **changes)

    def released(self, before_sleep: Callable[[], None] = lambda: None, **changes: Any) -> list[Any]:
        """The decisions until the end."""
        found: list[Any] = []

        def sleep(seconds: float) -> None:
            before_sleep()
            self.sleep(seconds)

        self.promoter().run(lambda looked: found.append(looked.decision), every_s=EVERY_S, sleep=sleep, **changes)
        return found

    @property
    def state(self) -> states.State:
        found, _ = states.read(self.weights.annotations)
        assert found is not None
        return found

    @property
    def history(self) -> list[tuple[str, int]]:
        _, found = states.read(self.weights.annotations)
        return [(each["decision"], each["share"]) for each in found]


ALL_THE_WAY = [("begin", 10), ("advance", 50), ("advance", 100), ("promote", 100)]


def test_a_release_from_nothing_to_all_and_back_to_the_stable_service() -> None:
    world = World()
    decisions = world.released()
    assert isinstance(decisions[-1], Promote)
    assert world.history == ALL_THE_WAY
    assert world.now - BEGIN >= timedelta(seconds=90), "each step had its time"
    world.stable = world.canary
    assert isinstance(world.released()[-1], Settle)
    assert (world.weights.share, world.state.phase) == (0, Phase.SETTLED)
    assert world.invalidated == [], "the shape is the same"


def test_a_bad_one_is_taken_back_by_itself_and_not_tried_again() -> None:
    world = World()
    world.bad = 0.2
    decisions = world.released()
    assert isinstance(decisions[-1], RollBack)
    assert (world.weights.share, world.state.phase) == (0, Phase.ROLLED_BACK)
    assert world.now - BEGIN == timedelta(seconds=EVERY_S), "at the first look that saw it"
    before = dict(world.weights.annotations)
    world.released()
    assert (world.weights.share, world.weights.annotations) == (0, before)
    world.bad = 0.0
    assert isinstance(world.released(again=True)[-1], Promote)


def test_one_that_goes_bad_at_half_the_traffic() -> None:
    world = World()
    world.released(lambda: setattr(world, "bad", 0.05 if world.weights.share == 50 else 0.0))
    assert world.history == [("begin", 10), ("advance", 50), ("roll-back", 0)]


def test_one_that_goes_bad_when_the_stable_version_has_no_traffic_to_compare_with() -> None:
    world = World()
    world.released(lambda: setattr(world, "bad", 0.05 if world.weights.share == 100 else 0.0))
    assert world.history == [("begin", 10), ("advance", 50), ("advance", 100), ("roll-back", 0)]


@pytest.mark.parametrize("bad", [0.0, 0.2])
def test_it_may_die_at_any_point(bad: float) -> None:
    """After each death another process goes on; in the end all is as if nobody had died, and each decision was written once."""
    undisturbed = World(canary=Version("2", 2))
    undisturbed.bad = bad
    undisturbed.released()
    assert undisturbed.calls > 10
    for point in range(1, undisturbed.calls + 1):
        world = World(canary=Version("2", 2))
        world.bad, world.dies_at = bad, point
        try:
            world.released()
        except Died:
            world.sleep(EVERY_S)
            world.released()
        # What is owed to the edge is paid by whoever looks next.
        assert world.history == undisturbed.history, point
        assert (world.weights.share, world.state.phase) == (undisturbed.weights.share, undisturbed.state.phase)
        assert world.state.edge_told
        assert len(set(world.invalidated)) == 1, "by one reference, so told twice is told once"


def test_the_edge_forgets_manifests_of_another_shape_once() -> None:
    """It was away at the end of the release: the promoter stays until the edge was told, and tells it no second time."""
    world = World(canary=Version("2", 2))
    world.edge_away = True
    ended: list[datetime] = []

    def edge_is_back_later() -> None:
        if world.weights.annotations and world.state.edge_owed:
            ended.append(world.now)
            world.edge_away = len(ended) < 5

    assert isinstance(world.released(edge_is_back_later)[-1], Promote)
    assert len(ended) == 5
    world.promoter().look()
    (told,) = world.invalidated
    assert told.startswith("/packages/ 2-promoted-")
    assert world.state.edge_told


def test_an_edge_that_stays_away_is_told_by_who_comes_next() -> None:
    world = World(canary=Version("2", 2))
    world.edge_away, world.bad = True, 0.2
    with pytest.raises(ContentError) as caught:
        world.released()
    assert caught.value.retryable, "a job that ends with it is tried again"
    assert world.now - BEGIN > timedelta(minutes=30)
    assert (world.weights.share, world.state.phase) == (0, Phase.ROLLED_BACK), (
        "the traffic is where it belongs all the same"
    )
    world.edge_away = False
    world.promoter().settle_edge(EVERY_S, world.sleep)
    assert world.state.edge_told


def test_two_promoters_at_once_do_no_harm() -> None:
    world = World()
    other = world.promoter()
    read = world.read

    def late() -> Weights:
        """Between this one's look and its write the other one looks and writes."""
        found = read()
        world.read = read  # type: ignore[method-assign]
        other.look()
        return found

    world.read = late  # type: ignore[method-assign]
    with pytest.raises(ContentError, match="meanwhile"):
        world.promoter().look()
    assert world.history == [("begin", 10)]
    world.released()
    assert world.history == ALL_THE_WAY


def test_prometheus_away_for_a_moment_and_for_good() -> None:
    world = World()
    looks = iter(range(1000))
    decisions = world.released(lambda: setattr(world, "blind", 2 <= next(looks) < 5))
    assert Hold("no evidence") in decisions
    assert world.history == ALL_THE_WAY
    world = World()
    world.released(lambda: setattr(world, "blind", world.weights.share == 50))
    assert world.history == [("begin", 10), ("advance", 50), ("roll-back", 0)]
    assert "nothing was seen" in world.state.reason


def test_a_wrong_answer_is_enough_even_when_nothing_can_be_measured() -> None:
    world = World()
    world.blind, world.compared = True, Compared(differences=("/v1/…/manifest: another manifest",))
    world.released()
    assert world.history == [("begin", 10), ("roll-back", 0)]


def test_without_traffic_the_release_is_given_up() -> None:
    world = World()
    world.per_s = 1.0
    world.released()
    assert world.history == [("begin", 10), ("roll-back", 0)]
    assert "no verdict" in world.state.reason


def test_a_gateway_that_is_away_is_waited_for() -> None:
    world = World()
    looks = iter(range(1000))
    world.released(lambda: setattr(world, "away", next(looks) in (1, 2, 3)))
    assert world.history == ALL_THE_WAY


def test_another_hand_at_the_weights() -> None:
    world = World()
    world.promoter().look()
    world.weights = Weights(30, world.weights.annotations, "9")
    assert isinstance(world.released()[-1], Halt)
    held = world.weights
    for _ in range(2):  # whoever starts it again hears it again, and the history has it once
        assert isinstance(world.released()[-1], Halt)
    assert world.weights == held and held.share == 30
    _, history = states.read(held.annotations)
    assert [each["decision"] for each in history].count("halt") == 1
    assert "by another hand" in history[-1]["reason"] and history[-1]["share"] == 30
    assert world.weights.share == 30, "nothing is touched"
    world.weights = Weights(0, world.weights.annotations, "10")
    assert isinstance(world.released()[-1], RollBack)


def test_rolling_back_by_hand_works_whatever_is_broken() -> None:
    world = World()
    promoter = world.promoter()
    promoter.look()
    world.sleep(EVERY_S)
    world.blind = True
    assert promoter.roll_back("an operator's word").phase is Phase.ROLLED_BACK
    assert (world.weights.share, world.history[-1]) == (0, ("roll-back", 0))
    revision = world.weights.revision
    promoter.roll_back("twice")
    assert world.weights.revision == revision, "again changes nothing"
    world.weights = Weights(50, {states.STATE: "{broken"}, "7")
    promoter.roll_back("an operator's word")
    assert (world.weights.share, world.state.reason) == (0, "an operator's word")


def test_a_dry_run_writes_nothing() -> None:
    world = World(canary=Version("2", 2))
    looked = world.promoter(dry_run=True).look()
    assert looked.name == "begin"
    assert (world.weights, world.invalidated) == (Weights(0, {}, "1"), [])


def test_a_look_tells_what_it_saw() -> None:
    world = World()
    promoter = world.promoter()
    promoter.look()
    world.sleep(40.0)
    looked = promoter.look()
    assert isinstance(looked.decision, Advance)
    assert [each.objective for each in looked.findings] == ["errors", "door", "latency", "jobs", "answers"]
