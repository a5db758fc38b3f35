"""Which rows of a closed tenant go, by the columns of their table: all of them, or under a hold what belongs to nothing held."""

from __future__ import annotations

import pytest

from tasks.keeping.tenant_deletion_job import ALL, PERSONAL, condition


@pytest.mark.parametrize("table", ["packages", "parts", "webhooks", "a_table_of_next_year"])
def test_without_a_hold_everything_goes(table: str) -> None:
    assert condition(table, frozenset(("tenant",)), partial=False) == ALL


@pytest.mark.parametrize("table", sorted(PERSONAL))
def test_what_is_personal_goes_in_any_case(table: str) -> None:
    assert condition(table, frozenset(("tenant", "package_id")), partial=True) == ALL


def test_under_a_hold_a_row_goes_with_its_package_bundle_or_seal() -> None:
    def under(*columns: str) -> str:
        return condition("some_table", frozenset(("tenant", *columns)), partial=True) or ""

    assert under("package_id", "bundle_id") == "not held(t.tenant, t.package_id)"
    assert "from bundles" in under("bundle_id") and "from seals" in under("seal_id")
    assert condition("parts", frozenset(("tenant", "path")), partial=True) != ALL


def test_under_a_hold_what_belongs_to_no_package_stays() -> None:
    assert condition("a_table_of_next_year", frozenset(("tenant", "name")), partial=True) is None
