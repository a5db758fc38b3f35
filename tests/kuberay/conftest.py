"""What kustomize makes of the manifests, built once in each process of the tests."""

from __future__ import annotations

import copy
import functools
from typing import Any

import pytest

from kuberay.check.build import Variant, build

Manifests = list[dict[str, Any]]
WRONG = Variant("eu", ("aws", "mtls", "webhooks", "external-secrets", "monitoring"))
"""What wrong manifests are made from: it has an object of every kind."""


@functools.cache
def built(variant: Variant) -> Manifests:
    return build(variant)


@pytest.fixture
def manifests() -> Manifests:
    """A copy to spoil."""
    return copy.deepcopy(built(WRONG))
