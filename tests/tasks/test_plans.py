"""The rows that follow from spaces: one for every profile, whether anything fits or not."""

from __future__ import annotations

from content.media import PROFILES
from content.packages import Choices, Planner
from tasks.plans import rows_for
from tests.content.packages.test_space import COURSE


def test_every_profile_gets_a_row_for_every_space() -> None:
    roomy = Planner(COURSE, "desktop").plan().bytes
    rows = rows_for(COURSE, [roomy, 1_000_000, roomy, 10])
    assert [(row.profile, row.space_bytes) for row in rows] == [
        (profile, space) for profile in PROFILES for space in (10, 1_000_000, roomy)
    ]
    for row in rows:
        planner = Planner(COURSE, row.profile)
        if row.space_bytes == 10:
            assert (row.planned_profile, row.choices, row.bytes) == (None, Choices(), planner.least_bytes)
            continue
        plan = planner.plan(row.space_bytes)
        assert (row.planned_profile, row.choices, row.bytes) == (plan.planned_profile, plan.choices, plan.bytes)
        assert (row.planned_profile == row.profile) is (row.space_bytes == roomy)
