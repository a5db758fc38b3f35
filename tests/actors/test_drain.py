"""What a pod does before it ends: its replica is asked to leave, and waited for no longer than there is time."""

from __future__ import annotations

from typing import Any

import pytest

from actors import drain as module
from actors.drain import NotDrained, drain, main, wait_s
from cluster.settings import Settings
from cluster.topology import LEAVING_S


class Node:
    """A node whose replicas leave after so many looks."""

    def __init__(self, looks: int) -> None:
        self.looks, self.asked = looks, 0.0

    def drain(self, deadline_s: float) -> None:
        self.asked = deadline_s

    def replicas(self) -> int:
        assert self.asked, "it is asked to leave before it is waited for"
        self.looks -= 1
        return int(self.looks >= 0)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def rest(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize(("looks", "left"), [(0, True), (5, True), (1000, False)])
def test_waits_for_its_replica_and_not_for_ever(looks: int, left: bool) -> None:
    node, clock = Node(looks), Clock()
    assert drain(node, 60.0, clock, clock.rest) is left  # pyright: ignore[reportArgumentType]
    assert node.asked == 60.0
    assert clock.now <= 60.5


def test_there_is_time_for_a_replacement_and_for_what_is_held() -> None:
    settings = Settings(drain_s=100.0)
    assert wait_s(settings) > settings.drain_s + LEAVING_S


@pytest.mark.parametrize(
    ("found", "code", "told"),
    [(Node(0), 0, ""), (Node(1000), 1, "still there"), (NotDrained("the head does not answer"), 1, "does not answer")],
)
def test_says_why_a_pod_did_not_leave_in_good_order(
    found: Any, code: int, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def here(address: str | None, instance: str) -> Any:
        assert instance == "pod-1"
        if isinstance(found, NotDrained):
            raise found
        return found

    monkeypatch.setattr(module.Node, "here", here)
    assert main(["--instance", "pod-1", "--wait-s", "0.6"]) == code
    assert told in capsys.readouterr().err
