"""What a failure means is a value, decided without making the failure happen."""

from __future__ import annotations

import pytest

from content.errors import ContentError, InvalidInput, NotYet, ObjectCold, Problem
from tasks.job_states import ENDED, TRANSITIONS, State
from tasks.jobs import OUTAGE_ATTEMPTS, GiveUp, Retry, decide, job_id, problem_of

AWAY = ContentError("media-unavailable", "media-service does not answer.", "", True)
WRONG = InvalidInput("draft-invalid", "1 mistake.", "Correct it.", False, (Problem("/title", "missing", "No title."),))


@pytest.mark.parametrize(("attempt", "delay_s"), [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0)])
def test_what_may_help_is_tried_again_with_backoff(attempt: int, delay_s: float) -> None:
    assert decide(AWAY, attempt, 5) == Retry(delay_s, str(AWAY))


def test_backoff_ends_at_a_minute() -> None:
    decision = decide(AWAY, 30, 5)
    assert isinstance(decision, Retry)
    assert decision.delay_s == 60.0


def test_a_part_that_is_away_is_waited_for_much_longer_than_a_bug() -> None:
    assert isinstance(decide(AWAY, 5, 5), Retry)
    assert isinstance(decide(AWAY, OUTAGE_ATTEMPTS, 5), GiveUp)
    assert isinstance(decide(ValueError(), 4, 5), Retry)
    assert isinstance(decide(ValueError(), 5, 5), GiveUp)


def test_an_authors_mistake_is_not_tried_again_and_keeps_its_places() -> None:
    decision = decide(WRONG, 1, 5)
    assert isinstance(decision, GiveUp)
    assert decision.problem["code"] == "draft-invalid"
    assert decision.problem["problems"] == [
        {"pointer": "/title", "code": "missing", "message": "No title.", "severity": "error"}
    ]


def test_a_bug_is_tried_again_and_tells_nothing_of_the_inside() -> None:
    assert isinstance(decide(ValueError("password=hunter2"), 1, 5), Retry)
    assert "hunter2" not in str(problem_of(ValueError("password=hunter2")))


def test_asking_twice_is_one_job() -> None:
    assert job_id("acme", "build", "pkg_x", 1) == job_id("acme", "build", "pkg_x", 1)
    assert job_id("acme", "build", "pkg_x", 1) != job_id("acme", "build", "pkg_x", 2)
    assert job_id("acme", "build", "pkg_x", 1) != job_id("other", "build", "pkg_x", 1)


def test_every_state_has_its_way_out_or_is_an_end() -> None:
    assert set(TRANSITIONS) == set(State)
    assert {state for state in State if not TRANSITIONS[state]} == {State.SUCCEEDED}
    assert {state for state in ENDED if TRANSITIONS[state]} == {State.FAILED, State.CANCELLED}  # by a retry alone
    assert all(TRANSITIONS[state] == {State.QUEUED} for state in (State.FAILED, State.CANCELLED))


def test_whoever_is_to_stop_cannot_succeed() -> None:
    assert TRANSITIONS[State.CANCELLING] == {State.CANCELLED}


def test_what_a_job_only_waits_for_counts_as_no_attempt_however_long_it_takes() -> None:
    cold = ObjectCold("object-cold", "It lies in cold storage.", "Wait.", True, "assets/acme/0a")
    assert decide(cold, OUTAGE_ATTEMPTS, 5, cold_wait_s=7.0) == Retry(7.0, str(cold), tried=False)
    waits = NotYet("cold-waits", "3 blobs are being restored.", "", True, 30.0)
    assert decide(waits, OUTAGE_ATTEMPTS, 5) == Retry(30.0, str(waits), tried=False)
