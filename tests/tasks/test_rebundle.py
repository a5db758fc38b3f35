"""A selection is kept in its job as JSON and comes back the same, never reaching beyond the moment it was asked for."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tasks.rebundle import Selection

NOW = datetime(2026, 11, 24, 12, 0, 0, 123456, UTC)
NAMES = st.text("abc_", min_size=1, max_size=5)
SELECTIONS = st.builds(
    Selection,
    package_id=st.none() | NAMES,
    version=st.none() | st.integers(1, 2**31 - 1),
    profile=st.none() | NAMES,
    policy=st.none() | st.sampled_from(["device", "shared"]),
    device_ids=st.none() | st.lists(NAMES, min_size=1, max_size=3).map(tuple),
    outdated_keys=st.booleans(),
    before=st.none() | st.timedeltas(-timedelta(days=400), timedelta(days=400)).map(lambda late: NOW + late),
)


@given(SELECTIONS)
def test_what_the_job_keeps_is_the_selection_bounded_by_now(asked: Selection) -> None:
    kept = json.loads(json.dumps(asked.as_subject(NOW)))
    found = Selection.of_subject(kept)
    assert found.before == min(asked.before or NOW, NOW)
    assert {**vars(found), "before": None} == {**vars(asked), "before": None}
    later = NOW + timedelta(hours=1)
    assert found.parameters(later)["before"] == found.before, "a retry an hour later takes in no more"


def test_what_was_not_asked_for_is_not_kept() -> None:
    assert Selection(package_id="pkg_a").as_subject(NOW) == {"package_id": "pkg_a", "before": NOW.isoformat()}
