"""Errors cross process borders on Ray: every class of the tree must come out of a pickle as it went in."""

from __future__ import annotations

import importlib
import pickle
import pkgutil
from collections.abc import Iterator

import pytest

import cluster
import content
import tasks
from content.errors import ContentError, InvalidInput, Problem


def every_class(root: type[ContentError] = ContentError) -> Iterator[type[ContentError]]:
    yield root
    for child in root.__subclasses__():
        yield from every_class(child)


def import_everything() -> None:
    for package in (content, cluster, tasks):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith(("neighbours_app", "local.edge")):
                importlib.import_module(module.name)


import_everything()


@pytest.mark.parametrize("kind", sorted(set(every_class()), key=lambda kind: kind.__qualname__))
def test_every_error_survives_a_pickle(kind: type[ContentError]) -> None:
    error = kind("a-code", "It went wrong.", "Do this.", True)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert (copy.code, copy.message, copy.remedy, copy.retryable) == (
        error.code, error.message, error.remedy, error.retryable,
    )  # fmt: skip


def test_problems_survive_a_pickle() -> None:
    error = InvalidInput("draft-invalid", "2 mistakes.", "", False, (Problem("/title", "missing", "It has no title."),))
    copy = pickle.loads(pickle.dumps(error))
    assert copy.problems[0].as_dict() == error.problems[0].as_dict()
    assert str(copy) == "2 mistakes."
