"""Blocks as a player needs them: texts as safe HTML per language, quizzes with every default written out.

Optional members that say nothing are left out, so that a field added to drafts later does not change old packages.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from content.drafts.base import Model
from content.drafts.blocks import (
    AssistantBlock,
    AudioBlock,
    EmbedBlock,
    FileBlock,
    ImageBlock,
    TextBlock,
    VideoBlock,
)
from content.drafts.markup import Format, to_html
from content.drafts.quiz import (
    MatchingQuestion,
    MultipleQuestion,
    NumericQuestion,
    OrderingQuestion,
    Question,
    QuizBlock,
    ShortTextQuestion,
    SingleQuestion,
    TrueFalseQuestion,
)
from content.errors import ContentError
from content.packages.embedded import Embedded


def block_document(block: Model, packages: Mapping[str, Embedded] | None = None) -> dict[str, Any]:
    """The block in the manifest; `packages` are those that the course embeds, by id. Raises ContentError `block-not-buildable` for
    a type that no player can show, or a package that is not among them."""
    if isinstance(block, EmbedBlock) and (package := (packages or {}).get(block.package)) is not None:
        return _lean(type="embed", id=block.id, title=_map(block.title), asset=block.package, course=package.course())
    if isinstance(block, TextBlock):
        return {"type": "text", "id": block.id, "html": _html(block.text, block.format)}
    if isinstance(block, ImageBlock):
        alt = {} if block.decorative or block.alt is None else dict(block.alt)
        return _lean(type="image", id=block.id, asset=block.asset, alt=alt, caption=_map(block.caption))
    if isinstance(block, (VideoBlock, AudioBlock)):
        return _timed(block)
    if isinstance(block, FileBlock):
        return {"type": "file", "id": block.id, "asset": block.asset, "title": dict(block.title)}
    if isinstance(block, QuizBlock):
        return _quiz(block)
    if isinstance(block, AssistantBlock):
        grounding = list(block.grounding)
        return {"type": "assistant", "id": block.id, "purpose": dict(block.purpose), "grounding": grounding}
    message = f"The block “{getattr(block, 'id', '')}” cannot be built: {type(block).__name__} is not supported yet."
    raise ContentError("block-not-buildable", message)


def _timed(block: VideoBlock | AudioBlock) -> dict[str, Any]:
    return _lean(
        type=block.type,
        id=block.id,
        asset=block.asset,
        title=_map(block.title),
        captions=[{"asset": each.asset, "language": each.language, "kind": each.kind} for each in block.captions],
        transcript=_html(block.transcript, "markdown") if block.transcript else None,
        poster=block.poster,
    )


def _quiz(quiz: QuizBlock) -> dict[str, Any]:
    return _lean(
        type="quiz",
        id=quiz.id,
        title=_map(quiz.title),
        attempts=quiz.attempts,
        shuffle=quiz.shuffle,
        seed=_seed(quiz) if quiz.shuffle else None,
        points=sum(question.points for question in quiz.questions),
        questions=[_question(question) for question in quiz.questions],
    )


def _seed(quiz: QuizBlock) -> int:
    """The stored seed, or one that follows from the block's id: the same in every version and on every machine."""
    return int.from_bytes(hashlib.sha256(quiz.id.encode()).digest()[:4], "big") if quiz.seed is None else quiz.seed


def _question(question: Question) -> dict[str, Any]:
    feedback = question.feedback
    base = _lean(
        kind=question.kind,
        id=question.id,
        prompt=_html(question.prompt, "markdown"),
        points=question.points,
        feedback=_lean(correct=_map(feedback.correct), incorrect=_map(feedback.incorrect)) if feedback else None,
    )
    return base | _answer(question)


def _answer(question: Question) -> dict[str, Any]:
    match question:
        case SingleQuestion() | MultipleQuestion():
            choices = [
                _lean(id=each.id, text=dict(each.text), correct=each.correct, feedback=_map(each.feedback))
                for each in question.choices
            ]
            return {"choices": choices}
        case TrueFalseQuestion():
            return {"answer": question.answer}
        case NumericQuestion():
            return _lean(answer=question.answer, tolerance=question.tolerance, unit=_map(question.unit))
        case ShortTextQuestion():
            answers = {tag: list(accepted) for tag, accepted in question.answers.items()}
            return {"answers": answers, "case_sensitive": question.case_sensitive}
        case MatchingQuestion():
            return {
                "pairs": [
                    {"id": each.id, "left": dict(each.left), "right": dict(each.right)} for each in question.pairs
                ]
            }
        case OrderingQuestion():
            return {"items": [{"id": each.id, "text": dict(each.text)} for each in question.items]}


def _html(texts: Mapping[str, str], form: Format) -> dict[str, str]:
    return {tag: to_html(text, form) for tag, text in texts.items()}


def _map(texts: Mapping[str, str] | None) -> dict[str, str] | None:
    return dict(texts) if texts else None


def _lean(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
