"""The order of units that an author asks for must be one in which a learner can reach the end."""

from __future__ import annotations

from collections.abc import Iterator

from content.drafts.course import CourseHead, Sequencing
from content.drafts.parts import Parts
from content.drafts.quiz import QuizBlock
from content.errors import Problem


def check_sequencing(parts: Parts, head: CourseHead) -> Iterator[Problem]:
    """Named units exist, tests have a quiz, and no test waits for what waits for it."""
    if head.sequencing is None:
        return
    units = [unit.id for _, unit in parts.units]
    tested = {pointer.partition("/blocks/")[0] for pointer, block in parts.blocks if isinstance(block, QuizBlock)}
    with_quiz = {unit.id for pointer, unit in parts.units if pointer in tested}
    for pointer, unit in _named(head.sequencing):
        if unit not in units:
            yield Problem(pointer, "unit-unknown", f"The order names the unit “{unit}”, which is not in the course.")
        elif pointer.endswith("/unit") and unit not in with_quiz:
            yield Problem(pointer, "test-without-quiz", f"The unit “{unit}” is to be a test, but it has no quiz.")
    yield from _order(units, head.sequencing)


def _named(sequencing: Sequencing) -> Iterator[tuple[str, str]]:
    if sequencing.pretest:
        yield "/sequencing/pretest/unit", sequencing.pretest.unit
        for index, unit in enumerate(sequencing.pretest.skips):
            yield f"/sequencing/pretest/skips/{index}", unit
    if sequencing.posttest:
        yield "/sequencing/posttest/unit", sequencing.posttest.unit


def _order(units: list[str], sequencing: Sequencing) -> Iterator[Problem]:
    pretest, posttest = sequencing.pretest, sequencing.posttest
    if posttest and posttest.unit in units and posttest.unit != units[-1]:
        message = f"The unit “{posttest.unit}” opens when all others are done, so it must be the last one."
        yield Problem("/sequencing/posttest/unit", "sequencing-order", message)
    if not pretest or pretest.unit not in units:
        return
    if posttest and pretest.unit == posttest.unit:
        message = f"The unit “{pretest.unit}” cannot be the test before the course and the test after it."
        yield Problem("/sequencing/posttest/unit", "sequencing-order", message)
    before = set(units[: units.index(pretest.unit) + 1])
    for index, unit in enumerate(pretest.skips):
        if unit in before:
            message = f"The unit “{unit}” can only be left out if it comes after the test “{pretest.unit}”."
            yield Problem(f"/sequencing/pretest/skips/{index}", "sequencing-order", message)
