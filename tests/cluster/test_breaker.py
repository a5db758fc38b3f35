"""The circuit breaker as a value: closed, open, half-open, by the clock that is handed in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cluster.breaker import Breaker, Breakers, State

CLOSED = Breaker(threshold=3, rest_s=10.0)


def failed(times: int, now: float = 0.0) -> Breaker:
    breaker = CLOSED
    for _ in range(times):
        breaker = breaker.failed(now)
    return breaker


def test_a_few_failures_leave_it_closed_and_an_answer_forgets_them() -> None:
    assert failed(2).ask(0.0) == (failed(2), 0.0)
    assert failed(2).succeeded() == CLOSED


def test_it_opens_for_its_rest_and_then_lets_one_through() -> None:
    opened = failed(3, now=100.0)
    assert opened.state is State.OPEN
    assert opened.ask(104.0) == (opened, 6.0)
    trial, wait_s = opened.ask(110.0)
    assert (trial.state, wait_s) == (State.HALF_OPEN, 0.0)
    assert trial.ask(110.0)[1] == 10.0, "a second one waits for the trial's end"


def test_the_trial_decides() -> None:
    trial, _ = failed(3).ask(10.0)
    assert trial.succeeded() == CLOSED
    again = trial.failed(12.0)
    assert (again.state, again.ask(13.0)[1]) == (State.OPEN, 9.0)


def test_a_trial_that_is_never_heard_of_again_counts_as_lost() -> None:
    trial, _ = failed(3).ask(10.0)
    assert trial.ask(20.0)[1] == 0.0


@given(st.lists(st.tuples(st.sampled_from(["ok", "fail"]), st.floats(0, 30)), max_size=60))
def test_nobody_waits_for_longer_than_a_rest(story: list[tuple[str, float]]) -> None:
    breaker, now = CLOSED, 0.0
    for what, passes_s in story:
        now += passes_s
        breaker, wait_s = breaker.ask(now)
        assert 0.0 <= wait_s <= CLOSED.rest_s + 1e-9  # what floating point leaves of a difference
        if not wait_s:
            breaker = breaker.succeeded() if what == "ok" else breaker.failed(now)


def test_each_name_has_its_own() -> None:
    now = 0.0
    breakers = Breakers(lambda: now)
    for _ in range(2):
        assert breakers.ask("media", 2, 5.0) == 0.0
        breakers.tell("media", answered=False)
    assert breakers.ask("media", 2, 5.0) == 5.0
    assert breakers.ask("catalog", 2, 5.0) == 0.0
    assert (breakers.state("media"), breakers.state("catalog")) == (State.OPEN, State.CLOSED)
    now = 5.0
    assert breakers.ask("media", 2, 5.0) == 0.0
    breakers.tell("media", answered=True)
    assert breakers.state("media") is State.CLOSED
