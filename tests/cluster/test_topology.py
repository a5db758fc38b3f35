"""The pool table against the deployment topology document."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cluster.topology import GI, MI, POOLS, REGIONS

DOCUMENT = Path(__file__).parents[3] / "shared" / "seed" / "deployment-topology.txt"


@pytest.fixture
def document() -> str:
    if not DOCUMENT.exists():
        pytest.skip("the deployment topology document is not beside this clone")
    return DOCUMENT.read_text()


def test_minimum_maximum_and_depth_are_the_documents(document: str) -> None:
    section = document[document.index("2. Scaling") : document.index("3. Resources")]
    for pool in POOLS:
        row = re.search(rf"^{pool.name}(.+)$", section, re.MULTILINE)
        assert row is not None, pool.name
        text = row[1]
        assert text.startswith(f"{pool.minimum}{pool.maximum}"), (pool.name, text)
        threshold = re.search(r"> (\d+)(%?)", text)
        assert threshold is not None
        if threshold[2]:
            assert pool.per_replica is None
        else:
            assert pool.per_replica == int(threshold[1])


def test_cpu_and_memory_are_the_documents(document: str) -> None:
    section = document[document.index("3. Resources") : document.index("4. Storage")]
    rows = re.findall(r"^(content-[a-z-]+?)(\d+)m / (\d+)m(\d+)(Mi|Gi) / ([\d.]+)(Mi|Gi)", section, re.MULTILINE)
    assert len(rows) == 5  # the relay's resources are not in the document
    by_name = {pool.name: pool for pool in POOLS}
    units = {"Mi": MI, "Gi": GI}
    for name, request, limit, memory, unit, memory_limit, limit_unit in rows:
        pool = by_name[name]
        assert (pool.cpu_request, pool.cpu_limit) == (int(request), int(limit))
        assert pool.memory_request == int(memory) * units[unit]
        assert pool.memory_limit == int(float(memory_limit) * units[limit_unit])


def test_regions_are_the_documents(document: str) -> None:
    listed = re.search(r"per region \(([a-z, ]+)\)", document)
    assert listed is not None
    assert tuple(listed[1].split(", ")) == REGIONS
