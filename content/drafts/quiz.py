"""The quiz block and its seven kinds of question.

Answers travel inside the package: a quiz is scored offline. Shuffling follows a stored seed, so the same learner sees
the same order again; where the author stores none, the build derives one from the block's id.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from content.drafts.base import Id, LanguageTag, Line, LineMap, Model, TextMap
from content.drafts.limits import MAX_CHOICES, MAX_QUESTIONS


class Feedback(Model):
    """What the learner reads after answering."""

    correct: LineMap | None = None
    incorrect: LineMap | None = None


class _Question(Model):
    id: Id
    prompt: TextMap
    """Markdown."""
    points: Annotated[float, Field(ge=0, le=1000)] = 1
    feedback: Feedback | None = None


class Choice(Model):
    id: Id
    text: LineMap
    correct: bool = False
    feedback: LineMap | None = None


class SingleQuestion(_Question):
    """Exactly one of the choices is right."""

    kind: Literal["single"]
    choices: Annotated[tuple[Choice, ...], Field(min_length=2, max_length=MAX_CHOICES)]


class MultipleQuestion(_Question):
    """One or more of the choices are right, and all of them must be chosen."""

    kind: Literal["multiple"]
    choices: Annotated[tuple[Choice, ...], Field(min_length=2, max_length=MAX_CHOICES)]


class TrueFalseQuestion(_Question):
    kind: Literal["true_false"]
    answer: bool


class NumericQuestion(_Question):
    """Right if within `tolerance` (absolute) of the answer."""

    kind: Literal["numeric"]
    answer: float
    tolerance: Annotated[float, Field(ge=0)] = 0
    unit: LineMap | None = None


class ShortTextQuestion(_Question):
    """Right if the words equal one of the accepted answers of the learner's language."""

    kind: Literal["short_text"]
    answers: Annotated[
        dict[LanguageTag, Annotated[tuple[Line, ...], Field(min_length=1, max_length=MAX_CHOICES)]], Field(min_length=1)
    ]
    case_sensitive: bool = False


class Pair(Model):
    id: Id
    left: LineMap
    right: LineMap


class MatchingQuestion(_Question):
    """Each left side is to be joined with its right side."""

    kind: Literal["matching"]
    pairs: Annotated[tuple[Pair, ...], Field(min_length=2, max_length=MAX_CHOICES)]


class Item(Model):
    id: Id
    text: LineMap


class OrderingQuestion(_Question):
    """The items stand here in their right order."""

    kind: Literal["ordering"]
    items: Annotated[tuple[Item, ...], Field(min_length=2, max_length=MAX_CHOICES)]


Question = Annotated[
    SingleQuestion
    | MultipleQuestion
    | TrueFalseQuestion
    | NumericQuestion
    | ShortTextQuestion
    | MatchingQuestion
    | OrderingQuestion,
    Field(discriminator="kind"),
]


class QuizBlock(Model):
    type: Literal["quiz"]
    id: Id
    title: LineMap | None = None
    questions: Annotated[tuple[Question, ...], Field(min_length=1, max_length=MAX_QUESTIONS)]
    attempts: Annotated[int, Field(ge=1, le=1000)] | None = None
    """How often it may be taken; absent means without limit."""
    shuffle: bool = False
    seed: Annotated[int, Field(ge=0, lt=1 << 32)] | None = None
