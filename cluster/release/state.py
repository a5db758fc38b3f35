"""What is known of a release between two looks. It stands beside the weights, in the same object, and changes with them in
one write: so whoever goes on after a crash finds both or neither.

Pure: to and from the annotations of the HTTPRoute (or of the local gateway).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from cluster.release.evidence import Seen
from content.canonical import parse_rfc3339, rfc3339
from content.errors import ContentError

STATE, HISTORY = "content.example/release-state", "content.example/release-history"
KEPT = 20
"""Decisions in the history; the log has all of them."""


class Phase(StrEnum):
    CANARY = "canary"
    PROMOTED = "promoted"
    SETTLED = "settled"
    ROLLED_BACK = "rolled-back"


NEXT = {
    None: {Phase.CANARY},
    Phase.CANARY: {Phase.CANARY, Phase.PROMOTED, Phase.ROLLED_BACK},
    Phase.PROMOTED: {Phase.SETTLED, Phase.ROLLED_BACK, Phase.CANARY},
    Phase.SETTLED: {Phase.CANARY},
    Phase.ROLLED_BACK: {Phase.CANARY},
}
"""Which phase may follow which. A promoted release is begun anew only when another one takes the canary's place."""


@dataclass(frozen=True)
class State:
    """One release. `share` is what the canary gets (per cent) and `since` when it got it; `baseline` is the stable version
    as it was last seen with traffic of its own; `shapes` are the shapes of manifests of stable and canary."""

    release: str
    phase: Phase
    share: int
    since: datetime
    began: datetime
    reason: str
    shapes: tuple[int, int] = (0, 0)
    baseline: Seen | None = None
    edge_told: bool = False
    """The edge has forgotten the manifests of the other shape, or there was no need to."""

    def to(self, phase: Phase, share: int, now: datetime, reason: str) -> State:
        """The state after a decision. Raises ValueError for a transition that there is not."""
        if phase not in NEXT[self.phase]:
            raise ValueError(f"{self.phase} is not followed by {phase}")
        since = now if (phase, share) != (self.phase, self.share) else self.since
        return replace(self, phase=phase, share=share, since=since, reason=reason)

    @property
    def edge_owed(self) -> bool:
        """Whether the edge may keep manifests of a shape that is not served any more."""
        over = self.phase in (Phase.PROMOTED, Phase.SETTLED, Phase.ROLLED_BACK)
        return over and self.shapes[0] != self.shapes[1] and not self.edge_told


def write(state: State, history: tuple[dict[str, Any], ...]) -> dict[str, str]:
    """The annotations."""
    document = asdict(state) | {
        "since": rfc3339(state.since),
        "began": rfc3339(state.began),
        "baseline": state.baseline and state.baseline.as_dict(),
    }
    return {STATE: json.dumps(document, ensure_ascii=False), HISTORY: json.dumps(history[-KEPT:], ensure_ascii=False)}


def read(annotations: Mapping[str, str]) -> tuple[State | None, tuple[dict[str, Any], ...]]:
    """State and history; None where no release was begun. Raises ContentError `release-state` for what is not ours."""
    if not annotations.get(STATE):
        return None, ()
    try:
        given = json.loads(annotations[STATE])
        shapes = tuple(int(each) for each in given["shapes"])
        state = State(
            release=str(given["release"]),
            phase=Phase(given["phase"]),
            share=int(given["share"]),
            since=parse_rfc3339(given["since"]),
            began=parse_rfc3339(given["began"]),
            reason=str(given["reason"]),
            shapes=(shapes[0], shapes[1]),
            baseline=None if given["baseline"] is None else Seen.from_dict(given["baseline"]),
            edge_told=bool(given["edge_told"]),
        )
        return state, tuple(json.loads(annotations.get(HISTORY) or "[]"))
    except (ValueError, KeyError, TypeError, IndexError, ContentError) as error:
        remedy = (
            f"Look at the annotation {STATE}; `content-service release rollback` takes the traffic back all the same."
        )
        raise ContentError("release-state", "The state of the release cannot be read.", remedy) from error
